import MailSessions

/// Something the administrator should know although the configuration is good.
struct Notice: Sendable, Hashable {
    let level: LogLevel
    let text: String
    let position: Position
}

extension Notice: CustomStringConvertible {
    /// The text and its position on one line.
    var description: String { ConfigurationError(text, at: position).message }
}
