/// The protocols spoken with clients and back-ends.
package enum MailProtocol: String, Sendable, Hashable, CaseIterable {
    case imap, pop3, smtp
}

/// How a client proved who it is, in the words of the `Auth-Method` header (nginx-mail.md §4.2).
package enum AuthenticationMethod: String, Sendable, Hashable {
    /// LOGIN, USER/PASS, SASL PLAIN and SASL LOGIN.
    case plain
    case apop
    case cramMD5 = "cram-md5"
    case external
    /// SASL XOAUTH2; the password is the token.
    case xoauth2
    /// SASL OAUTHBEARER; the password is the token.
    case oauthBearer = "oauthbearer"
    /// SMTP without authentication (`smtp_auth none`).
    case none

    /// Whether the password is a token of OAuth 2.0.
    package var isBearer: Bool { self == .xoauth2 || self == .oauthBearer }
}

/// The mechanisms a server is configured with (`imap_auth`, `pop3_auth`, `smtp_auth`).
package struct MechanismSet: OptionSet, Sendable, Hashable {
    package let rawValue: UInt8
    package init(rawValue: UInt8) { self.rawValue = rawValue }

    package static let plain = MechanismSet(rawValue: 1)
    package static let login = MechanismSet(rawValue: 2)
    package static let apop = MechanismSet(rawValue: 4)
    package static let cramMD5 = MechanismSet(rawValue: 8)
    package static let external = MechanismSet(rawValue: 16)
    package static let none = MechanismSet(rawValue: 32)
    package static let xoauth2 = MechanismSet(rawValue: 64)
    package static let oauthBearer = MechanismSet(rawValue: 128)
}
