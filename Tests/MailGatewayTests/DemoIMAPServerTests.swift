import AsyncIO
import TestSupport
import Testing

@testable import MailGateway

@Suite struct DemoIMAPServerTests {
    private static let capability = "CAPABILITY IMAP4rev1 LITERAL+ SASL-IR IDLE AUTH=PLAIN"
    private static let welcome = "S: a OK [\(capability)] logged in\n"

    private func check(_ transcript: String) throws {
        let greeting = "S: * OK [\(Self.capability)] mailgateway demo ready\n"
        try Transcript(greeting + transcript).check(DemoFixture.words()) { DemoIMAPServer() }
    }

    private static let login = "C: a LOGIN demo secret\n? login demo secret -> yes\n" + welcome

    private static func select(_ mailbox: String, count: Int, unseen: Int?, command: String = "SELECT INBOX") -> String
    {
        let isReadOnly = command.hasPrefix("EXAMINE")
        let flags = #"\\Seen \\Answered \\Flagged \\Deleted \\Draft"#
        return login + """
            C: s \(command)
            ? mailbox -> \(mailbox)
            S: * FLAGS (\(flags))
            S: * \(count) EXISTS
            S: * 0 RECENT
            \(unseen.map { "S: * OK [UNSEEN \($0)] first unseen" } ?? "")
            S: * OK [PERMANENTFLAGS (\(isReadOnly ? "" : flags))] flags kept
            S: * OK [UIDVALIDITY 1795414575] valid
            S: * OK [UIDNEXT \(count + 2)] next
            S: s OK [READ-\(isReadOnly ? "ONLY" : "WRITE")] selected

            """
    }

