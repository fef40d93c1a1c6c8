import AsyncIO
import MailSessions

extension ParseContext {
    /// The longest password, in bytes.
    private static let passwordMaximum = 4095

    /// The password that a file of the configuration directory holds in one line.
    mutating func password(in path: String, at position: Position) throws(ConfigurationError) -> Secret {
        let file = pathOfConfiguration(path)
        var content = try read(file, as: .accounts, at: position).bytes
        defer { wipe(&content) }
        if content.last == ASCII.lf { content.removeLast() }
        if content.last == ASCII.cr { content.removeLast() }
        guard !content.isEmpty, content.count <= ParseContext.passwordMaximum, !content.contains(where: \.isControl)
        else {
            throw ConfigurationError(
                "no password in \(quoted(file))", at: position,
                accepted:
                    "It must be one line of 1 to \(ParseContext.passwordMaximum) bytes without control characters.")
        }
        return Secret(content)
    }
}
