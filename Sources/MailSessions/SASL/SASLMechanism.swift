import AsyncIO

/// The SASL mechanisms spoken with clients, in the order in which they are offered (nginx-mail.md §4.4).
package enum SASLMechanism: String, Sendable, Hashable, CaseIterable {
    /// RFC 4616.
    case plain = "PLAIN"
    /// draft-murchison-sasl-login.
    case login = "LOGIN"
    /// RFC 2195.
    case cramMD5 = "CRAM-MD5"
    /// RFC 4422 appendix A.
    case external = "EXTERNAL"
    /// Google's, before RFC 7628.
    case xoauth2 = "XOAUTH2"
    /// RFC 7628.
    case oauthBearer = "OAUTHBEARER"

    /// Whether a client may use it, offered or not: PLAIN and LOGIN always work, as with nginx, the
    /// others where configured, with an initial response or without (nginx-mail.md §4.3, §13 row 1).
    package func isAccepted(by configured: MechanismSet) -> Bool {
        switch self {
        case .plain, .login: true
        case .cramMD5: configured.contains(.cramMD5)
        case .external: configured.contains(.external)
        case .xoauth2: configured.contains(.xoauth2)
        case .oauthBearer: configured.contains(.oauthBearer)
        }
    }

    /// The mechanisms that `configured` makes a server of this protocol offer.
    package static func offered(by configured: MechanismSet, in mailProtocol: MailProtocol) -> [SASLMechanism] {
        allCases.filter { $0.isOffered(by: configured, in: mailProtocol) }
    }

    /// The same as one text, a space before each; nil where there is none.
    static func list(by configured: MechanismSet, in mailProtocol: MailProtocol) -> String? {
        var list: String?
        for mechanism in allCases where mechanism.isOffered(by: configured, in: mailProtocol) {
            list = (list ?? "") + " " + mechanism.rawValue
        }
        return list
    }

    private func isOffered(by configured: MechanismSet, in mailProtocol: MailProtocol) -> Bool {
        switch self {
        case .plain: configured.contains(.plain)
        // `pop3_auth plain` means both; POP3 has no word of its own for LOGIN.
        case .login: configured.contains(mailProtocol == .pop3 ? .plain : .login)
        case .cramMD5, .external, .xoauth2, .oauthBearer: isAccepted(by: configured)
        }
    }
}

/// The arguments of AUTH and AUTHENTICATE: a mechanism and perhaps an initial response
/// (RFC 4954 §4, RFC 4959, RFC 5034).
struct SASLRequest: Sendable {
    let mechanism: SASLMechanism
    let initialResponse: Secret?

    /// Nil for an unknown mechanism, a wrong number of arguments, or an initial response where the
    /// server speaks first.
    init?(_ arguments: [Secret]) {
        guard let name = arguments.first, arguments.count <= 2,
            let mechanism = SASLMechanism(rawValue: name.bytes.asciiUppercased)
        else { return nil }
        self.mechanism = mechanism
        initialResponse = arguments.count == 2 ? arguments[1] : nil
        if mechanism == .cramMD5, initialResponse != nil { return nil }
    }
}
