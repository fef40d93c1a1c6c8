import TestSupport
import Testing

@testable import MailGateway

@Suite struct DemoPOP3ServerTests {
    private func check(_ transcript: String) throws {
        try Transcript("S: +OK mailgateway demo ready\n" + transcript).check(DemoFixture.words()) { DemoPOP3Server() }
    }

    private static let login = """
        C: USER demo
        S: +OK now the password
        C: PASS se cret
        ? login demo se cret -> yes
        ? mailbox -> 2 messages
        S: +OK 2 messages

        """

    @Test func `reads, lists and removes`() throws {
        // Each message is its Received header and `Subject: n`, a blank line, `.n`, `x`.
        try check(
            Self.login + """
                C: STAT
                S: +OK 2 216
                C: LIST
                S: +OK
                S: 1 108
                S: 2 108
                S: .
                C: LIST 2
                S: +OK 2 108
                C: UIDL
                S: +OK
                S: 1 2
                S: 2 3
                S: .
                C: UIDL 1
                S: +OK 1 2
                C: DELE 1
                S: +OK
                C: DELE 1
                S: -ERR no such message
                C: LIST
                S: +OK
                S: 2 108
                S: .
                C: QUIT
                ? remove [2] -> 0 messages
                S: +OK bye
                = closed
                """)
    }

    @Test func `sends messages with their dots doubled`() throws {
        let header = """
            S: Received: from h
            S: \\tby mailgateway.invalid with ESMTP; Mon, 23 Nov 2026 06:16:15 +0000
            S: Subject: 1
            s: \\r\\n

            """
        try check(Self.login + "C: RETR 2\nS: +OK 108 octets\n" + header + "S: ..1\nS: x\nS: .")
        try check(Self.login + "C: TOP 2 0\nS: +OK\n" + header + "S: .")
        try check(Self.login + "C: TOP 2 1\nS: +OK\n" + header + "S: ..1\nS: .")
        try check(Self.login + "C: TOP 2 9\nS: +OK\n" + header + "S: ..1\nS: x\nS: .")
    }

    @Test func `RSET forgets deletions, and QUIT before the login deletes nothing`() throws {
        try check(Self.login + "C: DELE 2\nS: +OK\nC: RSET\nS: +OK\nC: NOOP\nS: +OK\nC: QUIT\nS: +OK bye\n= closed")
        try check("C: QUIT\nS: +OK bye\n= closed")
    }

    @Test func `refuses a wrong password and lets try again`() throws {
        try check(
            """
            C: USER demo
            S: +OK now the password
            C: PASS x
            ? login demo x -> no
            S: -ERR [AUTH] wrong name or password
            C: PASS x
            S: -ERR not now, or not known
            C: CAPA
            S: +OK
            S: USER
            S: UIDL
            S: TOP
            S: PIPELINING
            S: .
            """)
    }

    @Test(arguments: ["RETR 0", "RETR 3", "RETR x", "RETR -1", "DELE 99999999999999999999", "UIDL 3"])
    func `numbers that name nothing`(command: String) throws {
        try check(Self.login + "C: \(command)\nS: -ERR no such message")
    }

    @Test(arguments: ["RETR", "TOP 1", "LIST 1 2", "STAT x", "XYZ", ""])
    func `commands that are none`(command: String) throws {
        try check(Self.login + "C: \(command)\nS: -ERR not known")
    }

    @Test func `a line may have 512 bytes, and no more`() throws {
        let line = String(repeating: "x", count: DemoPOP3Server.commandMaximum - 2)
        try check("C: \(line)\nS: -ERR not now, or not known")
        try check("c: \(line)xx\nS: -ERR line too long\n= closed")
        try check("c: NO\\0OP\\r\\n\nS: -ERR malformed command")
    }
}
