import Testing

/// The auth service fails: the client gets the protocol's temporary error, and the gateway goes on.
@Suite("Auth service failures", .endToEnd) struct AuthServiceFailureTests {
    @Test(arguments: [AuthService.Behaviour.slow, .garbage, .early, .half, .broken, .nowhere])
    func areTemporaryErrors(behaviour: AuthService.Behaviour) throws {
        try Site.run(
            backEnds: .ok, behaviour: behaviour, adjust: { $0.mail.append("auth_http_timeout 1s;") }
        ) { site, _ in
            for mail in Mail.allCases { try site.expectInternalError(mail) }
            // A second round: nothing of the first is left over.
            try site.expectInternalError(.imap)
            let requests = try site.auth.requests
            #expect(requests.count >= 4)
        }
    }

    @Test func aServiceThatIsDownIsATemporaryError() throws {
        try Stage.run { stage in
            let nobody = try stage.freeEndpoint()
            let gateway = try GatewayUnderTest(on: stage, GatewayConfiguration(on: stage, auth: nobody))
            for mail in Mail.allCases {
                let client = try gateway.greetedClient(mail)
                let answer = try client.logIn(mail, as: .ann)
                #expect(answer == mail.internalError)
                let rest = try client.untilEnd()
                #expect(rest.isEmpty)
            }
            // nginx logs a refused connection without saying to whom.
            let culprit = GatewayKind.underTest == .nginx ? "Connection refused" : "\(nobody)"
            #expect(gateway.log.contains(culprit), "the log names the service")
        }
    }
}

extension Site {
    /// Checks that a login ends with the protocol's temporary error.
    func expectInternalError(_ mail: Mail, sourceLocation: SourceLocation = #_sourceLocation) throws {
        let client = try gateway.greetedClient(mail)
        let answer = try client.logIn(mail, as: .ann)
        #expect(answer == mail.internalError, sourceLocation: sourceLocation)
        let rest = try client.untilEnd()
        #expect(rest.isEmpty, sourceLocation: sourceLocation)
    }
}
