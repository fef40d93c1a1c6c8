import AsyncIO
import COpenSSL

/// `auth_cache`: for how long decisions about logins are remembered, and how many.
package struct AuthCacheSettings: Sendable, Hashable {
    /// Decisions kept, of a server in each worker.
    package var maximum: Int
    /// For logins that were accepted; zero for not at all.
    package var lifetime: Duration = .seconds(60)
    /// For those that were refused.
    package var refusalLifetime: Duration = .seconds(10)

    package init(maximum: Int) { self.maximum = maximum }
}

/// Asks authenticators about what they have not decided lately.
///
/// What is remembered holds for a login that is the same in everything that a decision may depend on
/// (`AuthCacheKey`), and for the server it came to. Only passwords are remembered: an answer to a challenge comes
/// once, a token has a lifetime of its own, and a sender without a name shows nothing. A failure is no decision.
package struct CachingAuthenticator: Authenticator {
    private let authenticator: any Authenticator
    private let cache: AuthCache
    private let mailProtocol: MailProtocol

    /// - Parameter mailProtocol: of the server whose `authenticator` it is.
    package init(
        _ authenticator: any Authenticator, _ settings: AuthCacheSettings, for mailProtocol: MailProtocol,
        on executor: RingExecutor
    ) {
        self.authenticator = authenticator
        self.mailProtocol = mailProtocol
        cache = AuthCache(settings, on: executor)
    }

    package func decide(
        _ attempt: LoginAttempt, of client: ClientFacts, in scope: CancellationScope,
        report: (AuthenticatorFailure) -> Void
    ) async throws(AuthenticatorFailure) -> LoginDecision {
        let key = cache.key(of: attempt, client, mailProtocol)
        if let key, let known = await cache.decision(on: key) { return known.decision(on: attempt) }
        let decision = try await authenticator.decide(attempt, of: client, in: scope, report: report)
        if let key, let remembered = RememberedDecision(decision, on: attempt) { await cache.keep(remembered, on: key) }
        return decision
    }

    package func forget(_ attempt: LoginAttempt, of client: ClientFacts) async {
        if let key = cache.key(of: attempt, client, mailProtocol) { await cache.forget(key) }
        await authenticator.forget(attempt, of: client)
    }
}

/// What makes two logins the same (security-checklist C3): protocol, method, name and password of the client, its
/// address, its TLS and certificate, and which attempt of its session it is.
///
/// Names are taken as they were sent: what an authenticator takes for the same may differ here, never the other
/// way round. A keyed digest is all that is left of it, so that nobody finds a password here.
package struct AuthCacheKey: Sendable, Hashable {
    private let digest: [UInt8]

    /// Nil for what must not be remembered.
    init?(of attempt: LoginAttempt, _ client: ClientFacts, _ mailProtocol: MailProtocol, under secret: Secret) {
        guard attempt.method == .plain else { return nil }
        let certificate = client.tls?.certificate
        let texts = [
            mailProtocol.rawValue, attempt.method.rawValue, "\(attempt.number)", client.address.hostText,
            client.hostName,
            client.proxyAddresses.map { "\($0.source.hostText) \($0.destination)" }, client.tls?.version,
            client.tls?.cipher, client.tls?.serverName, client.tls?.verification, certificate?.fingerprint,
            certificate?.serial, certificate?.subject, certificate?.issuer, certificate?.pem,
        ]
        var message: [UInt8] = []
        // As long as it gets, for growing would leave a password in freed memory.
        let lengths = texts.map { 8 + ($0?.utf8.count ?? 0) }
        message.reserveCapacity(
            lengths.reduce(0, +) + 16 + attempt.login.count + attempt.password.count)
        for text in texts { AuthCacheKey.add(text.map { Array($0.utf8) }, to: &message) }
        AuthCacheKey.add(attempt.login, to: &message)
        var password = attempt.password.bytes
        AuthCacheKey.add(password, to: &message)
        var key = secret.bytes
        defer {
            wipe(&password)
            wipe(&message)
            wipe(&key)
        }
        var digest = [UInt8](repeating: 0, count: 32)
        let result = unsafe HMAC(EVP_sha256(), key, Int32(key.count), message, message.count, &digest, nil)
        guard unsafe result != nil else { return nil }
        self.digest = digest
    }

    /// With its length in front, or two different logins could make the same bytes; none is not the same as empty.
    private static func add(_ field: [UInt8]?, to message: inout [UInt8]) {
        let length = field.map { Int64($0.count) } ?? -1
        for shift in stride(from: 56, through: 0, by: -8) { message.append(UInt8(truncatingIfNeeded: length >> shift)) }
        message += field ?? []
    }
}

/// A decision without the client's own password.
struct RememberedDecision: Sendable {
    /// The credentials lack a password that is the client's own.
    let made: LoginDecision
    /// The back-end gets the password that the client shows, which is the same as then.
    private let takesPassword: Bool

    /// Nil where nothing was decided.
    init?(_ decision: LoginDecision, on attempt: LoginAttempt) {
        switch decision {
        case .unknown: return nil
        case .refuse:
            made = decision
            takesPassword = false
        case .accept(let choice, var credentials):
            takesPassword = credentials.password == attempt.password
            if takesPassword { credentials.password = nil }
            made = .accept(choice, credentials)
        }
    }

    /// The same for another login with the same key.
    func decision(on attempt: LoginAttempt) -> LoginDecision {
        guard takesPassword, case .accept(let choice, var credentials) = made else { return made }
        credentials.password = attempt.password
        return .accept(choice, credentials)
    }
}

/// The decisions of one server in one worker.
actor AuthCache {
    nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe executor.asUnownedSerialExecutor() }
    private let executor: RingExecutor
    private let settings: AuthCacheSettings
    /// Of this process, and gone with it.
    private let secret: Secret
    private var decisions: ExpiringCache<AuthCacheKey, RememberedDecision>

    init(_ settings: AuthCacheSettings, on executor: RingExecutor) {
        self.settings = settings
        self.executor = executor
        var generator = SystemRandomNumberGenerator()
        var bytes = (0..<32).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
        secret = Secret(bytes)
        wipe(&bytes)
        decisions = ExpiringCache(maximum: settings.maximum)
    }

    /// The key of a login; nil where nothing may be remembered.
    nonisolated func key(
        of attempt: LoginAttempt, _ client: ClientFacts, _ mailProtocol: MailProtocol
    ) -> AuthCacheKey? {
        AuthCacheKey(of: attempt, client, mailProtocol, under: secret)
    }

    /// What was decided about this login, if it still holds.
    func decision(on key: AuthCacheKey) -> RememberedDecision? { decisions.value(of: key, at: executor.now) }

    /// Remembers a decision as long as the settings say.
    func keep(_ decision: RememberedDecision, on key: AuthCacheKey) {
        let lifetime = decision.isRefusal ? settings.refusalLifetime : settings.lifetime
        decisions.keep(decision, of: key, for: lifetime, at: executor.now)
    }

    /// Asks anew the next time.
    func forget(_ key: AuthCacheKey) { decisions.forget(key) }

    /// How many decisions are kept.
    var count: Int { decisions.count }
}

extension RememberedDecision {
    fileprivate var isRefusal: Bool { if case .refuse = made { true } else { false } }
}
