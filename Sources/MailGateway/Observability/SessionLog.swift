import AsyncIO
import MailSessions

/// Puts the events of sessions into nginx's words (nginx-mail.md §3.1, §11), for the logs of one server.
final class SessionLog: SessionObserver {
    private let log: Log

    init(_ log: Log) { self.log = log }

    var isTracing: Bool { log.isEnabled(.debug) }

    func observe(_ event: SessionEvent, in context: SessionContext) {
        // Most events of most sessions are below the level: find that out before any text is made.
        guard log.isEnabled(SessionLine.level(event)), let line = SessionLine(event, in: context) else { return }
        log.write(line.level, connection: context.number, line.text)
    }

    /// A client that there was no place for.
    func refused(_ number: UInt64, _ text: String) { log.write(.alert, connection: number, text) }
}
