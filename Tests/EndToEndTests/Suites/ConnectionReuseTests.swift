import Testing

/// Connections to the auth service.
@Suite("Connections to the auth service", .endToEnd) struct ConnectionReuseTests {
    private static let logins = 20

    @Test(.beyondNginx) func areKeptAndUsedAgain() throws {
        try Site.run(backEnds: .ok) { site, _ in
            for _ in 0..<Self.logins { try site.expectHealthy(.imap) }
            let requests = try site.auth.requests
            #expect(requests.count == Self.logins)
            #expect(Set(requests.map(\.connection)).count < Self.logins / 2)
            #expect(requests.allSatisfy { $0.line == "GET /auth HTTP/1.1" })
        }
    }

    /// A service that closes after each answer, announced, unannounced or by its version of HTTP.
    @Test(arguments: [AuthService.Behaviour.close, .hangup, .http10])
    func mayBeClosedByTheServiceAfterEachAnswer(behaviour: AuthService.Behaviour) throws {
        try Site.run(backEnds: .ok, behaviour: behaviour) { site, _ in
            for _ in 0..<Self.logins { try site.expectHealthy(.imap) }
            let requests = try site.auth.requests
            // A request that met a closing connection may be repeated, but each login is asked about.
            #expect(requests.count >= Self.logins)
        }
    }
}
