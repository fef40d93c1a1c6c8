import AsyncIO
import Glibc
import MailSessions

/// A syslog server, told one line per datagram (RFC 3164, in nginx's form).
///
/// ```
/// <PRI>Mon dd hh:mm:ss host tag: YYYY/MM/DD hh:mm:ss [level] pid#tid: message
/// ```
/// It is connected with the first line, and anew with the next line after a failure, so that a server
/// which was started again is found again. Nothing waits: what the kernel does not take is lost, and counted
/// by `LogFile`. Over UDP most losses cannot be known.
struct SyslogSocket {
    private let settings: SyslogSettings
    /// Connected, or nil.
    private var descriptor: Int32?

    /// A server that is not connected yet.
    init(_ settings: SyslogSettings) { self.settings = settings }

    /// Sends `line`, without its newline; false when it was not taken.
    mutating func write(_ level: LogLevel, _ line: [UInt8], at second: time_t) -> Bool {
        let datagram = Array(header(level, at: second).utf8) + line
        // A failure may be news about the time before (a refusal over UDP, a server that is new): try again, once.
        for _ in 0..<2 {
            guard let descriptor = descriptor ?? connect() else { return false }
            self.descriptor = descriptor
            let sent = unsafe datagram.withUnsafeBytes {
                unsafe send(descriptor, $0.baseAddress, $0.count, Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL))
            }
            if sent == datagram.count { return true }
            if errno == EAGAIN || errno == ENOBUFS { return false }
            close()
        }
        return false
    }

    /// Closes the connection; the next line makes a new one.
    mutating func close() {
        if let descriptor { Glibc.close(descriptor) }
        descriptor = nil
    }

    private func header(_ level: LogLevel, at second: time_t) -> String {
        let priority = settings.facility * 8 + level.severity
        let host = settings.hostName.map { "\($0) " } ?? ""
        return "<\(priority)>\(LogFile.syslogTime(second)) \(host)\(settings.tag): "
    }

    private func connect() -> Int32? {
        do throws(IOError) {
            return try connectedDatagramSocket(to: settings.server)
        } catch {
            // Nobody can be told but the target itself, which is what is missing; `LogFile` counts.
            return nil
        }
    }
}

extension LogLevel {
    /// RFC 3164 §4.1.1: 0 is an emergency, 7 is debugging.
    var severity: Int {
        switch self {
        case .emerg: 0
        case .alert: 1
        case .crit: 2
        case .error: 3
        case .warn: 4
        case .notice: 5
        case .info: 6
        case .debug: 7
        }
    }
}
