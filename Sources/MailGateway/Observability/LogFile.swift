import AsyncIO
import Glibc
import MailSessions

/// One target of a log: its descriptor or syslog server, and what it could not take.
///
/// Regular files are written directly; a full disk (ENOSPC) loses the line and nothing else. A pipe,
/// terminal or socket whose reader sleeps would stop the whole worker (seen with nginx), so these are
/// never waited for. Lines lost are counted, and the count is said once, when writing works again.
final class LogFile: Sendable {
    let target: LogSettings.Target
    /// Absolute, because workers change their directory; nil for what is no file.
    private let path: String?
    private let state: Lock<State>

    fileprivate struct State {
        var sink: Sink
        var dropped: UInt64 = 0
        /// The text of the last second asked for: log lines come in bursts.
        var second = time_t.min
        var secondText = ""
    }

    fileprivate enum Sink {
        case output(Output)
        case syslog(SyslogSocket)
    }

    /// Opens the target, a file for appending; `rw-r--r--` less the umask when it is new.
    init(_ target: LogSettings.Target) throws(SourceError) {
        self.target = target
        switch target {
        case .stderr:
            path = nil
            state = Lock(State(sink: .output(.standardError())))
        case .file(let name):
            let path = joined(Program.currentDirectory, name)
            self.path = path
            state = Lock(State(sink: .output(Output(try LogFile.open(path)))))
        case .syslog(let settings):
            path = nil
            state = Lock(State(sink: .syslog(SyslogSocket(settings))))
        }
    }

    deinit {
        state.withLock { $0.close() }
    }

    /// Appends a line: the time, `message` (which begins with a space), a newline.
    func write(_ level: LogLevel, _ message: String) {
        state.withLock { state in
            if state.dropped > 0 {
                let lines = state.dropped == 1 ? "line was" : "lines were"
                let confession = " [warn] \(Log.place)\(state.dropped) log \(lines) dropped"
                guard state.put(.warn, confession) else {
                    state.dropped += 1
                    return
                }
                state.dropped = 0
            }
            if !state.put(level, message) { state.dropped += 1 }
        }
    }

    /// Opens a file anew and closes the old one; whatever is no file stays.
    func reopen(owner: Credentials?) throws(SourceError) {
        guard let path else { return }
        let descriptor = try LogFile.open(path)
        if let owner, LogFile.mayBeGiven(descriptor, to: owner), fchown(descriptor, owner.user, gid_t.max) != 0 {
            let code = errno
            close(descriptor)
            throw SourceError(call: "chown", path: path, code: code)
        }
        state.withLock { state in
            state.close()
            state.sink = .output(Output(descriptor))
        }
    }

    /// Whether this is a log that only its name leads to, and of somebody else: who owns a device, a terminal or a
    /// file that has other names as well is not for a log to decide.
    private static func mayBeGiven(_ descriptor: Int32, to owner: Credentials) -> Bool {
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { return false }
        return status.st_mode & S_IFMT == S_IFREG && status.st_nlink == 1 && status.st_uid != owner.user
    }

    private static func open(_ path: String) throws(SourceError) -> Int32 {
        // Non-blocking for named pipes; regular files ignore it.
        let flags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY
        let descriptor = unsafe Glibc.open(path, flags, 0o644)
        guard descriptor >= 0 else { throw SourceError(call: "open", path: path, code: errno) }
        return descriptor
    }
}

extension LogFile.State {
    /// Writes one line with the time before it; false when it was not taken.
    fileprivate mutating func put(_ level: LogLevel, _ message: String) -> Bool {
        let now = time(nil)
        if now != second {
            second = now
            secondText = LogFile.localTime(now)
        }
        var line: [UInt8] = []
        line.reserveCapacity(secondText.utf8.count + message.utf8.count + 1)
        line.append(contentsOf: secondText.utf8)
        line.append(contentsOf: message.utf8)
        if line.count >= Log.lineMaximum {
            var end = Log.lineMaximum - 1
            // Not in the middle of a character.
            while end > 0, line[end] & 0xC0 == 0x80 { end -= 1 }
            line.removeSubrange(end...)
        }
        for index in line.indices where line[index] < 0x20 || line[index] == 0x7F { line[index] = UInt8(ascii: " ") }
        switch sink {
        case .output(let output):
            line.append(UInt8(ascii: "\n"))
            return output.write(line)
        case .syslog(var socket):
            defer { sink = .syslog(socket) }
            return socket.write(level, line, at: now)
        }
    }

    fileprivate mutating func close() {
        switch sink {
        case .output(let output): output.close()
        case .syslog(var socket):
            socket.close()
            sink = .syslog(socket)
        }
    }
}

extension LogFile {
    /// `YYYY/MM/DD hh:mm:ss` where we are.
    static func localTime(_ second: time_t) -> String {
        var second = second
        var parts = unsafe tm()
        unsafe localtime_r(&second, &parts)
        let (year, month, day) = unsafe (parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday)
        let (hour, minute, rest) = unsafe (parts.tm_hour, parts.tm_min, parts.tm_sec)
        return "\(year)/\(two(month))/\(two(day)) \(two(hour)):\(two(minute)):\(two(rest))"
    }

    /// `Mon dd hh:mm:ss` where we are, the day padded with a space (RFC 3164 §4.1.2).
    static func syslogTime(_ second: time_t) -> String {
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        var second = second
        var parts = unsafe tm()
        unsafe localtime_r(&second, &parts)
        let (month, day) = unsafe (Int(parts.tm_mon), parts.tm_mday)
        let (hour, minute, rest) = unsafe (parts.tm_hour, parts.tm_min, parts.tm_sec)
        return "\(months[month]) \(day < 10 ? " " : "")\(day) \(two(hour)):\(two(minute)):\(two(rest))"
    }

    private static func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
}
