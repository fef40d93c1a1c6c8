/// Tells whether a back-end's line refuses, for only such a line may be passed on to a client as the end of
/// its login (`proxy_pass_error_message`): a client must never read success in a failure.
extension MailProtocol {
    /// - Parameter line: without its line end.
    package func isRefusal(_ line: [UInt8]) -> Bool {
        switch self {
        case .imap:
            let words = line.split(separator: ASCII.space, maxSplits: 2)
            return words.count > 1 && ["NO", "BAD", "BYE"].contains(words[1].asciiUppercased)
        case .pop3: return line.begins(with: "-ERR")
        case .smtp:
            let code = line.prefix(3)
            return code.count == 3 && code.allSatisfy(\.isDigit)
                && (code.first == UInt8(ascii: "4") || code.first == UInt8(ascii: "5"))
        }
    }

    /// Whether a line refuses the credentials themselves, rather than fails for another reason (RFC 5530, RFC 3206,
    /// RFC 4954 §6).
    /// - Parameter line: without its line end.
    package func blamesCredentials(_ line: [UInt8]) -> Bool {
        switch self {
        case .imap:
            let words = line.split(separator: ASCII.space, maxSplits: 3).map(\.asciiUppercased)
            return words.count > 2 && words[1] == "NO" && words[2] == "[AUTHENTICATIONFAILED]"
        case .pop3: return line.begins(with: "-ERR [AUTH]")
        case .smtp: return line.starts(with: Array("535".utf8))
        }
    }
}
