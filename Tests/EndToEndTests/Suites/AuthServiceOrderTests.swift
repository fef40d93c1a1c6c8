import Testing

/// Several auth_http services, in order; and one whose address changes.
@Suite("Auth services in order", .endToEnd, .beyondNginx) struct AuthServiceOrderTests {
    /// Runs with the services at `urls`, the last of which is `good`.
    private func run(
        _ first: (Stage) throws -> String, timeout: String = "1s", mail directives: [String] = [],
        _ body: (GatewayUnderTest, AuthService) throws -> Void
    ) throws {
        try Stage.run { stage in
            var backEnds: [Mail: Endpoint] = [:]
            for mail in Mail.allCases { backEnds[mail] = try ScriptedBackEnd(on: stage, mail, .ok).endpoint }
            let good = try AuthService(on: stage, servers: backEnds)
            var configuration = try GatewayConfiguration(on: stage, auth: good.endpoint)
            configuration.mail.insert("auth_http \(try first(stage));", at: 0)
            configuration.mail += ["auth_http_timeout \(timeout);"] + directives
            try body(try GatewayUnderTest(on: stage, configuration), good)
        }
    }

    private func logIn(_ gateway: GatewayUnderTest, _ mail: Mail = .imap, password: String? = nil) throws -> String {
        try gateway.greetedClient(mail).logIn(mail, as: .ann, password: password)
    }

    @Test func oneThatIsDownIsPassedOverAndComesLastForAWhile() throws {
        var down = ""
        try run({ stage in
            down = "\(try stage.freeEndpoint())"
            return down
        }) { gateway, good in
            for mail in Mail.allCases {
                let answer = try logIn(gateway, mail)
                #expect(answer.hasPrefix(mail.loggedInPrefix))
            }
            let requests = try good.requests
            #expect(requests.count == 3)
            let complaints = gateway.log.split(separator: "\n").filter { $0.contains("[error]") }
            #expect(complaints.count == 1)
            let words = "connect() to \(down) failed (111: Connection refused) while in http auth state, client: "
            #expect(complaints.first?.contains(words) == true, "\(complaints)")
        }
    }

