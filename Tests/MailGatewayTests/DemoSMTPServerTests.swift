import AsyncIO
import TestSupport
import Testing

@testable import MailGateway

@Suite struct DemoSMTPServerTests {
    private func check(_ transcript: String) throws {
        let greeting = "S: 220 demo.mailgateway.invalid ESMTP\n"
        try Transcript(greeting + transcript).check(DemoFixture.words()) { DemoSMTPServer() }
    }

    private static let capabilities = """
        S: 250-demo.mailgateway.invalid
        S: 250-XCLIENT NAME ADDR LOGIN
        S: 250-AUTH PLAIN
        S: 250-SIZE 1048576
        S: 250-8BITMIME
        S: 250 PIPELINING

        """

    private static let login = """
        C: XCLIENT ADDR=192.0.2.1 login=bo+62 NAME=[UNAVAILABLE]
        S: 220 demo.mailgateway.invalid ESMTP
        C: HELO h
        S: 250 demo.mailgateway.invalid

        """

    @Test func `believes XCLIENT, takes a message with its dots undone and stores it`() throws {
        try check(
            Self.login + """
                C: mail from:<a@b>
                S: 250 2.1.0 OK
                C: RCPT TO:<c@d>
                S: 250 2.1.5 OK
                C: DATA
                S: 354 End with a dot
                C: Subject: x
                C:
                C: ..
                C: .y
                C: .
                ? deliver h bob Subject: x||.|y| -> yes
                S: 250 2.0.0 Stored
                C: MAIL FROM:<>
                S: 250 2.1.0 OK
                """)
    }

    @Test func `AUTH PLAIN at once and after a challenge`() throws {
        try check(
            "C: EHLO h\n" + Self.capabilities + """
                C: AUTH PLAIN AGJvYgBwYXNz
                ? login bob pass -> no
                S: 535 5.7.8 Wrong name or password
                C: AUTH PLAIN
                s: 334 \\r\\n
                C: AGJvYgBwYXNz
                ? login bob pass -> yes
                S: 235 2.7.0 Welcome
                C: AUTH PLAIN AGJvYgBwYXNz
                S: 503 5.5.1 Already logged in
                """)
    }

    @Test(arguments: ["AUTH PLAIN =", "AUTH PLAIN AGJvYg==", "AUTH PLAIN AGJvYgBwYXNzAA=="])
    func `tokens that are none`(command: String) throws {
        try check("C: \(command)\nS: 501 5.5.2 Bad token")
    }

    @Test func `refuses what comes too early`() throws {
        try check(
            """
            C: MAIL FROM:<a>
            S: 530 5.7.0 Authentication required
            C: RCPT TO:<a>
            S: 503 5.5.1 Bad sequence of commands
            C: DATA
            S: 503 5.5.1 Bad sequence of commands
            C: AUTH LOGIN
            S: 504 5.5.4 Only AUTH PLAIN here
            C: EHLO
            S: 501 5.5.4 Who are you?
            C: VRFY x
            S: 500 5.5.1 Unknown command
            C: XCLIENT LOGIN=a+4
            S: 501 5.5.4 Bad attribute
            C: XCLIENT LOGIN=a
            S: 220 demo.mailgateway.invalid ESMTP
            C: MAIL FROM:<a>
            S: 503 5.5.1 Bad sequence of commands
            C: NOOP
            S: 250 2.0.0 OK
            C: QUIT
            S: 221 2.0.0 Bye
            = closed
            """)
    }

    @Test func `RSET and EHLO forget the message, a second MAIL is refused`() throws {
        try check(
            Self.login + """
                C: MAIL TO:<a>
                S: 501 5.5.4 MAIL FROM:<sender>
                C: MAIL FROM:<a>
                S: 250 2.1.0 OK
                C: MAIL FROM:<a>
                S: 503 5.5.1 Bad sequence of commands
                C: RCPT FROM:<a>
                S: 501 5.5.4 RCPT TO:<recipient>
                C: XCLIENT LOGIN=eve
                S: 503 5.5.1 Bad sequence of commands
                C: RSET
                S: 250 2.0.0 OK
                C: RCPT TO:<a>
                S: 503 5.5.1 Bad sequence of commands
                """)
    }

    @Test func `a full store is said so`() throws {
        try check(
            Self.login + """
                C: MAIL FROM:<a>
                C: RCPT TO:<b>
                C: DATA
                C: .
                S: 250 2.1.0 OK
                S: 250 2.1.5 OK
                S: 354 End with a dot
                ? deliver h bob (empty) -> no
                S: 452 4.3.1 The demo's store is full
                """)
    }

    @Test func `a bare LF ends the session, in data too (checklist C8)`() throws {
        let end = "S: 500 5.5.2 Lines end with CRLF\n= closed"
        try check("c: NOOP\\n\n" + end)
        try check(
            Self.login + "C: MAIL FROM:<a>\nC: RCPT TO:<b>\nC: DATA\nc: x\\n.\\n\n"
                + "S: 250 2.1.0 OK\nS: 250 2.1.5 OK\nS: 354 End with a dot\n" + end)
    }

    @Test func `a hundred recipients, and no more`() throws {
        let more = String(repeating: "C: RCPT TO:<b>\n", count: 101)
        let replies = String(repeating: "S: 250 2.1.5 OK\n", count: 100)
        try check(
            Self.login + "C: MAIL FROM:<a>\n" + more + "S: 250 2.1.0 OK\n" + replies
                + "S: 452 4.5.3 Too many recipients")
    }

    /// What a server that takes mail says to a message of `length` bytes, in lines of 1000.
    private func reply(to length: Int) -> String {
        var server = DemoSMTPServer()
        var store = DemoFixture.store
        var said: [UInt8] = []
        let line = String(repeating: "x", count: 998) + "\r\n"
        let rest = length % 1000
        let body = String(repeating: line, count: length / 1000) + String(repeating: "y", count: rest - 2) + "\r\n"
        let commands = "XCLIENT LOGIN=b\r\nHELO h\r\nMAIL FROM:<a>\r\nRCPT TO:<b>\r\nDATA\r\n"
        server.input.append(contentsOf: Array((commands + body + ".\r\n").utf8))
        while true {
            switch server.next() {
            case .send(let bytes): said = bytes
            case .ask(let question): server.resume(store.answer(question, at: DemoFixture.now))
            default: return String(decoding: said, as: UTF8.self)
            }
        }
    }

    @Test func `a message may have 1 MiB, and no more`() {
        #expect(reply(to: DemoStore.messageBytesMaximum) == "250 2.0.0 Stored\r\n")
        #expect(reply(to: DemoStore.messageBytesMaximum + 1) == "552 5.3.4 Longer than 1048576 bytes\r\n")
    }

    @Test func `a command may have 12288 bytes, and no more`() throws {
        func reply(_ count: Int) -> String {
            var server = DemoSMTPServer()
            _ = server.next()
            server.input.append(contentsOf: [UInt8](repeating: 65, count: count - 2) + [13, 10])
            guard case .send(let bytes) = server.next() else { return "nothing" }
            return String(decoding: bytes, as: UTF8.self)
        }
        #expect(reply(DemoSMTPServer.commandMaximum) == "500 5.5.1 Unknown command\r\n")
        #expect(reply(DemoSMTPServer.commandMaximum + 1) == "500 5.5.6 Line too long\r\n")
    }
}
