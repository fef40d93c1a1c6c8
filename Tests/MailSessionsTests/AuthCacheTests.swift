import AsyncIO
import Synchronization
import TestSupport
import Testing

@testable import MailSessions

/// What `auth_cache` remembers, and for whom (security-checklist C3).
@Suite struct AuthCacheTests {
    /// Accepts the password `right`, refuses others, fails for `broken`, and counts the questions.
    private final class Counting: Authenticator {
        let asked = Mutex(0)
        let forgotten = Mutex(0)
        private let backEndPassword: Secret?

        init(backEndPassword: Secret? = nil) { self.backEndPassword = backEndPassword }

        func decide(
            _ attempt: LoginAttempt, of client: ClientFacts, in scope: CancellationScope,
            report: (AuthenticatorFailure) -> Void
        ) async throws(AuthenticatorFailure) -> LoginDecision {
            asked.withLock { $0 += 1 }
            switch String(decoding: attempt.password.bytes, as: UTF8.self) {
            case "right":
                return .accept(
                    .configured, BackEndCredentials(login: attempt.login, password: backEndPassword ?? attempt.password)
                )
            case "broken": throw .overloaded
            default: return .wrongCredentials(attempt)
            }
        }

        func forget(_ attempt: LoginAttempt, of client: ClientFacts) async { forgotten.withLock { $0 += 1 } }
    }

    /// A login by a client, with everything that a decision may depend on.
    private struct Login {
        var attempt = LoginAttempt(
            method: .plain, login: Array("ann".utf8), password: Secret(Array("right".utf8)), number: 1)
        var client = ClientFacts(
            address: .ipv4(IPv4Address(192, 0, 2, 1), port: 50000), localAddress: .ipv4(.loopback, port: 143))

        init(_ change: (inout Login) -> Void = { _ in }) { change(&self) }

        init(password: String) { attempt.password = Secret(Array(password.utf8)) }
    }

    private static func settings(maximum: Int = 100) -> AuthCacheSettings { AuthCacheSettings(maximum: maximum) }

    /// The decision in words.
    private static func decide(
        _ authenticator: CachingAuthenticator, _ login: Login, on executor: RingExecutor
    ) async -> String {
        do throws(AuthenticatorFailure) {
            let scope = CancellationScope(on: executor)
            switch try await authenticator.decide(login.attempt, of: login.client, in: scope, report: { _ in }) {
            case .accept(_, let credentials):
                let password = credentials.password.map { String(decoding: $0.bytes, as: UTF8.self) } ?? "none"
                let isOwn = credentials.password == login.attempt.password
                return "accept \(password)\(isOwn ? ", the client's own" : "")"
            case .refuse(_, _, let wait, _): return "refuse \(wait.map { "\($0)" } ?? "for good")"
            case .unknown: return "unknown"
            }
        } catch {
            return "\(error)"
        }
    }

    private func run(
        _ settings: AuthCacheSettings = settings(), backEndPassword: Secret? = nil,
        _ body: @escaping @Sendable (CachingAuthenticator, Counting, RingExecutor) async throws -> Void
    ) async throws {
        let counting = Counting(backEndPassword: backEndPassword)
        try await onExecutor({ SimulatedKernel(seed: 1) }) { executor in
            try await body(CachingAuthenticator(counting, settings, for: .imap, on: executor), counting, executor)
        }
    }

    private static let certificate = ClientCertificate(subject: "CN=a", issuer: "CN=b", serial: "01", fingerprint: "ab")

    private static let differences: [(String, @Sendable (inout Login) -> Void)] = [
        ("another name", { $0.attempt.login = Array("bob".utf8) }),
        ("the name in capitals", { $0.attempt.login = Array("Ann".utf8) }),
        ("a space behind the name", { $0.attempt.login = Array("ann ".utf8) }),
        (
            "a byte moved from the name",
            {
                $0.attempt.login = Array("an".utf8)
                $0.attempt.password = Secret(Array("nright".utf8))
            }
        ),
        ("another password", { $0.attempt.password = Secret(Array("Right".utf8)) }),
        ("no password", { $0.attempt.password = Secret([UInt8]()) }),
        ("the second attempt", { $0.attempt.number = 2 }),
        ("another address", { $0.client.address = .ipv4(IPv4Address(192, 0, 2, 2), port: 50000) }),
        ("a name of the client", { $0.client.hostName = "mx" }),
        ("through TLS", { $0.client.tls = ClientTLS(version: "TLSv1.3", cipher: "x") }),
        (
            "with a certificate",
            {
                $0.client.tls = ClientTLS(version: "TLSv1.3", cipher: "x")
                $0.client.tls?.verification = "SUCCESS"
                $0.client.tls?.certificate = certificate
            }
        ),
        (
            "with one that failed",
            {
                $0.client.tls = ClientTLS(version: "TLSv1.3", cipher: "x")
                $0.client.tls?.verification = "FAILED:expired"
                $0.client.tls?.certificate = certificate
            }
        ),
        (
            "behind a proxy",
            {
                $0.client.proxyAddresses = ClientFacts.ProxyAddresses(
                    source: .ipv4(IPv4Address(198, 51, 100, 1), port: 1), destination: .ipv4(.loopback, port: 143))
            }
        ),
    ]

