import AsyncIO

/// The login at a back-end: greeting, credentials, and the reply that the client will see.
package protocol BackEndLogin: Dialogue
where Question == Never, Answer == Never, Note == Never, Outcome == BackEndOutcome {
    /// The login of `client`, which has said what is in `context`; each protocol takes what it needs.
    /// - Parameter offers: what the back-end is known to offer; nil when nobody has asked.
    init(
        credentials: BackEndCredentials, context: ReplyContext, settings: ServerSettings, client: ClientFacts,
        offers: BackEndOffers?)

    /// Whether `offers` make a difference.
    static var usesOffers: Bool { get }
    /// What the login was told or has found out of them.
    var offers: BackEndOffers? { get }
    /// The back-end was sent what only makes logins shorter, and owes the answer: a login that fails here may well
    /// succeed without. `offers` say no until it has answered.
    var isShortening: Bool { get }
    /// What is being done, for whoever reports that it went wrong.
    var activity: BackEndActivity { get }
    /// The back-end was shown whom to log in, so that what it says from then on is about the user and final.
    var hasSentCredentials: Bool { get }
}

/// The steps of a login at a back-end; each lasts until its reply is read (nginx-mail.md §3.1).
package enum BackEndActivity: Sendable, Hashable {
    /// Nothing was sent yet: the greeting is awaited.
    case awaitingGreeting
    /// A reply was read, and is not what it should be.
    case readingReply
    /// STARTTLS or STLS.
    case startingTLS
    case sendingUser, sendingPassword
    case sendingLogin
    /// CAPABILITY or CAPA.
    case askingCapabilities
    case sendingHello, sendingXClient, sendingClientHello, sendingAuthentication, sendingMail, sendingRecipient
}

extension BackEndLogin {
    package mutating func resume(_ answer: Never) {}

    package static var usesOffers: Bool { false }
    package var offers: BackEndOffers? { nil }
    package var isShortening: Bool { false }
}

extension IMAPBackEnd {
    package init(
        credentials: BackEndCredentials, context: ReplyContext, settings: ServerSettings, client: ClientFacts,
        offers: BackEndOffers?
    ) {
        self.init(credentials: credentials, context: context, settings: settings)
    }
}

extension POP3BackEnd {
    package init(
        credentials: BackEndCredentials, context: ReplyContext, settings: ServerSettings, client: ClientFacts,
        offers: BackEndOffers?
    ) {
        self.init(credentials: credentials, settings: settings, offers: offers)
    }
}

extension MailProtocol {
    /// What speaks it with a back-end.
    var backEndLogin: any BackEndLogin.Type {
        switch self {
        case .imap: IMAPBackEnd.self
        case .pop3: POP3BackEnd.self
        case .smtp: SMTPBackEnd.self
        }
    }
}

/// Whom to log in at the back-end, and how.
package struct BackEndCredentials: Sendable {
    /// The login name, after the authenticator's own (`Auth-User`).
    package var login: [UInt8]
    /// The password for the back-end; nil when none is known (SMTP with XCLIENT does not need one).
    package var password: Secret?
    /// Whether the user logs in at the SMTP back-end (`Auth-SMTP`); nil leaves it to `proxy_smtp_auth`.
    package var smtpAuth: Bool?
    /// How the connection is secured, where the authenticator says so (`Auth-SSL-Backend`).
    package var security: BackEndSecurity?
    /// Whom the back-end's certificate must be for, where the authenticator says so (`Auth-SSL-Backend-Name`).
    package var certificateName: String?
    /// The mechanism by which the password, a token then, is shown to the back-end; nil for a password.
    package var bearer: BearerMechanism?
    /// They are what the client has shown, so that whoever refuses them refuses the client.
    package var areClients = false

    package init(login: [UInt8], password: Secret?, smtpAuth: Bool? = nil) {
        self.login = login
        self.password = password
        self.smtpAuth = smtpAuth
    }
}

/// How a login at a back-end ends.
package enum BackEndOutcome: Sendable, Equatable {
    /// Logged in. `reply` goes to the client before anything else; bytes behind it stay in `input`.
    case loggedIn(reply: [UInt8])
    /// The back-end answered something else than expected; `reply` is what it said, one line without
    /// CRLF, bounded, control bytes replaced (nginx-mail.md §13 row 35).
    case invalidResponse(reply: [UInt8])
    /// A reply longer than the limit.
    case responseTooLong
    /// The back-end does not begin with TLS, which is demanded; `reply` as above. No credential was sent.
    case tlsRefused(reply: [UInt8])
    /// The back-end does not offer this SASL mechanism, which the login needs. No credential was sent.
    case mechanismNotOffered(String)
    /// The credentials cannot be sent in this protocol (NUL in any protocol, CR or LF in POP3 and in replayed SMTP lines), or a
    /// password is needed and none is known.
    case unsendableCredentials
}
