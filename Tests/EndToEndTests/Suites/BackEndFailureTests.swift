import Testing

/// The back-end fails: the client gets the protocol's temporary error, and the gateway goes on.
@Suite("Back-end failures", .endToEnd) struct BackEndFailureTests {
    @Test(arguments: [ScriptedBackEnd.Mode.garbage, .close, .halfway, .refuse, .silent])
    func areTemporaryErrors(mode: ScriptedBackEnd.Mode) throws {
        try Site.run(backEnds: mode, adjust: { $0.mail.append("timeout 2s;") }) { site, _ in
            for mail in Mail.allCases { try site.expectInternalError(mail) }
            let client = try site.gateway.greetedClient(.imap)
            #expect(client.isAnswered(.imap))
        }
    }

    @Test func aBackEndThatIsDownIsATemporaryError() throws {
        try Stage.run { stage in
            let nobody = try stage.freeEndpoint()
            let auth = try AuthService(on: stage, servers: [.imap: nobody, .pop3: nobody, .smtp: nobody])
            let gateway = try GatewayUnderTest(on: stage, GatewayConfiguration(on: stage, auth: auth.endpoint))
            for mail in Mail.allCases {
                let client = try gateway.greetedClient(mail)
                let answer = try client.logIn(mail, as: .ann)
                #expect(answer == mail.internalError)
                let rest = try client.untilEnd()
                #expect(rest.isEmpty)
            }
            #expect(gateway.log.contains("\(nobody)"), "the log names the back-end")
        }
    }

    @Test func aBackEndThatDiesEndsItsSessionsOnly() throws {
        try Site.run(backEnds: .ok) { site, backEnds in
            let client = try site.gateway.greetedClient(.imap)
            _ = try client.logIn(.imap, as: .ann)
            let other = try site.gateway.greetedClient(.pop3)
            _ = try other.logIn(.pop3, as: .ann)
            backEnds[.imap]?.process.stop()
            let rest = try client.untilEnd()
            #expect(rest.isEmpty)
            #expect(other.isAnswered(.pop3))
        }
    }
}
