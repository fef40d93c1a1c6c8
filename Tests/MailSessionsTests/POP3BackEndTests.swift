import AsyncIO
import MailSessions
import TestSupport
import Testing

@Suite struct POP3BackEndTests {
    private func check(
        _ transcript: String, login: String = "bob", password: String? = "pass", buffer: Int = 4096,
        tls: Bool = false, offers: BackEndOffers? = []
    ) throws {
        try Transcript(transcript).check(BackEndFixture.words()) {
            POP3BackEnd(
                credentials: BackEndFixture.credentials(login, password),
                settings: BackEndFixture.settings(.pop3, buffer: buffer, tls: tls), offers: offers)
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

    /// What follows CAPA where PIPELINING is announced, and where it is not.
    private let together = "S: USER bob\nS: PASS pass\nC: +OK\nC: +OK in\n= in +OK in\\r\\n"
    private let inTurns = "S: USER bob\nC: +OK\nS: PASS pass\nC: +OK in\n= in +OK in\\r\\n"

    @Test func `USER and PASS leave together where PIPELINING is announced (RFC 2449 §6.6)`() throws {
        try check("C: +OK\n" + together, offers: .pipelining)
        try check("C: +OK\nS: CAPA\nC: +OK list\nC: UIDL\nC: pipelining\nC: .\n" + together, offers: nil)
        try check("C: +OK\nS: CAPA\nC: +OK list\nC: UIDL\nC: XPIPELINING\nC: .\n" + inTurns, offers: nil)
        try check("C: +OK\nS: CAPA\nC: -ERR what\n" + inTurns, offers: nil)
        try check(
            "C: +OK\nS: STLS\nC: +OK\nstartTLS\nS: CAPA\nC: +OK\nC: PIPELINING\nC: .\n" + together, tls: true,
            offers: nil)
        try check("C: +OK\nS: STLS\nC: +OK\nstartTLS\n" + together, tls: true, offers: .pipelining)
    }

    @Test func `a refusal ends a pipelined login at every step`() throws {
        try check("C: +OK\nS: USER bob\nS: PASS pass\nC: -ERR who\n= invalid -ERR who\nl: ", offers: .pipelining)
        try check("C: +OK\nS: USER bob\nS: PASS pass\nC: +OK\nC: -ERR no\n= invalid -ERR no", offers: .pipelining)
        try check("C: +OK\nS: CAPA\nC: +OK list\nc: UIDL 789\n= too long", buffer: 16, offers: nil)
    }

    @Test func `what a back-end has said is kept for whoever comes next, its silence counting as no`() throws {
        func found(after words: [String], _ offers: BackEndOffers? = nil) -> BackEndOffers? {
            var login = POP3BackEnd(
                credentials: BackEndFixture.credentials(), settings: BackEndFixture.settings(.pop3),
                offers: offers)
            for word in words {
                login.input.append(contentsOf: Array("\(word)\r\n".utf8))
                while case .send = login.next() {}
            }
            return login.offers
        }
        #expect(found(after: []) == nil)
        #expect(found(after: ["-ERR busy"]) == nil)
        #expect(found(after: ["+OK"]) == [])
        #expect(found(after: ["+OK", "-ERR"]) == [])
        #expect(found(after: ["+OK", "+OK", "PIPELINING"]) == [])
        #expect(found(after: ["+OK", "+OK", "PIPELINING", "."]) == .pipelining)
        #expect(found(after: ["+OK", "+OK", "."]) == [])
        #expect(found(after: ["+OK"], .pipelining) == .pipelining)
    }

    @Test func `a line may end with LF alone`() throws {
        try check("c: +OK\\n\nS: USER bob\nc: +OK\\n\nS: PASS pass\nc: -ERR no\\n\n= invalid -ERR no")
    }
}
