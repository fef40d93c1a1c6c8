import Testing

/// PROXY headers in front of the gateway, whose word counts, and who may come in.
@Suite("Client identity", .endToEnd) struct ClientIdentityTests {
    private static let binary: [UInt8] = [
        13, 10, 13, 10, 0, 13, 10, 0x51, 0x55, 0x49, 0x54, 10, 0x21, 0x11, 0, 12, 192, 0, 2, 7, 198, 51, 100, 1, 1, 2,
        0, 143,
    ]

    private func run(
        trusting: String? = "set_real_ip_from 127.0.0.0/8;", mail directives: [String] = [],
        _ body: (Site) throws -> Void
    ) throws {
        try Site.run(
            backEnds: .ok,
            adjust: { configuration in
                configuration.mail += ([trusting].compactMap { $0 }) + directives
                for index in configuration.servers.indices {
                    configuration.servers[index].parameters = "proxy_protocol"
                }
            }
        ) { site, _ in try body(site) }
    }

    @Test(arguments: Mail.allCases) func aHeaderNamesTheClient(mail: Mail) throws {
        try run { site in
            let text = "PROXY TCP4 192.0.2.7 198.51.100.1 258 143\r\n"
            for header in [Array(text.utf8), Self.binary] {
                let client = try RawClient(site.gateway.endpoint(mail))
                client.send(header)
                _ = try client.line()
                #expect(try client.logIn(mail, as: .ann).hasPrefix(mail.loggedInPrefix))
            }
            let requests = try site.auth.requests
            #expect(requests.count == 2)
            for request in requests {
                #expect(request["Client-IP"] == "192.0.2.7")
                #expect(request["Proxy-Protocol-Addr"] == "192.0.2.7")
                #expect(request["Proxy-Protocol-Port"] == "258")
                #expect(request["Proxy-Protocol-Server-Addr"] == "198.51.100.1")
                #expect(request["Proxy-Protocol-Server-Port"] == "143")
            }
            #expect(site.gateway.log.contains(#/client 127\.[0-9.:]+ connected to/#))
            #expect(site.gateway.log.contains("client logged in, client: 192.0.2.7, server: "))
        }
    }

    @Test func aHeaderFromSomebodyElseIsNotBelieved() throws {
        try run(trusting: "set_real_ip_from 192.0.2.0/24;") { site in
            let client = try RawClient(site.gateway.endpoint(.imap))
            client.say("PROXY TCP4 192.0.2.7 198.51.100.1 258 143")
            _ = try client.line()
            #expect(try client.logIn(.imap, as: .ann).hasPrefix("a1 OK"))
            let request = try #require(try site.auth.requests.first)
            #expect(request["Client-IP"]?.hasPrefix("127.") == true)
            #expect(request["Proxy-Protocol-Addr"] == "192.0.2.7")
        }
    }

    @Test(.beyondNginx) func aHeaderMayComeInPiecesAndWithTheFirstCommand() throws {
        try run { site in
            for header in [Array("PROXY TCP4 192.0.2.7 198.51.100.1 258 143\r\n".utf8), Self.binary] {
                let client = try RawClient(site.gateway.endpoint(.imap))
                for byte in header.dropLast() { client.send([byte]) }
                client.send(header.suffix(1) + Array("a1 LOGIN ann {13+}\r\ncorrect horse\r\n".utf8))
                #expect(try client.line() == "* OK IMAP4 ready")
                #expect(try client.line().hasPrefix("a1 OK"))
            }
            #expect(try site.auth.requests.allSatisfy { $0["Client-IP"] == "192.0.2.7" })
        }
    }

    @Test func aHeaderWithoutAddressesLeavesThePeer() throws {
        try run { site in
            let local: [UInt8] = Self.binary[..<12] + [0x20, 0, 0, 0]
            for header in [Array("PROXY UNKNOWN\r\n".utf8), local] {
                let client = try RawClient(site.gateway.endpoint(.imap))
                client.send(header)
                #expect(try client.line() == "* OK IMAP4 ready")
                #expect(try client.logIn(.imap, as: .ann).hasPrefix("a1 OK"))
            }
            for request in try site.auth.requests {
                #expect(request["Client-IP"]?.hasPrefix("127.") == true)
                #expect(request["Proxy-Protocol-Addr"] == nil)
            }
        }
    }