    @Test func `C3: whatever a decision may depend on makes another login of it`() async throws {
        try await run { cache, counting, executor in
            let first = await Self.decide(cache, Login(), on: executor)
            #expect(first == "accept right, the client's own")
            for (index, (name, change)) in Self.differences.enumerated() {
                _ = await Self.decide(cache, Login(change), on: executor)
                #expect(counting.asked.withLock { $0 } == index + 2, "\(name)")
            }
            // Another port of the same client is no difference, and the first is still known.
            let again = await Self.decide(
                cache, Login { $0.client.address = $0.client.address.withPort(50001) }, on: executor)
            #expect(again == first)
            #expect(counting.asked.withLock { $0 } == Self.differences.count + 1)
        }
    }

    @Test func `C3: keys differ between protocols and between processes, and show no password`() throws {
        let (one, other) = (Secret(Array("one".utf8)), Secret(Array("other".utf8)))
        let login = Login()
        let keys = [
            AuthCacheKey(of: login.attempt, login.client, .imap, under: one),
            AuthCacheKey(of: login.attempt, login.client, .pop3, under: one),
            AuthCacheKey(of: login.attempt, login.client, .imap, under: other),
        ]
        #expect(Set(keys).count == 3 && !keys.contains(nil))
        let decision = LoginDecision.accept(
            .configured, BackEndCredentials(login: login.attempt.login, password: login.attempt.password))
        let remembered = try #require(RememberedDecision(decision, on: login.attempt))
        guard case .accept(_, let credentials) = remembered.made else { return }
        #expect(credentials.password == nil)
    }

    @Test(arguments: [
        AuthenticationMethod.apop, .cramMD5, .external, .none, .xoauth2, .oauthBearer,
    ]) func `only passwords are remembered`(method: AuthenticationMethod) async throws {
        try await run { cache, counting, executor in
            for _ in 0..<2 { _ = await Self.decide(cache, Login { $0.attempt.method = method }, on: executor) }
            #expect(counting.asked.withLock { $0 } == 2)
        }
    }

    @Test func `accepted and refused logins have times of their own`() async throws {
        try await run { cache, counting, executor in
            for _ in 0..<2 {
                #expect(await Self.decide(cache, Login(), on: executor) == "accept right, the client's own")
                #expect(await Self.decide(cache, Login(password: "wrong"), on: executor) == "refuse 1.0 seconds")
            }
            #expect(counting.asked.withLock { $0 } == 2)
            try await executor.sleep(until: executor.now + .seconds(10), scope: nil)
            _ = await Self.decide(cache, Login(), on: executor)
            #expect(counting.asked.withLock { $0 } == 2)
            _ = await Self.decide(cache, Login(password: "wrong"), on: executor)
            #expect(counting.asked.withLock { $0 } == 3)
            try await executor.sleep(until: executor.now + .seconds(50), scope: nil)
            _ = await Self.decide(cache, Login(), on: executor)
            #expect(counting.asked.withLock { $0 } == 4)
        }
    }

    @Test func `the last attempt ends the session, remembered or not`() async throws {
        try await run { cache, _, executor in
            var login = Login(password: "wrong")
            for number in 1...AuthenticatorChain.attemptsMaximum {
                login.attempt.number = number
                let isLast = number == AuthenticatorChain.attemptsMaximum
                for _ in 0..<2 {
                    let decision = await Self.decide(cache, login, on: executor)
                    #expect(decision == (isLast ? "refuse for good" : "refuse 1.0 seconds"))
                }
            }
        }
    }

    @Test func `a failure is not remembered`() async throws {
        try await run { cache, counting, executor in
            for _ in 0..<2 {
                #expect(await Self.decide(cache, Login(password: "broken"), on: executor) == "overloaded")
            }
            #expect(counting.asked.withLock { $0 } == 2)
        }
    }

    @Test func `a login that failed at its back-end is asked anew`() async throws {
        try await run { cache, counting, executor in
            _ = await Self.decide(cache, Login(), on: executor)
            await cache.forget(Login().attempt, of: Login().client)
            #expect(counting.forgotten.withLock { $0 } == 1)
            _ = await Self.decide(cache, Login(), on: executor)
            #expect(counting.asked.withLock { $0 } == 2)
        }
    }

    @Test func `the back-end's own password is remembered, the client's is not`() async throws {
        try await run(backEndPassword: Secret(Array("behind".utf8))) { cache, counting, executor in
            for _ in 0..<2 { #expect(await Self.decide(cache, Login(), on: executor) == "accept behind") }
            #expect(counting.asked.withLock { $0 } == 1)
        }
    }

    @Test func `as many as configured, then the oldest goes`() async throws {
        try await run(Self.settings(maximum: 2)) { cache, counting, executor in
            for name in ["a", "b", "c", "b", "c", "a"] {
                _ = await Self.decide(cache, Login { $0.attempt.login = Array(name.utf8) }, on: executor)
            }
            #expect(counting.asked.withLock { $0 } == 4)
        }
    }
}
