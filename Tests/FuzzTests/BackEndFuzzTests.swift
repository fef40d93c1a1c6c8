import AsyncIO
import TestSupport
import Testing

@testable import MailGateway
@testable import MailSessions

/// Back-ends, auth services and clients of the demo that say anything at all.
@Suite struct BackEndFuzzTests {
    private static let buffer = 96

    private var settings: ServerSettings {
        var settings = ServerSettings.fixture(.imap)
        settings.proxy.buffer = Self.buffer
        return settings
    }

    private let credentials = BackEndCredentials(login: Array("bob".utf8), password: Secret(Array("pass".utf8)))
    private let client = ClientFacts(
        address: .ipv4(.loopback, port: 1), localAddress: .ipv4(.loopback, port: 2))

    private func never(_ question: Never) -> Never {}

    private func check<Subject: BackEndLogin>(_ words: [String], _ make: () -> Subject) {
        fuzz(
            words: words, backlogMaximum: Self.buffer, answer: never, describe: { "\($0)" }, make)
    }

    @Test func `IMAP replies`() {
        let words = [
            "* OK ready\r\n", "* OK ready\r\n+ go\r\n+ go\r\n", "* OK [CAPABILITY LITERAL+]\r\n* 1\r\n",
            "* OK [CAPABILITY LITERAL+]\r\n", "+ go\r\n", "* 1 EXISTS\r\n", "a OK in\r\n", "a NO\r\n",
            "* BYE\r\n", "\n", "+\r\n", "* PREAUTH\r\n", "x",
        ]
        var context = ReplyContext()
        context.tag = Array("a".utf8)
        check(words) { IMAPBackEnd(credentials: credentials, context: context, settings: settings) }
    }

    /// The logins that need SASL: for a master user, and with a token.
    private var exchanges: [(ServerSettings, BackEndCredentials)] {
        var master = settings
        master.proxy.smtpAuth = true
        master.proxy.master = MasterUser(name: Array("master".utf8), password: Secret(Array("key".utf8)))
        var passing = settings
        passing.proxy.smtpAuth = true
        var token = credentials
        token.bearer = .oauthBearer
        return [(master, credentials), (passing, token)]
    }

    @Test func `replies to logins that need SASL`() {
        let imap = [
            "* OK ready\r\n", "* OK [CAPABILITY SASL-IR AUTH=PLAIN AUTH=OAUTHBEARER]\r\n",
            "* CAPABILITY AUTH=PLAIN\r\n",
            "cap OK\r\n", "cap NO\r\n", "+ e30=\r\n", "+\r\n", "a OK in\r\n", "a NO\r\n", "* BYE\r\n", "\n", "x",
        ]
        let pop3 = [
            "+OK\r\n", "+OK\r\n+OK\r\nSASL PLAIN OAUTHBEARER\r\n.\r\n", "SASL PLAIN\r\n", ".\r\n", "+ \r\n", "-ERR\r\n",
            "\n", "x",
        ]
        let smtp = [
            "220 a\r\n", "220 a\r\n250-b\r\n250 AUTH PLAIN OAUTHBEARER\r\n", "250 b\r\n", "250-AUTH PLAIN\r\n",
            "334 \r\n", "334-x\r\n", "235 d\r\n", "535 e\r\n", "\n", "2", "-",
        ]
        var context = ReplyContext()
        context.tag = Array("a".utf8)
        for (settings, credentials) in exchanges {
            check(imap) { IMAPBackEnd(credentials: credentials, context: context, settings: settings) }
            check(pop3) { POP3BackEnd(credentials: credentials, settings: settings) }
            check(smtp) {
                SMTPBackEnd(credentials: credentials, context: context, settings: settings, client: client)
            }
        }
    }

    @Test func `tokens: whatever is read as a message is written as one that reads the same`() {
        let words = [
            "n,", "y,", "a=ann", "a=", "=2C", "=3D", ",", "\u{1}", "\u{1}", "user=", "ann", "auth=Bearer x", "port=1",
        ]
        let first = SeededRandom.freshSeed
        for seed in first..<first + 2000 {
            var random = SeededRandom(seed: seed)
            let bytes = FuzzWords.input(from: words, &random) + (random.next() % 2 == 0 ? [1, 1] : [])
            for mechanism in BearerMechanism.allCases {
                guard let message = BearerMessage(bytes, of: mechanism) else { continue }
                let again = BearerMessage(message.bytes(of: mechanism).bytes, of: mechanism)
                #expect(again?.login == message.login && again?.token.bytes == message.token.bytes, "seed \(seed)")
                #expect(!message.login.contains { $0 < 32 || $0 == 127 }, "seed \(seed)")
            }
        }
    }

    @Test func `POP3 replies`() {
        for offers in [nil, [], BackEndOffers.pipelining] {
            check(["+OK\r\n", "+OK hello\r\n", "-ERR\r\n", "+OK\r\nPIPELINING\r\n.\r\n", ".\r\n", "\n", "\r", "x"]) {
                POP3BackEnd(credentials: credentials, settings: settings, offers: offers)
            }
        }
    }

    @Test func `SMTP replies`() {
        var context = ReplyContext()
        context.envelope.helo = Array("h".utf8)
        var authenticating = settings
        authenticating.proxy.smtpAuth = true
        let words = [
            "220 a\r\n", "220 a\r\n250 b\r\n220 c\r\n250-d\r\n250 e\r\n",
            "250 b\r\n", "250-c\r\n", "250\r\n", "235 d\r\n", "550 e\r\n", "\n", "2", "-",
        ]
        let offered: [BackEndOffers?] = [nil, .xclient]
        for (settings, offers) in zip([settings, settings, authenticating], offered + [[]]) {
            check(words) {
                SMTPBackEnd(
                    credentials: credentials, context: context, settings: settings, client: client, offers: offers)
            }
        }
    }