    @Test func whoSendsNoHeaderIsClosedWithoutAWord() throws {
        try run { site in
            let endpoint = try site.gateway.endpoint(.imap)
            let plain = try RawClient(endpoint)
            plain.say("a1 NOOP")
            #expect(try plain.untilEnd() == "")
            // nginx before 1.29 shows what follows the line, too.
            #expect(
                site.gateway.log.contains(#/broken header: "a1 NOOP\s*" while reading PROXY protocol, client: 127\./#))
            let future = try RawClient(endpoint)
            future.send(Self.binary[..<12] + [0x31] + Self.binary[13...])
            #expect(try future.untilEnd() == "")
            #expect(site.gateway.log.contains("unknown PROXY protocol version: 3 while reading PROXY protocol"))
        }
    }

    @Test(.beyondNginx) func anUnknownCommandIsClosed() throws {
        try run { site in
            let client = try RawClient(site.gateway.endpoint(.imap))
            client.send(Self.binary[..<12] + [0x2F] + Self.binary[13...])
            #expect(try client.untilEnd() == "")
            #expect(site.gateway.log.contains("unknown PROXY protocol command: 15 while reading PROXY protocol"))
            let silent = try RawClient(site.gateway.endpoint(.imap))
            silent.send(Array("PROXY TC".utf8))
            silent.finishSending()
            #expect(try silent.untilEnd() == "")
            #expect(site.gateway.log.contains("broken header: \"PROXY TC\""))
            let absent = try RawClient(site.gateway.endpoint(.imap))
            absent.finishSending()
            #expect(try absent.untilEnd() == "")
            #expect(site.gateway.log.contains("broken header: \"\""))
        }
    }

    @Test(.beyondNginx) func aSlowHeaderIsClosedByTheTimeout() throws {
        try run(mail: ["timeout 1s;"]) { site in
            for beginning in ["", "PROXY TCP4 192"] {
                let client = try RawClient(site.gateway.endpoint(.smtp))
                client.send(Array(beginning.utf8))
                #expect(try client.untilEnd(within: .seconds(5)) == "")
            }
            let lines = site.gateway.log.components(
                separatedBy: "client timed out (110: Connection timed out) while reading PROXY protocol, client: 127.")
            #expect(lines.count == 3)
        }
    }

    @Test func aPortWithoutProxyProtocolBelievesNothing() throws {
        try Site.run(backEnds: .ok, adjust: { $0.mail.append("set_real_ip_from 127.0.0.0/8;") }) { site, _ in
            let client = try site.gateway.greetedClient(.imap)
            let answer = try client.ask("PROXY TCP4 192.0.2.7 198.51.100.1 258 143")
            #expect(answer.contains("BAD"))
            #expect(try client.logIn(.imap, as: .ann).hasPrefix("a1 OK"))
            #expect(try site.auth.requests.first?["Client-IP"]?.hasPrefix("127.") == true)
        }
    }

    // MARK: allow and deny

    @Test(.beyondNginx, arguments: Mail.allCases) func whoIsDeniedIsTold(mail: Mail) throws {
        try Site.run(backEnds: .ok, adjust: { $0.mail += ["deny 127.0.0.0/8;", "allow all;"] }) { site, _ in
            let client = try RawClient(site.gateway.endpoint(mail))
            #expect(try client.untilEnd() == mail.denial)
            #expect(
                site.gateway.log.contains(
                    #/\[error\] [0-9#]+: \*1 access forbidden by rule, client: 127\.[0-9.]+, server: /#))
        }
    }

    @Test(.beyondNginx) func theAddressOfTheHeaderIsWhatRulesAreAbout() throws {
        try run(mail: ["allow 192.0.2.7;", "deny all;"]) { site in
            let admitted = try RawClient(site.gateway.endpoint(.imap))
            admitted.say("PROXY TCP4 192.0.2.7 198.51.100.1 258 143")
            #expect(try admitted.line() == "* OK IMAP4 ready")
            let refused = try RawClient(site.gateway.endpoint(.imap))
            refused.say("PROXY TCP4 192.0.2.8 198.51.100.1 258 143")
            #expect(try refused.untilEnd() == Mail.imap.denial)
            #expect(site.gateway.log.contains("access forbidden by rule, client: 192.0.2.8, server: "))
        }
    }
}

extension Mail {
    /// What a client reads whom `deny` keeps out.
    fileprivate var denial: String {
        switch self {
        case .imap: "* BYE Access denied\r\n"
        case .pop3: "-ERR Access denied\r\n"
        case .smtp: "554 5.7.1 Access denied\r\n"
        }
    }
}
