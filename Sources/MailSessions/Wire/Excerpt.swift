import AsyncIO

extension FrontEndNote {
    /// Words behind which a line may hold a credential (nginx-mail.md §13 row 36).
    private static let credentialVerbs = ["LOGIN", "AUTHENTICATE", "AUTH", "PASS", "APOP"]

    /// The verbs of POP3 and SMTP clients before the login.
    private static let knownVerbs: Set<String> = [
        "APOP", "AUTH", "CAPA", "NOOP", "PASS", "QUIT", "STLS", "USER",
        "DATA", "EHLO", "EXPN", "HELO", "HELP", "MAIL", "RCPT", "RSET", "STARTTLS", "VRFY",
    ]

    /// A line for tracing: what may be shown of it, and stars for what may not. A line that is no command
    /// may be a password all the same, from a client that has fallen out of step.
    static func traced(_ input: ByteQueue, length: Int) -> [UInt8] {
        let shown = excerpt(of: input, length: length)
        guard knownVerbs.contains(shown.prefix { $0 != ASCII.space && !$0.isControl }.asciiUppercased) else {
            return Array("(no command)".utf8)
        }
        return shown.count < min(length, excerptMaximum) ? shown + Array(" ***".utf8) : shown
    }

    /// What a log may show of the line that begins `input` and is `length` bytes long: its first
    /// `excerptMaximum` bytes, and nothing behind a verb that carries credentials, wherever in the
    /// first two words it stands and even if the space behind it was forgotten. Nor anything behind a CR, LF
    /// or NUL but the line's own end: what follows may be another command, with verbs of its own.
    static func excerpt(of input: ByteQueue, length: Int) -> [UInt8] {
        var bytes = input[0..<min(length, excerptMaximum, input.count)]
        let count = shownCount(of: bytes)
        guard count < bytes.count else { return bytes }
        // What is not shown may be a password.
        defer { wipe(&bytes) }
        return Array(bytes[..<count])
    }

    private static func shownCount(of bytes: [UInt8]) -> Int {
        let content = bytes.prefix { $0 != ASCII.cr && $0 != ASCII.lf && $0 != ASCII.nul }
        var start = 0
        for _ in 0..<2 {
            while start < content.count, content[start] == ASCII.space { start += 1 }
            let word = content[start...].prefix { $0 != ASCII.space }
            let upper = word.asciiUppercased
            if let verb = credentialVerbs.first(where: { upper.hasPrefix($0) }) { return start + verb.utf8.count }
            start = word.endIndex
        }
        let end = bytes[content.endIndex...]
        let isLineEnd = end == [ASCII.cr, ASCII.lf] || end == [ASCII.lf] || end == [ASCII.cr]
        return isLineEnd ? bytes.count : content.count
    }
}
