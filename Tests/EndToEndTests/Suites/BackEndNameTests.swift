import Foundation
import Testing

/// Back-ends that the authenticator calls by name: groups, and hosts that the DNS knows.
@Suite("Names of back-ends", .endToEnd, .beyondNginx) struct BackEndNameTests {
    /// Runs with an auth service that names `server` for IMAP, and a back-end on the stage's own address.
    private func run(
        server: (Endpoint) -> Endpoint, rules: (Stage) -> [String: NameServer.Rule] = { _ in [:] },
        mail directives: (Endpoint) -> [String] = { _ in [] },
        _ body: (GatewayUnderTest, NameServer, Endpoint) throws -> Void
    ) throws {
        try Stage.run { stage in
            let backEnd = try ScriptedBackEnd(on: stage, .imap, .ok).endpoint
            let names = try NameServer(on: stage, rules(stage))
            let auth = try AuthService(on: stage, servers: [.imap: server(backEnd)])
            var configuration = try GatewayConfiguration(on: stage, auth: auth.endpoint)
            configuration.servers = configuration.servers.filter { $0.mail == .imap }
            configuration.mail += ["resolver \(names.endpoint);", "timeout 3s;"] + directives(backEnd)
            try body(try GatewayUnderTest(on: stage, configuration), names, backEnd)
        }
    }

    private func logIn(_ gateway: GatewayUnderTest) throws -> String {
        try gateway.greetedClient(.imap).logIn(.imap, as: .ann)
    }

    @Test func aGroupNeedsNoPort() throws {
        try run(server: { _ in Endpoint(host: "Pool", port: 0) }, mail: { ["upstream pool { server \($0); }"] }) {
            gateway, names, backEnd in
            let answer = try logIn(gateway)
            #expect(answer.hasPrefix("a1 OK"))
            #expect(gateway.log.contains("client logged in, client: 127.0.0.1"), "\(gateway.log)")
            #expect(gateway.log.contains("group: \"pool\", upstream: \(backEnd)"))
            #expect(names.questions.isEmpty)
        }
    }

    @Test func theServicesPortIsForMembersWithout() throws {
        try run(
            server: { Endpoint(host: "pool", port: $0.port) }, mail: { ["upstream pool { server \($0.host); }"] }
        ) { gateway, _, _ in
            let answer = try logIn(gateway)
            #expect(answer.hasPrefix("a1 OK"))
        }
    }

    @Test func allAddressesOfAHostAreTried() throws {
        let nobody = FreePorts().host
        try run(
            server: { Endpoint(host: "mail.example", port: $0.port) },
            rules: { ["mail.example A": .init(data: [nobody, $0.host]), "mail.example AAAA": .init(data: ["::1"])] }
        ) { gateway, names, backEnd in
            for _ in 0..<2 {
                let answer = try logIn(gateway)
                #expect(answer.hasPrefix("a1 OK"))
            }
            #expect(gateway.log.contains("connect() to \(nobody):\(backEnd.port) failed (111: Connection refused)"))
            #expect(gateway.log.contains("upstream: \(backEnd), tried before: \(nobody):\(backEnd.port)"))
            #expect(names.questions.sorted() == ["mail.example A", "mail.example AAAA"], "asked once")
        }
    }

