import Testing

/// What a client sends behind its login without waiting reaches the back-end exactly once.
@Suite("Pipelining", .endToEnd) struct PipeliningTests {
    @Test(arguments: Mail.allCases) func commandsBehindTheLoginArriveExactlyOnce(mail: Mail) throws {
        try Site.run(backEnds: .ok) { site, backEnds in
            let commands = (1...4).map { "x\($0) THING\r\n" }
            let client = try site.gateway.greetedClient(mail)
            client.send(Array((mail.pipelinedLogin + commands.joined()).utf8))
            _ = try client.lines { $0.hasPrefix(mail.lastReplyPrefix) }
            for command in commands {
                let answer = try client.line()
                #expect(answer == mail.scriptedAnswer(to: command))
            }
            let backEnd = try #require(backEnds[mail])
            #expect(backEnd.received == commands.joined())
        }
    }

    @Test func dovecotAnswersPipelinedCommandsInOrder() throws {
        try Site.run { site in
            let client = try site.gateway.greetedClient(.imap)
            client.send(Array("\(Mail.imap.pipelinedLogin)a2 NOOP\r\na3 SELECT INBOX\r\na4 LOGOUT\r\n".utf8))
            let tagged = try client.untilEnd().split(separator: "\r\n").filter { $0.hasPrefix("a") }
            #expect(tagged.map { $0.prefix(5) } == ["a1 OK", "a2 OK", "a3 OK", "a4 OK"])
        }
    }

    @Test func whatAPOP3BackEndAnnouncesIsAskedOnceAndUsed() throws {
        try Site.run(backEnds: .together) { site, backEnds in
            let backEnd = try #require(backEnds[.pop3])
            for _ in 0..<3 { try site.expectHealthy(.pop3) }
            try site.gateway.reload()
            try site.expectHealthy(.pop3)
            #expect(backEnd.process.output.split(separator: "\n").count { $0 == "asked" } == 1)
        }
    }

    @Test func whatAPOP3BackEndDoesNotAnnounceIsNotUsed() throws {
        try Site.run(backEnds: .ok) { site, backEnds in
            let backEnd = try #require(backEnds[.pop3])
            for _ in 0..<3 { try site.expectHealthy(.pop3) }
            #expect(backEnd.process.output.split(separator: "\n").count { $0 == "asked" } == 1)
        }
    }

    @Test(arguments: [(ScriptedBackEnd.Mode.together, 3), (.ok, 1)])
    func xclientComesFirstWhereItIsAnnouncedAndTaken(mode: ScriptedBackEnd.Mode, times: Int) throws {
        try Site.run(backEnds: mode) { site, backEnds in
            let backEnd = try #require(backEnds[.smtp])
            for _ in 0..<3 { try site.expectHealthy(.smtp) }
            try site.gateway.reload()
            try site.expectHealthy(.smtp)
            #expect(backEnd.process.output.split(separator: "\n").count { $0 == "at once" } == times)
        }
    }

    /// It ends the connection at CAPA and at XCLIENT without EHLO in front.
    @Test(arguments: [(Mail.pop3, "asked"), (.smtp, "at once")])
    func aBackEndThatTakesOffenceIsAskedOnceMore(mail: Mail, offence: String) throws {
        try Site.run(backEnds: .touchy) { site, backEnds in
            let backEnd = try #require(backEnds[mail])
            for _ in 0..<4 { try site.expectHealthy(mail) }
            let lines = backEnd.process.output.split(separator: "\n")
            #expect(lines.count { $0 == offence } == 1 && lines.count { $0.hasPrefix("from") } == 5)
            #expect(site.gateway.log.components(separatedBy: "[error]").count == 2, "it is told of once")
        }
    }

    @Test func nothingIsAskedOrSparedWherePipeliningIsOff() throws {
        try Site.run(backEnds: .ok, adjust: { $0.mail.append("proxy_pipelining off;") }) { site, backEnds in
            for mail in [Mail.pop3, .smtp] {
                let backEnd = try #require(backEnds[mail])
                for _ in 0..<2 { try site.expectHealthy(mail) }
                #expect(!backEnd.process.output.contains("asked") && !backEnd.process.output.contains("at once"))
            }
        }
    }

    @Test(.needsPostfix) func postfixTakesXclientFirst() throws {
        try Site.run(withPostfix: true) { site in
            for _ in 0..<3 {
                let client = try site.gateway.greetedClient(.smtp)
                #expect(try client.logIn(.smtp, as: .ann) == "235 2.0.0 OK")
                #expect(try client.ask("MAIL FROM:<sender@example.test>").hasPrefix("250 "))
                #expect(try client.ask("QUIT").hasPrefix("221 "))
            }
            let log = try #require(site.postfix).log
            try waitUntil("three sessions in Postfix's log") {
                let ends = textOfFile(log).split(separator: "\n").filter { $0.contains("xclient=") }
                return ends.count == 3 && ends[0].contains("ehlo=2 ")
                    && ends[1...].allSatisfy { $0.contains("ehlo=1 ") }
            }
        }
    }

    @Test func dovecotTakesUserAndPasswordTogether() throws {
        try Site.run { site in
            for _ in 0..<2 {
                let client = try site.gateway.greetedClient(.pop3)
                let answer = try client.logIn(.pop3, as: .ann)
                #expect(answer == "+OK Logged in.")
                client.send(Array("QUIT\r\n".utf8))
                #expect(try client.untilEnd() == "+OK Logging out.\r\n")
            }
        }
    }

    @Test func commandsBeforeTheLoginAreAnsweredInOrder() throws {
        try Site.run(backEnds: .ok) { site, _ in
            let client = try site.gateway.greetedClient(.imap)
            client.send(Array("a NOOP\r\nb CAPABILITY\r\nc NONSENSE\r\nd LOGOUT\r\n".utf8))
            let lines = try client.untilEnd().split(separator: "\r\n")
            let expected = [
                "a OK completed", "* CAPABILITY IMAP4 IMAP4rev1 UIDPLUS AUTH=PLAIN", "b OK completed",
                "c BAD invalid command", "* BYE", "d OK completed",
            ]
            #expect(lines.map(String.init) == expected)
        }
    }
}

extension Mail {
    /// How the last line begins that answers `pipelinedLogin`.
    fileprivate var lastReplyPrefix: String {
        switch self {
        case .imap: "a1 OK"
        case .pop3: "+OK Logged in"
        case .smtp: "235 "
        }
    }

    /// What Clients/back_end.py answers.
    fileprivate func scriptedAnswer(to command: String) -> String {
        let line = String(command.dropLast(1))
        return switch self {
        case .imap: "\(line.prefix(2)) OK done"
        case .pop3: "+OK \(line)"
        case .smtp: "250 2.0.0 \(line)"
        }
    }
}
