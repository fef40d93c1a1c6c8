import Testing

/// `error_texts rfc`: whether the password was wrong, or something else.
@Suite("Error texts", .endToEnd, .beyondNginx) struct ErrorTextsEndToEndTests {
    private static let wrongPassword = Account(name: "ann", password: "wrong")
    private static let unknownUser = Account(name: "nobody", password: "wrong")

    @Test("G2: with accounts a wrong password and an unknown user read the same, in the words of the standards")
    func accounts() throws {
        try Site.run(
            backEnds: .ok,
            adjust: {
                for index in $0.servers.indices {
                    $0.servers[index].directives += [
                        "auth_file \"data:ann:{PLAIN}\(Account.ann.password)\";", "proxy_pass 127.0.0.1:1;",
                    ]
                }
            }
        ) { site, _ in
            for mail in Mail.allCases {
                for account in [Self.wrongPassword, Self.unknownUser] {
                    let client = try site.gateway.greetedClient(mail)
                    #expect(try client.logIn(mail, as: account) == mail.wrongCredentials)
                    #expect(client.isAnswered(mail))
                }
            }
        }
    }

    @Test("a service that is down: the client may try again over the same connection, until max_errors")
    func serviceDown() throws {
        try Stage.run { stage in
            var configuration = try GatewayConfiguration(on: stage, auth: stage.freeEndpoint())
            configuration.mail += ["error_texts rfc;", "max_errors 2;"]
            let gateway = try GatewayUnderTest(on: stage, configuration)
            for mail in Mail.allCases {
                let client = try gateway.greetedClient(mail)
                #expect(try client.logIn(mail, as: .ann) == mail.temporaryFailure)
                #expect(client.isAnswered(mail))
                #expect(try client.logIn(mail, as: .ann) == mail.temporaryFailure)
                #expect(try client.untilEnd().isEmpty)
            }
        }
    }

    @Test("a back-end that is down, or refuses without blaming the password, is a temporary error")
    func backEndDown() throws {
        try Site.run(backEnds: .refuse, adjust: { $0.mail.append("error_texts rfc;") }) { site, _ in
            for mail in Mail.allCases {
                let client = try site.gateway.greetedClient(mail)
                #expect(try client.logIn(mail, as: .ann) == mail.temporaryFailure)
                #expect(try client.untilEnd().isEmpty)
            }
        }
    }

    @Test(
        "a back-end that says the client's own password is wrong is believed; one of the service's is not the client's")
    func backEndBlames() throws {
        try Stage.run { stage in
            let dovecot = try Dovecot(on: stage, accounts: [Account(name: "ann", password: "another")])
            for headers in [[:], ["Auth-Pass": "the service's"]] {
                let auth = try AuthService(
                    on: stage, servers: [.imap: dovecot.imap, .pop3: dovecot.pop3], headers: headers,
                    name: headers.isEmpty ? "auth" : "auth-2")
                var configuration = try GatewayConfiguration(on: stage, auth: auth.endpoint)
                configuration.mail.append("error_texts rfc;")
                let gateway = try GatewayUnderTest(on: stage, configuration)
                for mail in [Mail.imap, .pop3] {
                    let client = try gateway.greetedClient(mail)
                    let expected = headers.isEmpty ? mail.wrongCredentials : mail.temporaryFailure
                    #expect(try client.logIn(mail, as: .ann) == expected)
                }
                gateway.process.stop()
            }
        }
    }
}
