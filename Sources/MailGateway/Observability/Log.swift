import CLinux
import Glibc
import MailSessions

/// The error log: lines in nginx's form, to several targets, each with a least level.
///
/// ```
/// YYYY/MM/DD hh:mm:ss [level] pid#tid: *connection message
/// ```
/// Writing never waits: what a target cannot take at once is dropped and counted (`LogFile`). Whoever
/// writes escapes what comes from outside (`quoted`); a control byte that slips through becomes a
/// space, so that a message is always one line.
final class Log: Sendable {
    /// The longest line in bytes, its newline included, as in nginx.
    static let lineMaximum = 2048

    private let targets: [(file: LogFile, level: LogLevel)]
    private let leastLevel: LogLevel?
    private let files: LogFiles

    /// Opens every file that `configuration` writes to, those of single servers too, and writes to the main level's.
    /// - Parameter old: the log of the configuration before; files that it writes to are not opened again.
    convenience init(_ configuration: Configuration, sharing old: Log? = nil) throws(SourceError) {
        let settings = configuration.servers.reduce(configuration.core.logs) { $0 + $1.logs }
        let files = try LogFiles(settings.map(\.target), sharing: old?.files)
        self.init(configuration.core.logs, in: files)
    }

    /// Opens the targets of `settings` and writes to them.
    convenience init(_ settings: [LogSettings]) throws(SourceError) {
        self.init(settings, in: try LogFiles(settings.map(\.target)))
    }

    private init(_ settings: [LogSettings], in files: LogFiles) {
        self.files = files
        targets = settings.compactMap { setting in
            files.file(for: setting.target).map { (file: $0, level: setting.level) }
        }
        leastLevel = targets.map(\.level).min()
    }

    /// A log to other targets (a server's `error_log`) that shares the open files; each of them was
    /// among those this log was opened with.
    func log(to settings: [LogSettings]) -> Log { Log(settings, in: files) }

    /// Whether a line of `level` would be written anywhere.
    func isEnabled(_ level: LogLevel) -> Bool {
        guard let leastLevel else { return false }
        return level >= leastLevel
    }

    /// Whether lines go to the terminal, where a second copy would be a nuisance.
    var writesToStandardError: Bool { targets.contains { $0.file.target == .stderr } }

    /// Writes a line; `connection` is the number that nginx shows as `*5`.
    func write(_ level: LogLevel, connection: UInt64? = nil, _ text: @autoclosure () -> String) {
        guard isEnabled(level) else { return }
        var message = " [\(level.rawValue)] \(Log.place)"
        if let connection { message += "*\(connection) " }
        message += text()
        for target in targets where level >= target.level {
            target.file.write(level, message)
        }
    }

    /// `pid#tid: `, which begins every message.
    static var place: String { "\(process)#\(clinux_gettid()): " }

    /// Asked once: no process of ours goes on as two.
    private static let process = getpid()

    /// Opens the files anew, after they were moved away (USR1); what cannot be opened keeps the old file.
    ///
    /// - Parameter owner: whom the files shall belong to, so that workers without privileges can open them.
    func reopen(owner: Credentials? = nil) {
        for failure in files.reopen(owner: owner) { write(.emerg, failure.text) }
    }
}

/// The open files of a process's logs, each once, however many `error_log` directives name it.
final class LogFiles: Sendable {
    private let files: [LogSettings.Target: LogFile]

    /// Opens all of `targets` but those that are open in `old`.
    init(_ targets: [LogSettings.Target], sharing old: LogFiles? = nil) throws(SourceError) {
        var files: [LogSettings.Target: LogFile] = [:]
        for target in targets where files[target] == nil {
            if let open = old?.files[target] { files[target] = open } else { files[target] = try LogFile(target) }
        }
        self.files = files
    }

    /// The open file of a target.
    func file(for target: LogSettings.Target) -> LogFile? { files[target] }

    /// Opens all anew; returns what went wrong.
    func reopen(owner: Credentials?) -> [SourceError] {
        var failures: [SourceError] = []
        for file in files.values {
            do throws(SourceError) { try file.reopen(owner: owner) } catch { failures.append(error) }
        }
        return failures
    }
}
