import Testing

/// The same dialogue with nginx and with mailgateway: the client and the auth service see no difference.
@Suite("nginx as the reference", .endToEnd) struct ReferenceTests {
    /// What a session looked like from both sides.
    struct Sight: Equatable {
        var client: [String] = []
        /// Header lines of each request to the auth service; the request line only without its version.
        var auth: [[String]] = []
    }

    @Test(arguments: Mail.allCases) func clientAndAuthServiceSeeTheSame(mail: Mail) throws {
        let reference = try sight(of: .nginx, mail)
        let ours = try sight(of: .underTest, mail)
        #expect(ours.client == reference.client)
        #expect(ours.auth == reference.auth)
        #expect(reference.auth.count == 3, "the dialogue asks three times: \(reference)")
    }

    private func sight(of kind: GatewayKind, _ mail: Mail) throws -> Sight {
        var sight = Sight()
        try Site.run(
            backEnds: .ok, behaviour: .wait, kind: kind,
            adjust: { configuration in
                configuration.mail += [
                    "auth_http_header X-Key sesame;", "imap_capabilities IMAP4rev1 LITERAL+ IDLE;",
                    "pop3_capabilities TOP USER UIDL RESP-CODES;", "smtp_capabilities \"SIZE 1000\" 8BITMIME;",
                    "imap_auth plain login;", "timeout 20s;",
                ]
            }
        ) { site, _ in
            for script in mail.referenceDialogues {
                sight.client.append("-- connected")
                let client = try RawClient(site.gateway.endpoint(mail))
                sight.client.append(try client.line())
                for step in script {
                    client.say(step.line)
                    sight.client += try client.lines { step.ends($0) }
                }
                if script.last?.endsSession == true { sight.client.append("-- end: " + (try client.untilEnd())) }
            }
            sight.auth = try site.auth.requests.map { request in
                [request.line.replacing(/\ HTTP\/1\.[01]/, with: "")]
                    + request.headers.map { "\($0[0]): \($0[1])".replacing(site.stage.host, with: "HOST") }
            }
        }
        return sight
    }
}

extension Mail {
    /// One line from the client, and how the last line of the answer to it begins.
    struct Step {
        let line: String
        let last: [String]
        var endsSession = false

        init(_ line: String, _ last: String..., endsSession: Bool = false) {
            self.line = line
            self.last = last
            self.endsSession = endsSession
        }

        func ends(_ line: String) -> Bool { last.contains { line.hasPrefix($0) } }
    }

    /// Sessions that show everything a client may see before its login.
    fileprivate var referenceDialogues: [[Step]] {
        switch self {
        case .imap:
            [
                [
                    Step("a CAPABILITY", "a "), Step("b NOOP", "b "), Step("c NONSENSE", "c "), Step("!", "* "),
                    Step("d LOGIN ann", "d "), Step("e STARTTLS", "e "), Step("f login ann wrong", "f "),
                    Step("g LOGIN \"a\\\"nn\" \"wr ong%\"", "g "), Step("h AUTHENTICATE PLAIN !", "h "),
                    Step("i LOGIN {3}", "+ "), Step("ann \"correct horse\"", "i "),
                ],
                [Step("a LOGOUT", "a ", endsSession: true)],
            ]
        case .pop3:
            [
                [
                    Step("CAPA", "."), Step("NOOP", "+OK"), Step("NONSENSE", "-ERR"), Step("PASS x", "-ERR"),
                    Step("AUTH", "."), Step("STLS", "-ERR"), Step("APOP ann 0123", "-ERR"), Step("USER ann", "+OK"),
                    Step("PASS wr ong%", "-ERR"), Step("AUTH LOGIN", "+ "), Step("YW5u", "+ "),
                    Step("d3Jvbmc=", "-ERR"),
                    Step("AUTH PLAIN \(plainCredentials("ann", "correct horse"))", "+OK", "-ERR"),
                ],
                [Step("QUIT", "+OK", endsSession: true)],
            ]
        case .smtp:
            [
                [
                    Step("NOOP", "250 "), Step("EHLO", "501 "), Step("EHLO client", "250 "), Step("NONSENSE", "500 "),
                    Step("DATA", "500 "), Step("MAIL FROM:<a@b>", "530 "), Step("RCPT TO:<a@b>", "5"),
                    Step("RSET", "250 "),
                    Step("STARTTLS", "500 "), Step("AUTH", "501 "), Step("AUTH NONE x", "5"), Step("AUTH PLAIN !", "5"),
                    Step("AUTH LOGIN YW5u", "334 "), Step("d3Jvbmc=", "535 "),
                    Step("AUTH PLAIN \(plainCredentials("ann", "wrong"))", "535 "), Step("HELO other", "250 "),
                    Step("AUTH PLAIN \(plainCredentials("ann", "correct horse"))", "235 ", "4"),
                ],
                [Step("QUIT", "221 ", endsSession: true)],
            ]
        }
    }
}
