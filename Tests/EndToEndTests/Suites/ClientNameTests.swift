import Testing

/// The names of SMTP clients: looked up, confirmed, and told on (nginx-mail.md §7.3, security-checklist C2, F).
@Suite("Client names", .endToEnd) struct ClientNameTests {
    /// How two questions are answered, and what comes of it.
    struct Row: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let pointer: NameServer.Rule
        let addresses: NameServer.Rule
        let name: String
        /// What the log says; nil for nothing.
        let line: String?
        /// nginx 1.22 says more about such answers, or knows no invalid names yet.
        var isBeyondNginx = false
    }

    private static let invalid = NameServer.Rule(data: ["evil_host\r\nX.example"])
    private static let good = NameServer.Rule(data: ["mx.client.example", "other.example"])
    private static let home = NameServer.Rule(data: ["192.0.2.99", "192.0.2.7"])
    private static let byAddress = "while in resolving client address, client: 192.0.2.7, server: "
    private static let byName = "while in resolving client hostname, client: 192.0.2.7, server: "

    private static let rows = [
        Row(
            testDescription: "the first name, confirmed", pointer: good, addresses: home, name: "mx.client.example",
            line: nil),
        Row(
            testDescription: "no name", pointer: .init(rcode: 3), addresses: home, name: "[UNAVAILABLE]",
            line: "[error] PID: *1 192.0.2.7 could not be resolved (3: Host not found) \(byAddress)"),
        Row(
            testDescription: "a failing server", pointer: .init(rcode: 2), addresses: home, name: "[TEMPUNAVAIL]",
            line: "[error] PID: *1 192.0.2.7 could not be resolved (2: Server failure) \(byAddress)"),
        Row(
            testDescription: "a refusing server", pointer: .init(rcode: 5), addresses: home, name: "[TEMPUNAVAIL]",
            line: "[error] PID: *1 192.0.2.7 could not be resolved (5: Operation refused) \(byAddress)"),
        Row(
            testDescription: "a silent server", pointer: .init(silent: true), addresses: home, name: "[TEMPUNAVAIL]",
            line: "[error] PID: *1 192.0.2.7 could not be resolved (110: Operation timed out) \(byAddress)"),
        Row(
            testDescription: "rubbish", pointer: .init(garbage: true), addresses: home, name: "[TEMPUNAVAIL]",
            line: "[error] PID: *1 192.0.2.7 could not be resolved (110: Operation timed out) \(byAddress)",
            isBeyondNginx: true),
        Row(
            testDescription: "a forged answer", pointer: .init(data: ["evil.example"], wrongID: true), addresses: home,
            name: "[TEMPUNAVAIL]",
            line: "[error] PID: *1 192.0.2.7 could not be resolved (110: Operation timed out) \(byAddress)",
            isBeyondNginx: true),
        Row(
            testDescription: "a looping answer", pointer: .init(data: ["evil.example"], loop: true), addresses: home,
            name: "[TEMPUNAVAIL]",
            line: "[error] PID: *1 192.0.2.7 could not be resolved (1: Format error) \(byAddress)", isBeyondNginx: true),
        Row(
            testDescription: "a name with other characters (CVE-2026-28753)", pointer: invalid, addresses: home,
            name: "[TEMPUNAVAIL]",
            line: #"[error] PID: *1 192.0.2.7 resolved to invalid host name "evil_host\x0D\x0AX.example" "# + byAddress,
            isBeyondNginx: true),
        Row(
            testDescription: "the empty name", pointer: .init(data: [""]), addresses: home, name: "[TEMPUNAVAIL]",
            line: "[error] PID: *1 192.0.2.7 resolved to invalid host name \"\" \(byAddress)"),
        Row(
            testDescription: "a name that leads elsewhere", pointer: good, addresses: .init(data: ["192.0.2.8"]),
            name: "[UNAVAILABLE]", line: nil),
        Row(
            testDescription: "a name that leads nowhere", pointer: good, addresses: .init(rcode: 3),
            name: "[UNAVAILABLE]",
            line: "[error] PID: *1 \"mx.client.example\" could not be resolved (3: Host not found) \(byName)"),
        Row(
            testDescription: "a name whose server fails", pointer: good, addresses: .init(rcode: 2),
            name: "[TEMPUNAVAIL]",
            line: "[error] PID: *1 \"mx.client.example\" could not be resolved (2: Server failure) \(byName)"),
        Row(
            testDescription: "a name whose server is silent", pointer: good, addresses: .init(silent: true),
            name: "[TEMPUNAVAIL]",
            line: "[error] PID: *1 \"mx.client.example\" could not be resolved (110: Operation timed out) \(byName)"),
    ]

    /// Runs with clients behind a load balancer, so that they can come from anywhere.
    private func run(
        _ rules: [String: NameServer.Rule], directives: [String] = ["resolver_timeout 300ms;"],
        _ body: (GatewayUnderTest, AuthService, NameServer) throws -> Void
    ) throws {
        try Stage.run { stage in
            let names = try NameServer(on: stage, rules)
            let backEnd = try ScriptedBackEnd(on: stage, .smtp, .ok)
            let auth = try AuthService(on: stage, servers: [.smtp: backEnd.endpoint])
            var configuration = try GatewayConfiguration(on: stage, auth: auth.endpoint)
            configuration.mail += ["resolver \(names.endpoint);", "set_real_ip_from 127.0.0.0/8;"] + directives
            for index in configuration.servers.indices { configuration.servers[index].parameters = "proxy_protocol" }
            let gateway = try GatewayUnderTest(on: stage, configuration)
            try body(gateway, auth, names)
        }
    }

    /// Logs a client in that comes from `address`.
    private func logIn(_ address: String, _ gateway: GatewayUnderTest) throws {
        let client = try RawClient(gateway.endpoint(.smtp))
        client.say("PROXY TCP4 \(address) 198.51.100.1 258 25")
        #expect(try client.line() == "220 gateway.example.test ESMTP ready")
        #expect(try client.logIn(.smtp, as: .ann).hasPrefix("235"))
    }

    private static let rowsUnderTest = rows.filter { GatewayKind.underTest == .mailgateway || !$0.isBeyondNginx }

    @Test(arguments: rowsUnderTest) func whatTheNameServerSaysDecides(row: Row) throws {
        // nginx asks for IPv6 addresses, too; there are none.
        var others = row.addresses
        others.data = []
        let rules = [
            "7.2.0.192.in-addr.arpa PTR": row.pointer, "mx.client.example A": row.addresses,
            "mx.client.example AAAA": others,
        ]
        try run(rules) { gateway, auth, _ in
            try logIn("192.0.2.7", gateway)
            #expect(try auth.requests.map { $0["Client-Host"] } == [row.name])
            let errors = gateway.log.split(separator: "\n").filter { $0.contains("[error]") }
            guard let line = row.line else {
                #expect(errors.isEmpty)
                return
            }
            #expect(errors.count == 1)
            #expect(errors.first?.replacing(#/[0-9]+#[0-9]+/#, with: "PID").contains(line) == true, "\(errors)")
        }
    }

    @Test(.beyondNginx) func answersAreKeptAndSharedByTheServersOfAWorker() throws {
        let rules = ["7.2.0.192.in-addr.arpa PTR": Self.good, "mx.client.example A": Self.home]
        try run(rules) { gateway, auth, names in
            for _ in 0..<3 { try logIn("192.0.2.7", gateway) }
            #expect(
                try auth.requests.compactMap { $0["Client-Host"] } == Array(repeating: "mx.client.example", count: 3))
            #expect(names.questions == ["7.2.0.192.in-addr.arpa PTR", "mx.client.example A"])
        }
    }

    @Test func ofTheOtherProtocolsNobodyIsAsked() throws {
        try run([:]) { gateway, auth, names in
            for mail in [Mail.imap, .pop3] {
                let client = try RawClient(gateway.endpoint(mail))
                client.say("PROXY TCP4 192.0.2.7 198.51.100.1 258 25")
                #expect(try client.line().hasPrefix(mail.greetingPrefix))
                _ = try client.logIn(mail, as: .ann)
            }
            #expect(names.questions.isEmpty)
            #expect(try auth.requests.allSatisfy { $0["Client-Host"] == nil })
        }
    }

    @Test(.beyondNginx) func aSlowNameServerHoldsNobodyElseUp() throws {
        let rules = [
            "8.2.0.192.in-addr.arpa PTR": NameServer.Rule(silent: true), "7.2.0.192.in-addr.arpa PTR": Self.good,
            "mx.client.example A": Self.home,
        ]
        try run(rules, directives: ["resolver_timeout 30s;"]) { gateway, _, names in
            let waiting = try RawClient(gateway.endpoint(.smtp))
            waiting.say("PROXY TCP4 192.0.2.8 198.51.100.1 258 25")
            try waitUntil("the question") { names.questions.contains("8.2.0.192.in-addr.arpa PTR") }
            try logIn("192.0.2.7", gateway)
            #expect(!waiting.hasEnded())
            // A worker that stops does not wait for the name server either.
            gateway.process.signal(15)
            #expect(try waiting.untilEnd().hasPrefix("421 4.3.2 "))
            _ = try gateway.process.waitForExit(within: .seconds(5))
        }
    }

    @Test(.beyondNginx) func aReloadLeavesThoseWhoWaitForTheirName() throws {
        try Stage.run { stage in
            let silent = try NameServer(on: stage, ["8.2.0.192.in-addr.arpa PTR": .init(silent: true)])
            var configuration = try GatewayConfiguration(on: stage, auth: stage.freeEndpoint())
            for index in configuration.servers.indices { configuration.servers[index].parameters = "proxy_protocol" }
            let common = configuration.mail + ["set_real_ip_from 127.0.0.0/8;"]
            configuration.mail = common + ["resolver \(silent.endpoint);", "resolver_timeout 1s;"]
            let gateway = try GatewayUnderTest(on: stage, configuration)
            let waiting = try RawClient(gateway.endpoint(.smtp))
            waiting.say("PROXY TCP4 192.0.2.8 198.51.100.1 258 25")
            try waitUntil("the question") { !silent.questions.isEmpty }
            configuration.mail = common
            _ = try GatewayUnderTest.write(configuration, on: stage)
            gateway.process.signal(1)
            try waitUntil("the reload") { gateway.log.contains("reconfigured") }
            let next = try RawClient(gateway.endpoint(.smtp))
            next.say("PROXY TCP4 192.0.2.8 198.51.100.1 258 25")
            #expect(try next.line() == "220 gateway.example.test ESMTP ready")
            #expect(try waiting.line() == "220 gateway.example.test ESMTP ready")
            #expect(gateway.log.contains("192.0.2.8 could not be resolved (110: Operation timed out)"))
            #expect(silent.questions.allSatisfy { $0 == "8.2.0.192.in-addr.arpa PTR" })
        }
    }

    @Test func dnsmasqKnowsTheClient() throws {
        try Stage.run { stage in
            let names = try stage.freeEndpoint()
            _ = try stage.start(
                "dnsmasq",
                [
                    "/usr/sbin/dnsmasq", "--keep-in-foreground", "--no-resolv", "--no-hosts", "--conf-file=/dev/null",
                    "--pid-file", "--user=\(MailOwner.runner)", "--listen-address=\(names.host)", "--bind-interfaces",
                    "--port=\(names.port)", "--local=/2.0.192.in-addr.arpa/",
                    "--host-record=mx.client.example,192.0.2.7,2001:db8::7",
                    "--ptr-record=8.2.0.192.in-addr.arpa,mx.client.example",
                ])
            try waitUntil("dnsmasq") { names.acceptsConnections }
            let backEnd = try ScriptedBackEnd(on: stage, .smtp, .ok)
            let auth = try AuthService(on: stage, servers: [.smtp: backEnd.endpoint])
            var configuration = try GatewayConfiguration(on: stage, auth: auth.endpoint)
            configuration.mail += ["resolver \(names) valid=10s;", "set_real_ip_from 127.0.0.0/8;"]
            for index in configuration.servers.indices { configuration.servers[index].parameters = "proxy_protocol" }
            let gateway = try GatewayUnderTest(on: stage, configuration)
            for address in ["192.0.2.7", "192.0.2.8", "192.0.2.9", "2001:db8::7"] {
                let client = try RawClient(gateway.endpoint(.smtp))
                let isIPv6 = address.contains(":")
                client.say("PROXY TCP\(isIPv6 ? 6 : 4) \(address) \(isIPv6 ? "::1" : "198.51.100.1") 258 25")
                _ = try client.line()
                #expect(try client.logIn(.smtp, as: .ann).hasPrefix("235"))
            }
            let told = try auth.requests.compactMap { $0["Client-Host"] }
            #expect(told == ["mx.client.example", "[UNAVAILABLE]", "[UNAVAILABLE]", "mx.client.example"])
        }
    }
}
