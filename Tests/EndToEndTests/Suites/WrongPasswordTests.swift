import Testing

@Suite("Wrong passwords", .endToEnd) struct WrongPasswordTests {
    @Test(arguments: Mail.allCases) func endTheSessionWithoutAuthWait(mail: Mail) throws {
        try Site.run(backEnds: .ok) { site, _ in
            let client = try site.gateway.greetedClient(mail)
            let answer = try client.logIn(mail, as: .ann, password: "wrong")
            #expect(answer == mail.loginFailed)
            let rest = try client.untilEnd()
            #expect(rest.isEmpty)
            try site.expectHealthy(mail)
        }
    }

    @Test(arguments: Mail.allCases) func areAnsweredAfterAuthWaitAndTheClientMayTryAgain(mail: Mail) throws {
        try Site.run(backEnds: .ok, behaviour: .wait) { site, _ in
            let client = try site.gateway.greetedClient(mail)
            let start = ContinuousClock.now
            let refusal = try client.logIn(mail, as: .ann, password: "wrong")
            #expect(refusal == mail.loginFailed)
            #expect(ContinuousClock.now - start >= .milliseconds(950), "Auth-Wait: 1")
            let answer = try client.logIn(mail, as: .ann)
            #expect(answer.hasPrefix(mail.loggedInPrefix))
            let attempts = try site.auth.requests.map { $0["Auth-Login-Attempt"] }
            #expect(attempts == ["1", "2"])
        }
    }

    @Test func reachPythonsLibrariesAsErrors() throws {
        try Site.run(backEnds: .ok) { site, _ in
            let scripts: [(Mail, String, [String])] = [
                (.imap, "imap_client.py", ["fetch"]),
                (.pop3, "pop3_client.py", []),
                (.smtp, "smtp_client.py", ["ann@example.test", "ann@example.test", "/dev/null"]),
            ]
            for (mail, script, arguments) in scripts {
                let endpoint = try site.gateway.endpoint(mail)
                let result = try site.stage.runScript(
                    script, [endpoint.host, "\(endpoint.port)", "ann", "wrong"] + arguments)
                #expect(result.status == .code(1), "\(result)")
                // smtplib tries its next mechanism on the connection that the gateway has closed.
                let expected = mail == .smtp ? "error" : "Invalid login or password"
                #expect(result.output.contains(expected), "\(result)")
            }
        }
    }
}