    @Test(arguments: [
        ("nosuch.example", NameServer.Rule(rcode: 3), "3: Host not found"),
        ("failing.example", NameServer.Rule(rcode: 2), "2: Server failure"),
        ("garbage.example", NameServer.Rule(garbage: true), "Operation timed out"),
        ("silent.example", NameServer.Rule(silent: true), "110: Operation timed out"),
        ("looping.example", NameServer.Rule(data: ["127.0.0.1"], loop: true), ": "),
    ])
    func aNameThatCannotBeLookedUpIsATemporaryError(name: String, rule: NameServer.Rule, words: String) throws {
        try run(
            server: { Endpoint(host: name, port: $0.port) },
            rules: { _ in ["\(name) A": rule, "\(name) AAAA": rule] }
        ) { gateway, _, _ in
            let answer = try logIn(gateway)
            #expect(answer == Mail.imap.internalError)
            let line = gateway.log.split(separator: "\n").first { $0.contains("\"\(name)\" could not be resolved (") }
            #expect(
                line?.contains(words) == true && line?.contains(") while resolving upstream") == true, "\(line ?? "")")
            #expect(gateway.workers.count == 1)
        }
    }

    @Test func aLifetimeOfNothingIsAskedForEachTime() throws {
        try run(
            server: { Endpoint(host: "mail.example", port: $0.port) },
            rules: { ["mail.example A": .init(data: [$0.host], ttl: 0)] }, mail: { _ in ["resolver_timeout 2s;"] }
        ) { gateway, names, _ in
            for _ in 0..<3 {
                let answer = try logIn(gateway)
                #expect(answer.hasPrefix("a1 OK"))
            }
            #expect(names.questions.count { $0 == "mail.example A" } == 3)
        }
    }

    @Test func membersWithResolveAreLookedUpWhileItRuns() throws {
        try run(
            server: { _ in Endpoint(host: "pool", port: 0) },
            // What the machine says of the name is of no interest: it does not exist there.
            rules: { ["members.example A": .init(data: [$0.host])] },
            mail: { ["upstream pool { server members.example:\($0.port) resolve; }"] }
        ) { gateway, names, _ in
            for _ in 0..<3 {
                let answer = try logIn(gateway)
                #expect(answer.hasPrefix("a1 OK"))
            }
            #expect(names.questions.sorted() == ["members.example A", "members.example AAAA"])
        }
    }

    @Test func membersMoveWhenTheirNamesDo() throws {
        try Stage.run { stage in
            let first = try ScriptedBackEnd(on: stage, .imap, .ok)
            let place = Endpoint(host: FreePorts().host, port: first.endpoint.port)
            let second = try ScriptedBackEnd(on: stage, .imap, .ok, name: "second", at: place)
            let names = try NameServer(
                on: stage, ["members.example A": .init(data: [stage.host], then: [place.host], ttl: 1)])
            var configuration = try GatewayConfiguration(on: stage, auth: stage.freeEndpoint())
            configuration.servers = configuration.servers.filter { $0.mail == .imap }
            configuration.mail[0] = BackEndGroup.accounts
            configuration.mail += [
                "resolver \(names.endpoint) ipv6=off;", "proxy_pass pool;",
                "upstream pool { server members.example:\(place.port) resolve; }",
            ]
            let gateway = try GatewayUnderTest(on: stage, configuration)
            let client = try gateway.greetedClient(.imap)
            let answer = try client.ask("a1 LOGIN u0 x")
            #expect(answer.hasPrefix("a1 OK"))
            #expect(gateway.log.contains("upstream: \(first.endpoint)"))
            // No name is looked up twice within five seconds.
            try waitUntil("the move", within: .seconds(20)) {
                let later = try gateway.greetedClient(.imap)
                let answer = try later.ask("a1 LOGIN u0 x")
                try #require(answer.hasPrefix("a1 OK"))
                return gateway.log.contains("upstream: \(second.endpoint)")
            }
            #expect(client.isAnswered(.imap), "who is there stays there")
        }
    }

    @Test func whoIsKnownServesWhileANameCannotBeLookedUp() throws {
        try run(
            server: { _ in Endpoint(host: "pool", port: 0) },
            rules: { _ in ["members.example A": .init(silent: true), "members.example AAAA": .init(silent: true)] },
            mail: { ["upstream pool { server \($0); server members.example:\($0.port) resolve; }"] }
        ) { gateway, _, _ in
            let answer = try logIn(gateway)
            #expect(answer.hasPrefix("a1 OK"))
            #expect(gateway.log.contains("\"members.example\" could not be resolved (110: Operation timed out)"))
        }
    }

    @Test func withoutAResolverTheSystemIsAsked() throws {
        try Stage.run { stage in
            var configuration = try GatewayConfiguration(on: stage, auth: stage.freeEndpoint())
            configuration.servers = configuration.servers.filter { $0.mail == .imap }
            let backEnd = try ScriptedBackEnd(on: stage, .imap, .ok)
            // `localhost` is 127.0.0.1 or ::1, where nobody listens on this port.
            configuration.mail[0] = "auth_file \"data:ann:{PLAIN}x\nbob:{PLAIN}x\";"
            configuration.mail.append("proxy_pass localhost:\(backEnd.endpoint.port);")
            let gateway = try GatewayUnderTest(on: stage, configuration)
            let client = try gateway.greetedClient(.imap)
            let answer = try client.ask("a1 LOGIN ann x")
            #expect(answer.hasPrefix("a1 NO [UNAVAILABLE] "))
            #expect(gateway.log.contains("connect() to 127.0.0.1:\(backEnd.endpoint.port) failed"))
            #expect(!gateway.log.contains("could not be resolved"))
        }
    }
}
