import AsyncIO

/// The part of a front-end that is the same in all three protocols: where the login stands, what is to
/// be done next, and what is counted.
///
/// ```
///   greeting ──▶ commands ◀──challenge, failure──▶ response
///      │          │ │  ▲                             │
///      │          │ │  └─refused, may try again─┐    │            ┌──▶ acknowledgement ──▶ commands, over
///      │          │ └──credentials──▶ verdict ──┘ ◀──┘ credentials │
///      │          │                      └─token refused, challenge──┘
///      ▼          ▼                      ▼
///     over ◀── quit, violation ◀── accepted, refused, unavailable
/// ```
package struct LoginProgress: Sendable {
    typealias Action = Step<LoginAttempt, FrontEndNote, FrontEndOutcome>

    /// Where the login stands.
    enum Stage: Sendable {
        case greeting
        case commands
        /// The next line is a response to a SASL challenge.
        case response(SASLExchange)
        /// Asked, and not yet answered.
        case verdict
        /// The next line answers the challenge that said why a token was refused.
        case acknowledgement(BearerMechanism, RefusedLogin)
        case over(FrontEndOutcome)
    }

    private(set) var settings: FrontEndSettings
    var stage: Stage
    var lines: LineFramer
    var salts: SaltFactory
    /// Whether the bytes arrive through TLS.
    private(set) var isSecure: Bool
    /// Decided and not yet taken, oldest first; a handful at most, for nothing is read before they are.
    private var pending: [Action] = []
    /// Lines that the parser rejected (nginx-mail.md §3.5).
    private var errors = 0
    /// Credentials that were submitted.
    private var attempts = 0
    /// The mechanism of the last ones, if they were a token.
    private(set) var bearer: BearerMechanism?

    /// The progress of a client that has said nothing yet.
    init(settings: ServerSettings, isSecure: Bool, salts: SaltFactory, isGreeted: Bool) {
        self.settings = FrontEndSettings(settings)
        stage = isGreeted ? .commands : .greeting
        self.isSecure = isSecure
        self.salts = salts
        lines = LineFramer(bareLineFeed: settings.bareLineFeed)
    }

    /// TLS can be asked for.
    var offersTLS: Bool { settings.startTLS != .off && !isSecure }

    /// Credentials are refused until TLS is there.
    var demandsTLS: Bool { settings.startTLS == .only && !isSecure }

    /// A greeting for the client.
    mutating func makeGreeting() -> Greeting {
        Greeting(of: settings.mailProtocol, name: settings.name, mechanisms: settings.mechanisms, salts: &salts)
    }

    /// Takes the oldest action.
    mutating func takeAction() -> Action? {
        pending.isEmpty ? nil : pending.removeFirst()
    }

    /// Adds what is to be done behind everything decided before.
    mutating func act(_ action: Action) { pending.append(action) }

    /// Counts a rejected line; true when there were too many.
    mutating func countError() -> Bool {
        errors += 1
        return errors >= settings.maxErrors
    }

    /// Hands credentials to whoever decides.
    mutating func ask(_ credentials: Credentials, envelope: SMTPEnvelope?) {
        attempts += 1
        bearer = BearerMechanism(credentials.method)
        stage = .verdict
        act(
            .ask(
                LoginAttempt(
                    method: credentials.method, login: credentials.login, password: credentials.password,
                    salt: credentials.salt, number: attempts, envelope: envelope)))
    }

    /// Another server's from here on; what was counted stays counted.
    mutating func goOn(by settings: ServerSettings) {
        self.settings = FrontEndSettings(settings)
        lines = LineFramer(bareLineFeed: settings.bareLineFeed)
        salts.serverName = settings.name
    }

    /// Secure from here on; the handshake is the carrier's.
    mutating func startTLS() {
        isSecure = true
        act(.startTLS)
    }
}

/// A login that was refused, before the client is told so.
struct RefusedLogin: Sendable {
    /// CRLF included.
    var reply: [UInt8]
    /// The session ends behind it.
    var isLast: Bool
}