    @Test(arguments: [
        #"C: a LOGIN "demo" {6+}\r\nsecret"#, #"C: a login {4+}\r\ndemo "secret""#, #"C: a LOGIN demo "se\\\cret""#,
        "C: a AUTHENTICATE PLAIN AGRlbW8Ac2VjcmV0", "C: a LOGIN {4}\nS: + go on\nC: demo {6}\nS: + go on\nC: secret",
        "C: a AUTHENTICATE PLAIN\ns: + \\r\\n\nC: AGRlbW8Ac2VjcmV0",
    ])
    func `ways to log in`(commands: String) throws {
        let commands = commands.replacing(#"\\\c"#, with: #"\\c"#)
        try check(commands + "\n? login demo secret -> yes\n" + Self.welcome)
    }

    @Test func `a wrong password can be tried again`() throws {
        let refusal = "S: a NO [AUTHENTICATIONFAILED] wrong name or password\n"
        try check("C: a LOGIN demo x\n? login demo x -> no\n" + refusal + Self.login)
    }

    @Test(arguments: [
        "LOGIN demo", "LOGIN demo a b", "SELECT INBOX", "LOGIN (demo) x", "AUTHENTICATE PLAIN =", "XYZ", #"LOGIN "x"#,
    ])
    func `what is not understood before the login`(command: String) throws {
        try check("C: a \(command)\nS: a BAD not understood")
    }

    @Test func `lines without a command`() throws {
        try check("C:\nS: * BAD not understood\nC: a\nS: a BAD not understood\nC: (a b\nS: * BAD not understood")
        try check("c: a NO\\0OP\\r\\n\nS: * BAD not understood\nC: a NOOP\nS: a OK completed")
    }

    @Test func `lists and looks at its mailbox`() throws {
        try check(
            Self.login + #"""
                C: b LIST "" "*"
                S: * LIST () "/" INBOX
                S: b OK completed
                C: b LIST "" ""
                S: * LIST (\\Noselect) "/" ""
                S: b OK completed
                C: b LSUB "" Other
                S: b OK completed
                C: b STATUS INBOX (MESSAGES UNSEEN UIDNEXT UIDVALIDITY RECENT X)
                ? mailbox -> 3 messages
                S: * STATUS INBOX (MESSAGES 3 UNSEEN 2 UIDNEXT 5 UIDVALIDITY 1795414575 RECENT 0)
                S: b OK completed
                C: b SELECT Other
                S: b NO [NONEXISTENT] only INBOX here
                C: b APPEND INBOX {1+}
                C: x
                S: b NO [CANNOT] the demo has one mailbox, filled by SMTP
                C: b FETCH 1 FLAGS
                S: b BAD not understood
                C: b LOGOUT
                S: * BYE bye
                S: b OK completed
                = closed
                """#)
    }

    @Test func `fetches`() throws {
        let received = "Mon, 23 Nov 2026 06:16:15 +0000"
        try check(
            Self.select("2 messages", count: 2, unseen: 2)
                + #"""
                C: f FETCH 1:* (FLAGS UID RFC822.SIZE INTERNALDATE)
                S: * 1 FETCH (FLAGS (\\Seen) UID 2 RFC822.SIZE 108 INTERNALDATE "23-Nov-2026 06:16:15 +0000")
                S: * 2 FETCH (FLAGS () UID 3 RFC822.SIZE 108 INTERNALDATE "23-Nov-2026 06:16:15 +0000")
                S: f OK completed
                C: f UID FETCH 3 (UID BODY.PEEK[HEADER.FIELDS (SUBJECT TO)])
                S: * 2 FETCH (UID 3 BODY[HEADER.FIELDS (SUBJECT TO)] {14}
                S: Subject: 1
                S:
                S: )
                S: f OK completed
                C: f FETCH 2 BODY.PEEK[TEXT]<1.3>
                S: * 2 FETCH (BODY[TEXT]<1> {3}
                s: 1\r\n
                S: )
                S: f OK completed
                C: f FETCH 2 BODY[]
                ? add 1 [3] -> 2 messages
                S: * 2 FETCH (BODY[] {108}
                S: Received: from h
                S: \tby mailgateway.invalid with ESMTP; \#(received)
                S: Subject: 1
                S:
                S: .1
                S: x
                S: )
                S: f OK completed
                C: f FETCH 2 RFC822.TEXT
                ? add 1 [3] -> 2 messages
                S: * 2 FETCH (RFC822.TEXT {7}
                S: .1
                S: x
                S: )
                S: f OK completed
                C: f FETCH 9 FLAGS
                S: f OK completed
                C: f FETCH 1 BODYSTRUCTURE
                S: * 1 FETCH (BODYSTRUCTURE ("TEXT" "PLAIN" ("CHARSET" "UTF-8") NIL NIL "8BIT" 7 2))
                S: f OK completed
                """#.replacing("S: \n", with: "s: \\r\\n\n"))
    }

    @Test(arguments: [
        "FETCH 0 FLAGS", "FETCH 1 XYZ", "FETCH x FLAGS", "FETCH 1", "FETCH 1 (FLAGS", "FETCH 1 BODY[",
        "FETCH 1 BODY[]<1",
        "FETCH 1 BODY[]<1.2.3>", "FETCH 1 BODY[2]", "FETCH 1 FLAGS x", "FETCH 1,,2 FLAGS", "FETCH 1:2:3 FLAGS",
        "FETCH 4294967296 FLAGS", "STORE 1 FLAGS", "STORE 1 XFLAGS ()", "SEARCH XYZ", "SEARCH UID", "UID", "UID XYZ",
    ])
    func `what is not understood in a mailbox`(command: String) throws {
        try check(Self.select("2 messages", count: 2, unseen: 2) + "C: b \(command)\nS: b BAD not understood")
    }

    @Test func `searches`() throws {
        try check(
            Self.select("3 messages", count: 3, unseen: 2) + """
                C: f SEARCH ALL
                S: * SEARCH 1 2 3
                S: f OK completed
                C: f UID SEARCH ALL
                S: * SEARCH 2 3 4
                S: f OK completed
                C: f UID SEARCH CHARSET UTF-8 UNSEEN 1:2
                S: * SEARCH 3
                S: f OK completed
                C: f SEARCH UID 3:* SEEN
                S: * SEARCH
                S: f OK completed
                """)
    }

    @Test func `stores flags and expunges`() throws {
        try check(
            Self.select("3 messages", count: 3, unseen: 2) + #"""
                C: f STORE 2 +FLAGS (\\Deleted keyword)
                ? add 8 [3] -> 3 messages, 2 deleted
                S: * 2 FETCH (FLAGS (\\Deleted))
                S: f OK completed
                C: f UID STORE 3 -FLAGS.SILENT \\Seen
                ? remove 1 [3] -> 3 messages, 2 deleted
                S: f OK completed
                C: f EXPUNGE
                ? remove [3] -> without 2
                S: * 2 EXPUNGE
                S: f OK completed
                C: f UID SEARCH ALL
                S: * SEARCH 2 4
                S: f OK completed
                C: f CLOSE
                ? remove [] -> without 2
                S: f OK completed
                """#)
    }

    @Test func `EXAMINE changes nothing`() throws {
        try check(
            Self.select("3 messages, 2 deleted", count: 3, unseen: 2, command: "EXAMINE inbox") + #"""
                C: f STORE 1 FLAGS (\\Seen)
                S: f NO [READ-ONLY] the mailbox is open for reading
                C: f EXPUNGE
                S: f NO [READ-ONLY] the mailbox is open for reading
                C: f FETCH 1 BODY[TEXT]
                S: * 1 FETCH (BODY[TEXT] {7}
                S: .0
                S: x
                S: )
                S: f OK completed
                C: f CLOSE
                ? mailbox -> 3 messages
                S: f OK completed
                """#)
    }

    @Test func `IDLE and NOOP tell of news when they end`() throws {
        try check(
            Self.select("2 messages", count: 2, unseen: 2) + """
                C: i IDLE
                S: + idling
                C: done
                ? mailbox -> without 2
                S: * 2 EXPUNGE
                S: * 2 EXISTS
                S: i OK done
                C: i NOOP
                ? mailbox -> 3 messages
                S: * 3 EXISTS
                S: i OK completed
                C: i IDLE
                S: + idling
                C: i NOOP
                S: i BAD not understood
                """)
    }

    @Test func `twenty errors end the session`() throws {
        let errors = String(repeating: "C: a X\nS: a BAD not understood\n", count: DemoIMAPServer.errorsMaximum)
        try check(errors + "S: * BYE too many errors\n= closed")
    }

    @Test func `a command may have 64 KiB with its literals, and no more`() {
        func reply(_ start: String) -> String {
            var server = DemoIMAPServer()
            _ = server.next()
            server.input.append(contentsOf: Array(start.utf8))
            guard case .send(let bytes) = server.next() else { return "nothing" }
            return String(decoding: bytes, as: UTF8.self)
        }
        let free = DemoIMAPReader.commandMaximum - "a LOGIN {65517}\r\n".utf8.count
        #expect(reply("a LOGIN {\(free)}\r\n") == "+ go on\r\n")
        #expect(reply("a LOGIN {\(free + 1)}\r\n") == "a BAD not understood\r\n")
        #expect(reply("a LOGIN {\(free)+}\r\n") == "* BYE command too long\r\n")
        #expect(reply("a LOGIN {9999999999}\r\n") == "a BAD not understood\r\n")
        #expect(reply(String(repeating: "x", count: DemoIMAPReader.commandMaximum)) == "* BYE command too long\r\n")
    }
}
