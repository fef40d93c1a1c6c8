import AsyncIO

/// The client's side of a session up to the login: greeting, commands, SASL.
///
/// A front-end asks (`LoginAttempt`), is told (`Verdict`), and finishes with what the back-end's
/// dialogue and the relay need to know.
package protocol FrontEnd: Dialogue
where Question == LoginAttempt, Answer == Verdict, Note == FrontEndNote, Outcome == FrontEndOutcome {
    /// The protocol's line for a client that must go for a reason of ours; CRLF included.
    /// It may come at any moment, also before the greeting.
    func farewell(_ reason: Farewell) -> [UInt8]

    /// Goes on by the settings of another server of the same protocol, which the client has asked for by name when
    /// TLS began; nothing was said since.
    mutating func goOn(by settings: ServerSettings)
}

/// One submission of credentials.
package struct LoginAttempt: Sendable {
    package var method: AuthenticationMethod
    /// The login name, raw bytes; may be empty for `external`, `oauthBearer` and `none`.
    package var login: [UInt8]
    /// The password, the digest for `apop` and `cramMD5`, the token for `xoauth2` and `oauthBearer`; empty for
    /// `external` and `none`.
    package var password: Secret
    /// `<random.time@server_name>` for `apop` and `cramMD5`.
    package var salt: [UInt8]?
    /// 1, 2, …: completed submissions of this session.
    package var number: Int
    /// What the client said of itself and its message (SMTP).
    package var envelope: SMTPEnvelope?

    package init(
        method: AuthenticationMethod, login: [UInt8], password: Secret, salt: [UInt8]? = nil, number: Int,
        envelope: SMTPEnvelope? = nil
    ) {
        self.method = method
        self.login = login
        self.password = password
        self.salt = salt
        self.number = number
        self.envelope = envelope
    }
}

/// What an SMTP client said before the login: whole command lines, without CRLF.
package struct SMTPEnvelope: Sendable, Equatable {
    /// The argument of HELO or EHLO; nil before either.
    package var helo: [UInt8]?
    /// EHLO was used at any time of the session.
    package var isExtended = false
    /// `MAIL FROM:<…> …`, only with `smtp_auth none`.
    package var mailFrom: [UInt8]?
    /// `RCPT TO:<…> …`, only with `smtp_auth none`.
    package var recipient: [UInt8]?

    package init() {}
}

/// The answer to a login attempt.
package enum Verdict: Sendable {
    /// The credentials are right. The front-end says nothing: the back-end's reply speaks to the client.
    case accept
    /// Wrong credentials, or a refusal that the authenticator words itself. `text` is free of control bytes.
    /// With `wait` the client may try again after it; without, the session ends after the reply.
    /// `code` replaces the reply code (SMTP only, `Auth-Error-Code`). `challenge`, in base64, tells a client of
    /// OAUTHBEARER or XOAUTH2 why its token is refused (`Auth-Error-SASL`).
    case refuse(text: [UInt8], code: [UInt8]? = nil, wait: Duration? = nil, challenge: [UInt8]? = nil)
    /// Not the client's fault: the protocol's temporary error, then the end; with `error_texts rfc` another try.
    case unavailable
    /// Whatever the credentials are worth, a limit says no: the protocol's words for it, then the end.
    case limited(ClientLimit)
}

/// How a front-end ends.
package enum FrontEndOutcome: Sendable {
    /// The last attempt was accepted; `reply` is what the client's own command needs to be answered with.
    case accepted(ReplyContext)
    /// The client said goodbye and was answered.
    case quit
    /// Refused without a second chance; the reply was sent.
    case refused
    /// Could not be decided; the temporary error was sent.
    case unavailable
    /// A limit says no; the reply was sent.
    case limited
    /// Too many errors, an over-long command, another protocol; the reply was sent.
    case violation
}

/// What the back-end's dialogue needs from the front-end to answer the client in its own terms.
package struct ReplyContext: Sendable, Equatable {
    /// The tag of the IMAP command that logs in; empty otherwise.
    package var tag: [UInt8] = []
    /// SMTP only.
    package var envelope = SMTPEnvelope()

    package init() {}
}

/// Reasons of ours to end a session, put into words by each protocol.
package enum Farewell: Sendable, Hashable {
    /// The login took longer than `timeout`.
    case timeout
    /// Too many connections (worker_connections, max_connections).
    case busy
    /// The server is going down.
    case shutdown
    /// Something behind us failed: the protocol's temporary error.
    case internalError
    /// `deny`.
    case denied
    /// `limit_conn`, by address.
    case limited
    /// The client's certificate is refused (nginx-mail.md §8.3).
    case certificateError
    /// The client has shown no certificate and has to.
    case certificateMissing
}

/// What a front-end reports; MailGateway puts it into words (nginx-mail.md §11).
/// Excerpts are at most `excerptMaximum` bytes and never hold what may be a credential.
package enum FrontEndNote: Sendable, Equatable {
    case tooLongCommand(excerpt: [UInt8])
    case tooManyErrors
    case invalidBase64(mechanism: String)
    case invalidPlainLogin
    case invalidPlainPassword
    case invalidCramMD5Hash
    /// No message of OAUTHBEARER or XOAUTH2.
    case invalidBearer(mechanism: String)
    /// SMTP MAIL without authentication.
    case rejected(excerpt: [UInt8])
    /// Bytes before the delayed SMTP greeting.
    case rejectedBeforeGreeting(excerpt: [UInt8])
    /// An HTTP request on a mail port (nginx-mail.md §13 row 30).
    case foreignProtocol(excerpt: [UInt8])
    /// A command as read, for tracing (`ServerSettings.tracesCommands`); stars stand for credentials.
    case command(excerpt: [UInt8])

    package static let excerptMaximum = 128
}
