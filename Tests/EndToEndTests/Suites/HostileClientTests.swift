import Testing

/// Clients that misbehave, while another session stays what it is.
@Suite("Hostile clients", .endToEnd) struct HostileClientTests {
    @Test(arguments: Mail.allCases) func garbageIsRefusedAndEndsTheSession(mail: Mail) throws {
        try Site.withBystander(mail) { site in
            let client = try site.gateway.greetedClient(mail)
            for _ in 0..<20 { client.send([0x00, 0xff, 0x16, 0x03, 0x01, 0x0d, 0x0a]) }
            let said = try client.untilEnd()
            let replies = said.split(separator: "\r\n")
            // The replies may be lost in the reset that unread garbage causes.
            #expect(replies.count <= 5, "max_errors")
            #expect(replies.allSatisfy { $0.hasPrefix(mail.refusalPrefix) }, "\(said)")
        }
    }

    @Test(arguments: Mail.allCases) func anEndlessLineEndsTheSession(mail: Mail) throws {
        try Site.withBystander(mail) { site in
            let client = try site.gateway.greetedClient(mail)
            let chunk = [UInt8](repeating: UInt8(ascii: "x"), count: 65536)
            var chunks = 0
            while chunks < 160, client.send(chunk) { chunks += 1 }
            #expect(chunks < 160, "the gateway read ten megabytes of one line")
            let ended = client.hasEnded(within: .seconds(5))
            #expect(ended)
        }
    }

    @Test(arguments: [
        "a1 LOGIN {999999999}", "a1 LOGIN {999999999+}", "a1 LOGIN {99999999999999999999999}", "a1 LOGIN {-1}",
    ])
    func aHugeLiteralEndsTheSession(line: String) throws {
        try Site.withBystander(.imap) { site in
            let client = try site.gateway.greetedClient(.imap)
            client.say(line)
            let chunk = [UInt8](repeating: UInt8(ascii: "x"), count: 65536)
            var chunks = 0
            while chunks < 160, client.send(chunk) { chunks += 1 }
            #expect(chunks < 160, "the gateway read ten megabytes of a literal")
            let ended = client.hasEnded(within: .seconds(5))
            #expect(ended)
        }
    }

    /// Every prefix of a login, ended orderly and by reset.
    @Test(arguments: Mail.allCases) func hangingUpAtAnyPointHarmsNobody(mail: Mail) throws {
        try Site.withBystander(mail) { site in
            let dialogue = Array(mail.pipelinedLogin.utf8)
            let endpoint = try site.gateway.endpoint(mail)
            for length in 0...dialogue.count {
                let polite = try RawClient(endpoint)
                polite.send(dialogue[..<length])
                polite.close()
                let rude = try RawClient(endpoint)
                rude.send(dialogue[..<length])
                rude.reset()
            }
            // Once the login was complete the session may go on at the back-end, but not for long.
            try site.expectHealthy(mail)
        }
    }

    @Test func aClientThatSaysNothingIsTimedOut() throws {
        try Site.run(backEnds: .ok, adjust: { $0.mail.append("timeout 1s;") }) { site, _ in
            for mail in Mail.allCases {
                let client = try site.gateway.greetedClient(mail)
                let said = try client.untilEnd(within: .seconds(5))
                // nginx leaves without a word; a farewell is welcome.
                #expect(said.isEmpty || said.hasPrefix(mail.busyPrefix), "\(said)")
            }
        }
    }

    @Test func whatAClientSendsIsLoggedEscapedAndBounded() throws {
        try Site.run(backEnds: .ok) { site, _ in
            let client = try site.gateway.greetedClient(.smtp)
            client.send(Array("MAIL FROM:<\u{1b}[2Jfake\u{07}@example.test>\r\n".utf8))
            _ = try client.line()
            client.send([UInt8](repeating: UInt8(ascii: "y"), count: 100_000))
            _ = client.hasEnded(within: .seconds(5))
            let lines = site.gateway.log.split(separator: "\n")
            if GatewayKind.underTest == .mailgateway {
                #expect(!site.gateway.log.utf8.contains(0x1b) && !site.gateway.log.utf8.contains(0x07))
            }
            #expect(lines.allSatisfy { $0.utf8.count <= 2048 })
        }
    }
}

extension Mail {
    /// How the answer to a command that is none begins.
    var refusalPrefix: String {
        switch self {
        case .imap: "* BAD"
        case .pop3: "-ERR"
        case .smtp: "500 "
        }
    }

    /// A whole login as one piece of text, as a client that does not wait would send it.
    var pipelinedLogin: String {
        switch self {
        case .imap: "a1 LOGIN ann {13+}\r\ncorrect horse\r\n"
        case .pop3: "USER ann\r\nPASS correct horse\r\n"
        case .smtp: "EHLO client\r\nAUTH PLAIN \(plainCredentials("ann", "correct horse"))\r\n"
        }
    }
}

extension Site {
    /// Runs `attack` while another session of the same protocol is logged in, and checks that this
    /// one and new ones are as healthy afterwards.
    static func withBystander(_ mail: Mail, _ attack: (Site) throws -> Void) throws {
        try run(backEnds: .ok) { site, _ in
            let bystander = try site.gateway.greetedClient(mail)
            let answer = try bystander.logIn(mail, as: .ann)
            try #require(answer.hasPrefix(mail.loggedInPrefix))
            try attack(site)
            #expect(bystander.isAnswered(mail))
            try site.expectHealthy(mail)
        }
    }
}
