import AsyncIO
import MailSessions
import TestSupport

/// Which connections of a history have TLS, and how it begins there.
struct SimulationSecurity: Sendable, Hashable {
    /// How TLS begins on one leg.
    enum Leg: Sendable, Hashable, CaseIterable { case never, atOnce, whenAgreed }

    var client = Leg.never
    var backEnd = Leg.never

    /// Every way in which at least one leg is secured.
    static let all = Leg.allCases.flatMap { client in
        Leg.allCases.map { SimulationSecurity(client: client, backEnd: $0) }
    }
    .filter { $0 != SimulationSecurity() }
}

/// Which connections have TLS, and the contexts of all their ends.
///
/// The keys are of a kind whose signatures have one length, and nobody makes tickets, whose lengths vary: so a seed
/// is one history although OpenSSL has a randomness of its own.
struct SimulationTLS: Sendable {
    let security: SimulationSecurity
    /// Of the gateway, towards clients.
    let server: TLSContext
    let client: TLSContext
    /// Of the gateway, towards back-ends.
    let proxy: TLSContext
    let backEnd: TLSContext

    private static let (authority, issued) = {
        let authority = TestAuthority(kind: .ed25519)
        return (Secret(authority.certificate), authority.issue(["mx", "IP:127.0.0.1"], kind: .ed25519))
    }()

    init(_ security: SimulationSecurity) throws(TLSSettingsError) {
        self.security = security
        server = try TLSContext(server: SimulationTLS.serverSettings, seed: TLSTicketSeed())
        backEnd = try TLSContext(server: SimulationTLS.serverSettings, seed: TLSTicketSeed())
        client = try TLSContext(client: SimulationTLS.clientSettings)
        proxy = try TLSContext(client: SimulationTLS.clientSettings)
    }

    private static let common = TLSCommonSettings(ciphers: "HIGH:!aNULL:!MD5")

    private static var serverSettings: TLSServerSettings {
        var settings = TLSServerSettings(common)
        settings.common.identities = [
            TLSIdentity(
                certificate: TLSText(name: "cert.pem", content: Secret(issued.certificate)),
                key: TLSText(name: "key.pem", content: Secret(issued.key)))
        ]
        settings.usesTickets = false
        return settings
    }

    private static var clientSettings: TLSClientSettings {
        var settings = TLSClientSettings(common)
        settings.common.authorities = TLSText(name: "ca.pem", content: authority)
        return settings
    }
}

/// One end's part in a handshake.
enum SimulationHandshake: Sendable {
    case client(TLSContext)
    case server(TLSContext)

    /// Does it, at a `secure` of a plan.
    func perform(on socket: Socket, until deadline: Instant) async throws(IOError) {
        switch self {
        case .client(let context):
            try await socket.secure(by: context, peer: "gateway", name: "mx", sendsName: true, deadline: deadline)
            // Now rather than with the next words: a peer may talk and listen in two tasks, of which one would take it.
            try await socket.send([], deadline: deadline)
        case .server(let context):
            try await socket.secure(by: context, deadline: deadline)
        }
    }
}

extension ServerSettings {
    /// With TLS as a history wants it.
    mutating func secure(_ tls: SimulationTLS) {
        if tls.security.client != .never { self.tls = tls.server }
        if tls.security.client == .whenAgreed { startTLS = .on }
        switch tls.security.backEnd {
        case .never: break
        case .atOnce: proxy.tls.security = .on
        case .whenAgreed: proxy.tls.security = .startTLS
        }
        proxy.tls.context = LazyTLSContext(tls.proxy)
    }
}
