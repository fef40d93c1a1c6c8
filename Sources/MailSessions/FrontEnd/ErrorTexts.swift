/// `error_texts`: in which words clients are told that a login failed.
package enum ErrorTexts: String, Sendable, Hashable, CaseIterable {
    /// nginx's, which tell nobody whether the password was wrong or something is broken.
    case nginx
    /// Those of the standards, so that a client asks for another password only when it needs one.
    case rfc
}

extension ErrorTexts {
    /// What tells a client of OAUTHBEARER or XOAUTH2 that its token is refused, in base64, where the authenticator
    /// has no words of its own (RFC 7628 §3.2.2); nil where nothing is said, as in freenginx.
    var bearerChallenge: [UInt8]? {
        switch self {
        case .nginx: nil
        case .rfc: Base64.encode(#"{"status":"invalid_token","schemes":"bearer"}"#.utf8)
        }
    }
}

/// The replies of `error_texts rfc`: RFC 5530 for IMAP, RFC 3206 for POP3, RFC 4954 §6 for SMTP.
extension MailProtocol {
    private static let temporaryText = "Temporary authentication failure"

    /// The reply to a login that failed for a reason that is not the client's; CRLF included.
    /// - Parameter context: of the command that is answered.
    func temporaryFailure(_ context: ReplyContext) -> [UInt8] {
        switch self {
        case .imap: .line(MailProtocol.tag(context) + Array(" NO [UNAVAILABLE] \(MailProtocol.temporaryText)".utf8))
        case .pop3: .line("-ERR [SYS/TEMP] \(MailProtocol.temporaryText)")
        // A recipient is no login.
        case .smtp where context.envelope.recipient != nil: .line("451 4.3.2 Temporary failure")
        case .smtp: .line("454 4.7.0 \(MailProtocol.temporaryText)")
        }
    }

    /// The reply to wrong credentials; CRLF included.
    /// - Parameters:
    ///   - text: one line; one that begins with a response code of its own keeps it.
    ///   - code: in place of the usual one (SMTP only).
    func wrongCredentials(_ context: ReplyContext, text: [UInt8], code: [UInt8]? = nil) -> [UInt8] {
        let hasCode = text.first == UInt8(ascii: "[")
        switch self {
        case .imap:
            let words = hasCode ? " NO " : " NO [AUTHENTICATIONFAILED] "
            return .line(MailProtocol.tag(context) + Array(words.utf8) + text)
        case .pop3: return .line(Array((hasCode ? "-ERR " : "-ERR [AUTH] ").utf8) + text)
        case .smtp: return .line((code ?? Array("535 5.7.8".utf8)) + [ASCII.space] + text)
        }
    }

    private static func tag(_ context: ReplyContext) -> [UInt8] {
        context.tag.isEmpty ? [UInt8(ascii: "*")] : context.tag
    }
}
