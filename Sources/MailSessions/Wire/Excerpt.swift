import AsyncIO

extension FrontEndNote {
    /// Words behind which a line may hold a credential (nginx-mail.md §13 row 36).
    private static let credentialVerbs = ["LOGIN", "AUTHENTICATE", "AUTH", "PASS", "APOP"]

    /// What a log may show of the line that begins `input` and is `length` bytes long: its first
    /// `excerptMaximum` bytes, and nothing behind a verb that carries credentials, wherever in the
    /// first two words it stands and even if the space behind it was forgotten.
    static func excerpt(of input: ByteQueue, length: Int) -> [UInt8] {
        let shown = input[0..<min(length, excerptMaximum, input.count)]
        var start = 0
        for _ in 0..<2 {
            while start < shown.count, shown[start] == ASCII.space { start += 1 }
            let word = shown[start...].prefix { $0 != ASCII.space }
            let upper = word.asciiUppercased
            if let verb = credentialVerbs.first(where: { upper.hasPrefix($0) }) {
                return Array(shown[..<(start + verb.utf8.count)])
            }
            start = word.endIndex
        }
        return shown
    }
}