    @Test func oneThatIsSilentCostsItsTimeOnce() throws {
        try run({ try AuthService.misbehaving(on: $0, .slow) }) { gateway, good in
            for _ in 0..<3 {
                let answer = try logIn(gateway)
                #expect(answer.hasPrefix("a1 OK"))
            }
            let requests = try good.requests
            #expect(requests.count == 3)
            #expect(
                gateway.log.split(separator: "\n").count { $0.contains("timed out (110: Connection timed out)") } == 1)
        }
    }

    @Test(arguments: [AuthService.Behaviour.broken, .early]) func oneThatAnswersNothingUsefulIsPassedOver(
        behaviour: AuthService.Behaviour
    ) throws {
        try run({ try AuthService.misbehaving(on: $0, behaviour) }, timeout: "30s") { gateway, good in
            let answer = try logIn(gateway)
            #expect(answer.hasPrefix("a1 OK"))
            let requests = try good.requests
            #expect(requests.count == 1)
            let words =
                behaviour == .broken ? "answered 503 without Auth-Status" : "closed the connection without an answer"
            #expect(gateway.log.contains(words))
        }
    }

    @Test func anAnswerIsAnAnswer() throws {
        // The first one knows nobody, and says so.
        try run({ try AuthService.misbehaving(on: $0, .auth) }, timeout: "30s") { gateway, good in
            let answer = try logIn(gateway)
            #expect(answer == Mail.imap.loginFailed)
            let requests = try good.requests
            #expect(requests.isEmpty)
        }
        try run({ try AuthService.misbehaving(on: $0, .garbage) }, timeout: "30s") { gateway, good in
            let answer = try logIn(gateway)
            #expect(answer == Mail.imap.internalError)
            let requests = try good.requests
            #expect(requests.isEmpty)
        }
    }

    @Test func whenAllFailTheClientMayComeAgain() throws {
        try Stage.run { stage in
            var configuration = try GatewayConfiguration(on: stage, auth: try stage.freeEndpoint())
            configuration.mail.insert("auth_http \(try AuthService.misbehaving(on: stage, .broken));", at: 0)
            let gateway = try GatewayUnderTest(on: stage, configuration)
            for mail in Mail.allCases { #expect(try logIn(gateway, mail) == mail.internalError) }
            #expect(gateway.log.contains("answered 503 without Auth-Status"))
            #expect(gateway.log.contains("Connection refused"))
        }
    }

    @Test func aNameIsLookedUpAgainWhileItRuns() throws {
        try Stage.run { stage in
            let backEnd = try ScriptedBackEnd(on: stage, .imap, .ok)
            let auth = try AuthService(on: stage, servers: [.imap: backEnd.endpoint])
            // The machine says that this name is 127.0.0.1 or ::1, where nobody listens; the name server knows better.
            let names = try NameServer(on: stage, ["localhost A": .init(data: [stage.host])])
            var configuration = try GatewayConfiguration(on: stage, auth: auth.endpoint)
            configuration.mail[0] = "auth_http http://localhost:\(auth.endpoint.port)/auth;"
            configuration.mail.append("resolver \(names.endpoint) ipv6=off;")
            let gateway = try GatewayUnderTest(on: stage, configuration)
            for _ in 0..<2 { #expect(try logIn(gateway).hasPrefix("a1 OK")) }
            #expect(names.questions == ["localhost A"])
            #expect(try auth.requests.map { $0["Host"] } == ["localhost", "localhost"])
        }
    }

    @Test func allAddressesOfANameAreTried() throws {
        try Stage.run { stage in
            let backEnd = try ScriptedBackEnd(on: stage, .imap, .ok)
            let auth = try AuthService(on: stage, servers: [.imap: backEnd.endpoint])
            // Nobody listens at the first two.
            let nobody = [FreePorts().host, FreePorts().host]
            let names = try NameServer(on: stage, ["localhost A": .init(data: nobody + [stage.host])])
            var configuration = try GatewayConfiguration(on: stage, auth: auth.endpoint)
            configuration.mail[0] = "auth_http http://localhost:\(auth.endpoint.port)/auth;"
            configuration.mail.append("resolver \(names.endpoint) ipv6=off;")
            let gateway = try GatewayUnderTest(on: stage, configuration)
            #expect(try logIn(gateway).hasPrefix("a1 OK"))
            for host in nobody {
                #expect(gateway.log.contains("connect() to \(host):\(auth.endpoint.port) failed (111: "))
            }
        }
    }

    @Test func aNameServerThatFailsLeavesTheAddressesAsTheyWere() throws {
        try Stage.run { stage in
            let backEnd = try ScriptedBackEnd(on: stage, .imap, .ok)
            let auth = try AuthService(on: stage, servers: [.imap: backEnd.endpoint], host: "127.0.0.1")
            let names = try NameServer(on: stage, ["localhost A": .init(rcode: 2)])
            var configuration = try GatewayConfiguration(on: stage, auth: auth.endpoint)
            configuration.mail[0] = "auth_http http://localhost:\(auth.endpoint.port)/auth;"
            configuration.mail.append("resolver \(names.endpoint) ipv6=off;")
            let gateway = try GatewayUnderTest(on: stage, configuration)
            #expect(try logIn(gateway).hasPrefix("a1 OK"))
            #expect(
                gateway.log.contains("\"localhost\" could not be resolved (2: Server failure) while in http auth state")
            )
        }
    }
}

extension AuthService {
    /// The URL of a service that knows no accounts and does as `behaviour` says.
    fileprivate static func misbehaving(on stage: Stage, _ behaviour: Behaviour) throws -> String {
        "\(try AuthService(on: stage, accounts: [], servers: [:], name: "first").endpoint)/\(behaviour.rawValue)"
    }
}
