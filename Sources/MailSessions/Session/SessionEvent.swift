import AsyncIO

/// What a session tells whoever writes logs and counts; in the order in which it happens.
package enum SessionEvent: Sendable {
    /// The client is here; nothing was said yet.
    case connected
    /// The header that must come first did not, or was none (`listen … proxy_protocol`).
    case proxyHeaderRefused(ProxyProtocolFault)
    /// `deny`.
    case accessDenied
    /// The server that the client asked for by name has no place left: so many `max_connections`.
    case tooManyClients(Int)
    /// A limit is reached in this zone. `isDryRun`: and the client is served all the same.
    case limited(ClientLimit, zone: String, isDryRun: Bool)
    /// A TLS handshake with the client is done.
    indirect case secured(ClientTLS)
    /// The client's name is not known (SMTP, with a `resolver`).
    case clientNameFailed(ClientNameFailure)
    /// Something the client did that is worth a line.
    case note(FrontEndNote)
    /// The client ended or broke the connection where more was expected of it.
    case clientFailed(IOError)
    /// The authenticator refused the credentials.
    case loginRefused(text: [UInt8])
    /// The authenticator could not decide.
    case authenticatorFailed(AuthenticatorFailure)
    /// The back-end could not be reached or did not log the client in.
    case backEndFailed(BackEndFailure)
    /// The back-end failed so often that its group leaves it alone for a while (`max_fails`).
    case backEndDisabled
    /// The client is logged in at the back-end; the relay begins.
    case loggedIn
    /// Reading from one side of the relay failed, which counts as the end of its stream.
    case relaySourceFailed(Relay.Side, IOError)
    /// The session is over.
    case ended(SessionEnd)
}

/// Why an authenticator could not decide.
package enum AuthenticatorFailure: Error, Sendable, Equatable {
    /// The auth_http service, by its address, did not answer in time or cannot be reached.
    case unreachable(SocketAddress, IOError)
    /// Its name, as configured, could not be looked up anew; it is asked where it was.
    case unresolved(String, DNSFailure)
    /// It answered something that cannot be acted on.
    case fault(SocketAddress, AuthHTTPFault)
    /// It asked for patience more than `AuthHTTPClient.waitsMaximum` times.
    case endlessWait(SocketAddress)
    /// It knows the client, but no back-end is configured.
    case noBackEnd
    /// More passwords wait to be checked than `BlockingPool.queueMaximum`, or than the PAM helper takes.
    case overloaded
    /// The database, by its place as configured, gave no answer that could be used.
    case database(String, DatabaseFailure)
    /// The PAM service of this name did not decide.
    case pam(String, PAMFault)

    /// The session ended meanwhile, which is no fault of the authenticator's.
    package var isCancellation: Bool {
        switch self {
        case .unreachable(_, .cancelled), .database(_, .cancelled), .pam(_, .io(.cancelled)): true
        default: false
        }
    }
}

/// Why a login at a back-end failed.
package enum BackEndFailure: Error, Sendable, Equatable {
    /// Connecting failed, or the connection did.
    case io(IOError)
    /// It answered with something else than expected; one line, bounded, control bytes replaced.
    /// `isPassedOn`: the client was shown it (`proxy_pass_error_message`).
    case invalidResponse([UInt8], isPassedOn: Bool)
    /// The beginning of what did not fit; bounded, control bytes replaced.
    case responseTooLong([UInt8])
    /// It does not begin with TLS, which is demanded; one line, bounded, control bytes replaced.
    case tlsRefused([UInt8])
    /// It does not offer the SASL mechanism that the login needs.
    case mechanismNotOffered(String)
    /// The credentials cannot be sent in this protocol, or none are known.
    case unsendableCredentials
    /// The name of a back-end could not be looked up.
    case unresolved(String, DNSFailure)
    /// No member of the group is there to be tried.
    case noneServes
}

/// How a session ended: a case for every way.
package enum SessionEnd: Error, Sendable, Equatable {
    /// Logged in and relayed; bytes as the client saw them, and the time since it connected.
    case relayed(Relay.End, received: UInt64, sent: UInt64, duration: Duration)
    /// The client said goodbye before logging in.
    case quit
    /// Wrong credentials, and no further chance.
    case refused
    /// Too many errors, an over-long command, another protocol, no PROXY header where one must be.
    case violation
    /// `deny`.
    case denied
    /// `limit_conn`, `limit_login`.
    case limited
    /// Not decided or not logged in for a reason that is not the client's.
    case unavailable
    /// The client went, or its connection broke, before it was logged in.
    case clientFailed(IOError)
    /// The login took longer than `timeout`.
    case timedOut
    /// The worker is going down.
    case cancelled
}

/// Where a session stands, for the words behind "while" in a log line (nginx-mail.md §3.1).
package enum SessionPhase: Sendable, Hashable {
    case readingProxyHeader
    case handshaking
    case resolvingAddress
    case resolvingHostName
    /// Holding the greeting back (`smtp_greeting_delay`).
    case delayingGreeting
    case greeting
    /// Reading commands.
    case authenticating
    case startingTLS
    /// Waiting for the authenticator.
    case askingAuthenticator
    /// Looking its name up.
    case resolvingBackEnd
    case connectingToBackEnd
    case sendingProxyHeader
    case handshakingWithBackEnd
    /// In the midst of the back-end's dialogue.
    case loggingInAtBackEnd(BackEndActivity)
    case relaying
}

/// What is known of a session when an event happens.
package struct SessionContext: Sendable {
    // Every session keeps one of these, so what is small stands behind addresses, which end with unused bytes.

    /// Counted from 1 in each worker; nginx's `*N`.
    package let number: UInt64
    /// The login name, raw bytes, once known.
    package var login: [UInt8]?
    /// Back-ends tried before `backEnd`, in that order.
    package var backEndsTried: [SocketAddress] = []
    /// The group that they belong to.
    package var group: String?
    /// Where it comes from; after `set_real_ip_from`, as soon as that is known.
    package var client: SocketAddress
    package let mailProtocol: MailProtocol
    package var phase = SessionPhase.greeting
    /// TLS was begun by STARTTLS or STLS.
    package var usesStartTLS = false
    /// The address it came to, as configured.
    package let listener: SocketAddress
    /// The back-end, once chosen.
    package var backEnd: SocketAddress?

    package init(number: UInt64, mailProtocol: MailProtocol, client: SocketAddress, listener: SocketAddress) {
        self.number = number
        self.mailProtocol = mailProtocol
        self.client = client
        self.listener = listener
    }
}

/// Told of every event of every session; it must not block.
package protocol SessionObserver: AnyObject, Sendable {
    /// Whether notes of single commands (`FrontEndNote.command`) are worth making.
    var isTracing: Bool { get }
    func observe(_ event: SessionEvent, in context: SessionContext)
}
