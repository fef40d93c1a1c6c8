import AsyncIO
import MailSessions
import TestSupport
import Testing

@Suite struct POP3BackEndTests {
    private func check(
        _ transcript: String, login: String = "bob", password: String? = "pass", buffer: Int = 4096,
        tls: Bool = false
    ) throws {
        try Transcript(transcript).check(BackEndFixture.words()) {
            POP3BackEnd(
                credentials: BackEndFixture.credentials(login, password),
                settings: BackEndFixture.settings(.pop3, buffer: buffer, tls: tls))
        }
    }

    @Test func `logs in and passes the last reply on`() throws {
        try check(
            #"""
            C: +OK hello
            S: USER bob
            C: +OK
            S: PASS  my pass\s
            C: +OK 3 messages
            c: early
            = in +OK 3 messages\r\n
            l: early
            """#, password: " my pass ")
    }

    @Test func `TLS comes before the login where it is demanded`() throws {
        try check(
            "C: +OK\nS: STLS\nC: +OK go\nstartTLS\nS: USER bob\nC: +OK\nS: PASS pass\nC: +OK\n= in +OK\\r\\n", tls: true
        )
        try check("C: +OK\nS: STLS\nC: -ERR what\n= no TLS -ERR what", tls: true)
    }

    @Test func `a refusal ends the login at every step`() throws {
        try check("C: -ERR busy\n= invalid -ERR busy")
        try check("C: * OK IMAP\n= invalid * OK IMAP")
        try check("C: +OK\nS: USER bob\nC: -ERR who\n= invalid -ERR who")
        try check("C: +OK\nS: USER bob\nC: +OK\nS: PASS pass\nC: -ERR [AUTH] no\\x07\n= invalid -ERR [AUTH] no ")
    }

    @Test(arguments: [
        ("bob\r\nDELE 1", "pass"), ("bob", "pass\nDELE 1"), ("bob", "pa\rss"), ("bo\0b", "pass"), ("bob", nil),
    ])
    func `credentials that would become lines of their own are not sent (checklist C5)`(
        login: String, password: String?
    ) throws {
        try check("= unsendable", login: login, password: password)
    }

    @Test func `each reply may fill the buffer, and no more`() throws {
        try check("C: +OK 456\nS: USER bob\nC: +OK 456\nS: PASS pass\nC: +OK\n= in +OK\\r\\n", buffer: 9)
        try check("C: +OK 4567\n= too long", buffer: 9)
        try check("C: +OK\nS: USER bob\nc: +OK 456789\n= too long", buffer: 9)
    }

    @Test func `a line may end with LF alone`() throws {
        try check("c: +OK\\n\nS: USER bob\nc: +OK\\n\nS: PASS pass\nc: -ERR no\\n\n= invalid -ERR no")
    }
}
