import AsyncIO
import MailSessions
import TestSupport
import Testing

@Suite struct IMAPBackEndTests {
    private func check(
        _ transcript: String, login: String = "bob", password: String? = "pass", buffer: Int = 4096,
        tls: Bool = false
    ) throws {
        var context = ReplyContext()
        context.tag = Array("a2".utf8)
        try Transcript(transcript).check(BackEndFixture.words()) {
            IMAPBackEnd(
                credentials: BackEndFixture.credentials(login, password), context: context,
                settings: BackEndFixture.settings(.imap, buffer: buffer, tls: tls))
        }
    }

    /// The lines up to the password, with synchronising literals.
    private static let login = """
        C: * OK ready
        S: a2 LOGIN {3}
        C: + go
        S: bob {4}
        C: + go
        S: pass

        """

    @Test func `logs in with the client's tag and leaves what follows unread`() throws {
        try check(
            Self.login + #"""
                C: a2 OK Logged in
                c: * 3 EXISTS
                = in a2 OK Logged in\r\n
                l: * 3 EXISTS
                """#)
    }

    @Test func `TLS comes before the login where it is demanded, and what was announced in clear counts no more`()
        throws
    {
        try check(
            #"""
            C: * OK [CAPABILITY IMAP4rev1 STARTTLS LITERAL+] ready
            S: tls STARTTLS
            C: * OK wait
            C: tls ok go
            startTLS
            S: a2 LOGIN {3}
            C: + go
            S: bob {4}
            C: + go
            S: pass
            C: a2 OK Logged in
            = in a2 OK Logged in\r\n
            """#, tls: true)
        try check("C: * OK\nS: tls STARTTLS\nC: tls BAD what\n= no TLS tls BAD what", tls: true)
        try check("C: * OK\nS: tls STARTTLS\nC: * BYE\n= no TLS * BYE", tls: true)
        try check("C: * OK\nS: tls STARTTLS\nC: + tls OK\n= no TLS + tls OK", tls: true)
        try check("C: * PREAUTH hello\n= invalid * PREAUTH hello", tls: true)
    }

    @Test func `untagged lines anywhere reach the client in front of the tagged one`() throws {
        try check(
            #"""
            C: * OK ready
            S: a2 LOGIN {3}
            C: * CAPABILITY IMAP4rev1
            C: + go
            S: bob {4}
            C: + go
            S: pass
            C: * CAPABILITY IMAP4rev1 IDLE
            C: * OK hello
            C: a2 ok done
            = in * CAPABILITY IMAP4rev1\r\n* CAPABILITY IMAP4rev1 IDLE\r\n* OK hello\r\na2 ok done\r\n
            """#)
    }

    @Test(arguments: ["LITERAL+", "literal-"])
    func `announced non-synchronising literals save the round trips`(capability: String) throws {
        try check(
            #"""
            C: * OK [CAPABILITY IMAP4rev1 \#(capability)] ready
            S: a2 LOGIN {3+}
            S: bob {4+}
            S: pass
            C: a2 OK in
            = in a2 OK in\r\n
            """#)
    }

    @Test(arguments: [
        ("* OK [CAPABILITY IMAP4rev1 LITERAL-] ready", 4096, true),
        ("* OK [CAPABILITY IMAP4rev1 LITERAL-] ready", 4097, false),
        ("* OK [CAPABILITY IMAP4rev1 LITERAL+] ready", 4097, true), ("* OK LITERAL+ ready", 1, false),
        ("* OK [ALERT LITERAL+] ready", 1, false),
    ])
    func `LITERAL- ends at 4096 bytes, and only announcements count`(greeting: String, length: Int, free: Bool) throws {
        try check(
            """
            C: \(greeting)
            S: a2 LOGIN {\(free ? "3+" : "3")}
            \(free ? "S: bob {\(length)+}" : "")
            \(free ? "S: \(String(repeating: "x", count: length))" : "")
            """, password: String(repeating: "x", count: length))
    }

    @Test func `bytes that other forms would have to escape travel in literals (checklist C5)`() throws {
        try check(
            #"""
            C: * OK ready
            S: a2 LOGIN {4}
            C: +
            S: "\\\r\n {4}
            C: + go
            S: \r\n*x
            C: a2 OK in
            = in a2 OK in\r\n
            """#, login: "\"\\\r\n", password: "\r\n*x")
    }

    @Test(arguments: ["* BYE busy", "* PREAUTH hello", "+OK POP3 ready", "", "* NO sorry"])
    func `other greetings end the login`(greeting: String) throws {
        try check("C: \(greeting)\n= invalid \(greeting)")
    }

    @Test func `a refusal ends the login at every step`() throws {
        for refusal in ["a2 NO [AUTHENTICATIONFAILED] no", "a2 BAD what", "* BYE busy", "a3 OK other tag"] {
            try check(Self.login + "C: \(refusal)\n= invalid \(refusal)")
            try check("C: * OK ready\nS: a2 LOGIN {3}\nC: \(refusal)\n= invalid \(refusal)")
            try check("C: * OK ready\nS: a2 LOGIN {3}\nC: +\nS: bob {4}\nC: \(refusal)\n= invalid \(refusal)")
        }
        try check(
            "C: * OK ready\nS: a2 LOGIN {3}\nC: a2 OK in before the password\n= invalid a2 OK in before the password")
        try check(Self.login + "C: + more\n= invalid + more")
    }

    @Test func `what a back-end said is shown without control bytes (checklist C7)`() throws {
        try check("C: * NO \\x1b[2J\\t\\0x\n= invalid * NO  [2J  x")
    }

    @Test func `a greeting may fill the buffer, and no more`() throws {
        try check("c: * OK 34567890\\r\\n\nS: a2 LOGIN {3}", buffer: 15)
        try check("c: * OK 345678901\\r\\n\n= too long", buffer: 15)
        try check("c: * OK 345678901\n= too long", buffer: 14)
    }

    @Test func `all replies to the login share the buffer`() throws {
        let lines = Self.login.replacing("+ go", with: "+")
        try check(lines + "C: * 1\nC: a2 OK\n= in * 1\\r\\na2 OK\\r\\n", buffer: 3 + 3 + 5 + 7)
        try check(lines + "C: * 12\nC: a2 OK\n= too long", buffer: 3 + 3 + 5 + 7)
    }

    @Test(arguments: [("b\0b", "pass"), ("bob", "pa\0ss"), ("bob", nil)])
    func `no login without a password, none with NUL`(login: String, password: String?) throws {
        try check("= unsendable", login: login, password: password)
    }
}