    @Test func `auth_http answers`() {
        let words = [
            "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200\r\nAuth-Status: no\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n",
            "HTTP/1.1 200\r\nContent-Length: 5\r\n", "HTTP/1.1 100\r\n", "Auth-Status: OK\r\n", "Auth-Status: no\r\n",
            "Auth-Wait: 1\r\n",
            "Auth-Server: ::1\r\n", "Auth-Port: 1\r\n", "Auth-User: x\r\n", "Content-Length: 3\r\n", "\r\n", "abc",
            "Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n", "0\r\n\r\n", "Connection: close\r\n", "Auth-Pass: y\r\n",
        ]
        let attempt = LoginAttempt(method: .plain, login: [], password: Secret([]), number: 1)
        let request = AuthHTTPRequest(
            AuthHTTPTemplate(AuthHTTPSettings(address: .unix("/x"), host: "h")), mailProtocol: .imap, attempt: attempt,
            client: client)
        fuzz(
            words: words, backlogMaximum: AuthHTTPExchange.headMaximum, answer: never,
            describe: { "\($0)" }
        ) { AuthHTTPExchange(request) }
    }

    @Test func `PROXY headers`() {
        let words = [
            "PROXY ", "TCP4 ", "192.0.2.1 ", "UNKNOWN", "1 2", "\r\n", "\r\n\r\n\0\r\nQUIT\n", "\u{21}\u{11}\0\u{0C}",
            "!\0\0\0",
            "\0\u{02}", "abcdefghijkl", "\r", "\n",
        ]
        fuzz(
            words: words, backlogMaximum: ProxyProtocolReader.binaryMaximum, answer: never, describe: { "\($0)" }
        ) { ProxyProtocolReader() }
    }

    @Test func `clients of the demo's IMAP`() {
        let words = [
            "a LOGIN demo secret\r\n", "a LOGIN demo secret\r\na SELECT INBOX\r\n",
            "a SELECT INBOX\r\n", "a FETCH 1:* (UID BODY[])\r\n", "a LOGIN {4}\r\ndemo",
            " {6+}\r\n",
            "a UID STORE 1 +FLAGS (\\Deleted)\r\n", "a EXPUNGE\r\n", "a IDLE\r\n", "DONE\r\n", "a SEARCH ALL\r\n", "\"",
            "(", "\r\n",
            "a FETCH 1 BODY[HEADER.FIELDS (TO)]<0.9>\r\n", "a AUTHENTICATE PLAIN\r\n", "AGRlbW8Ac2VjcmV0\r\n", "{",
            "+}", "1:2",
        ]
        checkDemo(words, DemoIMAPReader.commandMaximum) { DemoIMAPServer() }
    }

    @Test func `clients of the demo's POP3`() {
        let words = [
            "USER demo\r\n", "USER demo\r\nPASS secret\r\n",
            "PASS secret\r\n", "RETR 1\r\n", "DELE 1\r\n", "TOP 1 0\r\n", "UIDL\r\n", "RSET\r\n",
            "\r\n", "x",
        ]
        checkDemo(words, DemoPOP3Server.commandMaximum) { DemoPOP3Server() }
    }

    @Test func `clients of the demo's SMTP`() {
        let words = [
            "EHLO h\r\n", "XCLIENT LOGIN=a\r\nEHLO h\r\nMAIL FROM:<a>\r\nRCPT TO:<b>\r\nDATA\r\n",
            "XCLIENT LOGIN=a+2B\r\n", "MAIL FROM:<a>\r\n", "RCPT TO:<b>\r\n", "DATA\r\n", "..x\r\n",
            ".\r\n",
            "AUTH PLAIN\r\n", "AGRlbW8Ac2VjcmV0\r\n", "RSET\r\n", "\r\n", "x",
        ]
        checkDemo(words, DemoSMTPServer.dataLineMaximum) { DemoSMTPServer() }
    }

    private func checkDemo<Subject: Dialogue>(
        _ words: [String], _ backlog: Int, _ make: () -> Subject
    ) where Subject.Question == DemoQuestion, Subject.Answer == DemoAnswer, Subject.Outcome == DemoEnd {
        let store = DemoStore(login: "demo", password: Secret(Array("secret".utf8)), now: 1)
        fuzz(
            words: words, backlogMaximum: backlog,
            answer: { question in
                // What changes the store would make the second run differ from the first.
                var copy = store
                return copy.answer(question, at: 1)
            }, describe: { "\($0)" }, make)
    }

    @Test func `accounts files`() {
        let words = [
            "ann", ":", "{PLAIN}", "{CRYPT}", "$6$salt$", "$y$j9T$", "x", "\n", "\r\n", "#", "bob:{PLAIN}x\n", "\0",
        ]
        let first = SeededRandom.freshSeed
        for seed in first..<first + 1000 {
            var random = SeededRandom(seed: seed)
            let text = FuzzWords.input(from: words, &random)
            do throws(AccountsFileError) {
                let accounts = try AccountsFile(parsing: text)
                #expect(accounts.count <= text.count { $0 == UInt8(ascii: ":") }, "seed \(seed)")
            } catch {
                #expect((1...text.count).contains(error.line), "seed \(seed)")
            }
        }
    }
}
