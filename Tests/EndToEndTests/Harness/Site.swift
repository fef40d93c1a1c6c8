import Testing

/// A whole mail site: Dovecot, Postfix where wanted, the auth service, and the gateway in front.
struct Site {
    let stage: Stage
    let auth: AuthService
    let gateway: GatewayUnderTest
    let postfix: Postfix?

    /// Starts everything, runs `body`, and stops everything.
    static func run(
        behaviour: AuthService.Behaviour = .auth, withPostfix: Bool = false, kind: GatewayKind = .underTest,
        launcher: [String] = [], adjust: (inout GatewayConfiguration) -> Void = { _ in }, _ body: (Site) throws -> Void
    ) throws {
        try Stage.run { stage in
            let dovecot = try Dovecot(on: stage)
            let postfix = withPostfix ? try Postfix(on: stage) : nil
            // Nobody listens where SMTP is sent to without Postfix.
            let smtp = try postfix?.smtp ?? stage.freeEndpoint()
            let auth = try AuthService(on: stage, servers: [.imap: dovecot.imap, .pop3: dovecot.pop3, .smtp: smtp])
            var configuration = try GatewayConfiguration(on: stage, auth: auth.endpoint, behaviour: behaviour)
            adjust(&configuration)
            let gateway = try GatewayUnderTest(on: stage, configuration, kind: kind, launcher: launcher)
            try body(Site(stage: stage, auth: auth, gateway: gateway, postfix: postfix))
        }
    }

    /// The same with scripted back-ends in one mode, for all protocols.
    static func run(
        backEnds mode: ScriptedBackEnd.Mode, behaviour: AuthService.Behaviour = .auth, kind: GatewayKind = .underTest,
        launcher: [String] = [], adjust: (inout GatewayConfiguration) -> Void = { _ in },
        _ body: (Site, [Mail: ScriptedBackEnd]) throws -> Void
    ) throws {
        try Stage.run { stage in
            var backEnds: [Mail: ScriptedBackEnd] = [:]
            for mail in Mail.allCases { backEnds[mail] = try ScriptedBackEnd(on: stage, mail, mode) }
            let auth = try AuthService(on: stage, servers: backEnds.mapValues(\.endpoint))
            var configuration = try GatewayConfiguration(on: stage, auth: auth.endpoint, behaviour: behaviour)
            adjust(&configuration)
            let gateway = try GatewayUnderTest(on: stage, configuration, kind: kind, launcher: launcher)
            try body(Site(stage: stage, auth: auth, gateway: gateway, postfix: nil), backEnds)
        }
    }

    /// Checks that a new client can log in now, whatever happened to others.
    func expectHealthy(_ mail: Mail = .imap, sourceLocation: SourceLocation = #_sourceLocation) throws {
        let client = try gateway.greetedClient(mail)
        let answer = try client.logIn(mail, as: .ann)
        #expect(answer.hasPrefix(mail.loggedInPrefix), sourceLocation: sourceLocation)
    }
}
