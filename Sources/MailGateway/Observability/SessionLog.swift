import AsyncIO
import MailSessions

/// Puts the events of sessions into nginx's words (nginx-mail.md §3.1, §11), for the logs of one server.
final class SessionLog: SessionObserver {
    private let log: Log
    /// `limit_conn_log_level`.
    private let limitLevel: LogLevel

    init(_ log: Log, limitLevel: LogLevel = .error) {
        self.log = log
        self.limitLevel = limitLevel
    }

    var isTracing: Bool { log.isEnabled(.debug) }

    func observe(_ event: SessionEvent, in context: SessionContext) {
        // Most events of most sessions are below the level: find that out before any text is made.
        var level = SessionLine.level(event)
        if case .limited(.connections, _, _) = event { level = limitLevel }
        guard log.isEnabled(level), let line = SessionLine(event, in: context) else { return }
        log.write(level, connection: context.number, line.text)
    }

    /// A line that belongs to no session.
    func write(_ level: LogLevel, _ text: @autoclosure () -> String) { log.write(level, text()) }

    /// A client that there was no place for.
    func refused(_ number: UInt64, _ text: String) { log.write(.alert, connection: number, text) }
}
