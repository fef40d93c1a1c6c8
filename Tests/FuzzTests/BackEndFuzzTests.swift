import AsyncIO
import Testing

@testable import MailGateway
@testable import MailSessions

/// Back-ends, auth services and clients of the demo that say anything at all.
@Suite struct BackEndFuzzTests {
    private static let seeds: [UInt64] = [1, 2, 3, 4]
    private static let buffer = 96

    private var settings: ServerSettings {
        let http = AuthHTTPSettings(address: .unix("/x"), host: "h")
        var settings = ServerSettings(mailProtocol: .imap, name: "mx", authenticator: .http(http))
        settings.proxy.buffer = Self.buffer
        return settings
    }

    private let credentials = BackEndCredentials(login: Array("bob".utf8), password: Secret(Array("pass".utf8)))
    private let client = ClientFacts(
        address: .ipv4(.loopback, port: 1), localAddress: .ipv4(.loopback, port: 2))

    private func never(_ question: Never) -> Never {}

    private func check<Subject: BackEndLogin>(_ seed: UInt64, _ words: [String], _ make: () -> Subject) {
        fuzz(
            seed: seed, words: words, backlogMaximum: Self.buffer, answer: never, describe: { "\($0)" }, make)
    }

    @Test(arguments: seeds) func `IMAP replies`(seed: UInt64) {
        let words = [
            "* OK ready\r\n", "* OK [CAPABILITY LITERAL+]\r\n", "+ go\r\n", "* 1 EXISTS\r\n", "a OK in\r\n", "a NO\r\n",
            "* BYE\r\n", "\n", "+\r\n", "* PREAUTH\r\n", "x",
        ]
        var context = ReplyContext()
        context.tag = Array("a".utf8)
        check(seed, words) { IMAPBackEnd(credentials: credentials, context: context, settings: settings) }
    }

    @Test(arguments: seeds) func `POP3 replies`(seed: UInt64) {
        check(seed, ["+OK\r\n", "+OK hello\r\n", "-ERR\r\n", "\n", "\r", "x"]) {
            POP3BackEnd(credentials: credentials, settings: settings)
        }
    }

    @Test(arguments: seeds) func `SMTP replies`(seed: UInt64) {
        var context = ReplyContext()
        context.envelope.helo = Array("h".utf8)
        var settings = settings
        settings.proxy.smtpAuth = seed.isMultiple(of: 2)
        let words = ["220 a\r\n", "250 b\r\n", "250-c\r\n", "250\r\n", "235 d\r\n", "550 e\r\n", "\n", "2", "-"]
        check(seed, words) {
            SMTPBackEnd(credentials: credentials, context: context, settings: settings, client: client)
        }
    }

    @Test(arguments: seeds) func `auth_http answers`(seed: UInt64) {
        let words = [
            "HTTP/1.1 200 OK\r\n", "HTTP/1.1 100\r\n", "Auth-Status: OK\r\n", "Auth-Status: no\r\n", "Auth-Wait: 1\r\n",
            "Auth-Server: ::1\r\n", "Auth-Port: 1\r\n", "Auth-User: x\r\n", "Content-Length: 3\r\n", "\r\n", "abc",
            "Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n", "0\r\n\r\n", "Connection: close\r\n", "Auth-Pass: y\r\n",
        ]
        let attempt = LoginAttempt(method: .plain, login: [], password: Secret([]), number: 1)
        let request = AuthHTTPRequest(
            settings: AuthHTTPSettings(address: .unix("/x"), host: "h"), mailProtocol: .imap, attempt: attempt,
            client: client)
        fuzz(
            seed: seed, words: words, backlogMaximum: AuthHTTPExchange.headMaximum, answer: never,
            describe: { "\($0)" }
        ) { AuthHTTPExchange(request) }
    }

    @Test(arguments: seeds) func `clients of the demo's IMAP`(seed: UInt64) {
        let words = [
            "a LOGIN demo secret\r\n", "a SELECT INBOX\r\n", "a FETCH 1:* (UID BODY[])\r\n", "a LOGIN {4}\r\ndemo",
            " {6+}\r\n",
            "a UID STORE 1 +FLAGS (\\Deleted)\r\n", "a EXPUNGE\r\n", "a IDLE\r\n", "DONE\r\n", "a SEARCH ALL\r\n", "\"",
            "(", "\r\n",
            "a FETCH 1 BODY[HEADER.FIELDS (TO)]<0.9>\r\n", "a AUTHENTICATE PLAIN\r\n", "AGRlbW8Ac2VjcmV0\r\n", "{",
            "+}", "1:2",
        ]
        checkDemo(seed, words, DemoIMAPReader.commandMaximum) { DemoIMAPServer() }
    }

    @Test(arguments: seeds) func `clients of the demo's POP3`(seed: UInt64) {
        let words = [
            "USER demo\r\n", "PASS secret\r\n", "RETR 1\r\n", "DELE 1\r\n", "TOP 1 0\r\n", "UIDL\r\n", "RSET\r\n",
            "\r\n", "x",
        ]
        checkDemo(seed, words, DemoPOP3Server.commandMaximum) { DemoPOP3Server() }
    }

    @Test(arguments: seeds) func `clients of the demo's SMTP`(seed: UInt64) {
        let words = [
            "EHLO h\r\n", "XCLIENT LOGIN=a+2B\r\n", "MAIL FROM:<a>\r\n", "RCPT TO:<b>\r\n", "DATA\r\n", "..x\r\n",
            ".\r\n",
            "AUTH PLAIN\r\n", "AGRlbW8Ac2VjcmV0\r\n", "RSET\r\n", "\r\n", "x",
        ]
        checkDemo(seed, words, DemoSMTPServer.dataLineMaximum) { DemoSMTPServer() }
    }

    private func checkDemo<Subject: Dialogue>(
        _ seed: UInt64, _ words: [String], _ backlog: Int, _ make: () -> Subject
    ) where Subject.Question == DemoQuestion, Subject.Answer == DemoAnswer, Subject.Outcome == DemoEnd {
        let store = DemoStore(login: "demo", password: Secret(Array("secret".utf8)), now: 1)
        fuzz(
            seed: seed, words: words, backlogMaximum: backlog,
            answer: { question in
                // What changes the store would make the second run differ from the first.
                var copy = store
                return copy.answer(question, at: 1)
            }, describe: { "\($0)" }, make)
    }

    @Test(arguments: seeds) func `accounts files`(seed: UInt64) {
        let words = [
            "ann", ":", "{PLAIN}", "{CRYPT}", "$6$salt$", "$y$j9T$", "x", "\n", "\r\n", "#", "bob:{PLAIN}x\n", "\0",
        ]
        var random = SeededBytes(seed: seed)
        for round in 0..<500 {
            let text = random.sentence(of: words, count: 20)
            do throws(AccountsFileError) {
                let accounts = try AccountsFile(parsing: text)
                #expect(accounts.count <= text.count { $0 == UInt8(ascii: ":") }, "seed \(seed) round \(round)")
            } catch {
                #expect((1...text.count).contains(error.line), "seed \(seed) round \(round)")
            }
        }
    }
}
