import AsyncIO
import MailSessions
import TestSupport
import Testing

/// What a check says to a back-end, and what it makes of the answers; each transcript is cut at every byte too.
@Suite("Dialogues of checks") struct BackEndCheckDialogueTests {
    private static var words: Vocabulary<BackEndCheck> {
        Vocabulary { outcome in
            switch outcome {
            case .serves: "serves"
            case .refused(let reply): "refused \(String(decoding: reply, as: UTF8.self))"
            }
        }
    }

    private func check(
        _ mailProtocol: MailProtocol, _ transcript: String, tls: Bool = false, buffer: Int = 4096
    ) throws {
        try Transcript(transcript).check(Self.words) {
            BackEndCheck(settings: BackEndFixture.settings(mailProtocol, buffer: buffer, tls: tls))
        }
    }

    @Test func `a greeting and capabilities are enough`() throws {
        try check(
            .imap, "C: * OK hi\nS: c1 CAPABILITY\nC: * CAPABILITY IMAP4rev1\nC: c1 ok done\nS: c2 LOGOUT\n= serves")
        try check(.pop3, "C: +OK hi\nS: CAPA\nC: +OK list\nC: TOP\nC: .\nS: QUIT\n= serves")
        try check(
            .smtp, "C: 220-hi\nC: 220 there\nS: EHLO mx.example.com\nC: 250-mx\nC: 250 SIZE\nS: QUIT\n= serves")
    }

    @Test func `a POP3 server need not know CAPA`() throws {
        try check(.pop3, "C: +OK hi\nS: CAPA\nC: -ERR what\nS: QUIT\n= serves")
    }

    @Test func `with TLS the capabilities are asked for within it`() throws {
        try check(
            .imap, "C: * OK\nS: c0 STARTTLS\nC: c0 OK\nstartTLS\nS: c1 CAPABILITY\nC: c1 OK\nS: c2 LOGOUT\n= serves",
            tls: true)
        try check(
            .pop3, "C: +OK\nS: STLS\nC: +OK\nstartTLS\nS: CAPA\nC: +OK\nC: .\nS: QUIT\n= serves", tls: true)
        try check(
            .smtp,
            "C: 220 x\nS: EHLO mx.example.com\nC: 250 x\nS: STARTTLS\nC: 220 go\nstartTLS\nS: EHLO mx.example.com\n"
                + "C: 250 x\nS: QUIT\n= serves", tls: true)
        try check(.imap, "C: * OK\nS: c0 STARTTLS\nC: c0 NO\n= refused c0 NO", tls: true)
        try check(.pop3, "C: +OK\nS: STLS\nC: -ERR\n= refused -ERR", tls: true)
    }

    @Test func `anything else is no service`() throws {
        try check(.imap, "C: * BYE busy\n= refused * BYE busy")
        try check(.imap, "C: * PREAUTH hi\n= refused * PREAUTH hi")
        try check(.imap, "C: * OK\nS: c1 CAPABILITY\nC: * BYE going\n= refused * BYE going")
        try check(.imap, "C: * OK\nS: c1 CAPABILITY\nC: c1 BAD what\n= refused c1 BAD what")
        try check(.pop3, "C: -ERR [SYS/TEMP] no\n= refused -ERR [SYS/TEMP] no")
        try check(.smtp, "C: 421 busy\n= refused 421 busy")
        try check(.smtp, "C: 220 x\nS: EHLO mx.example.com\nC: 502 what\n= refused 502 what")
        try check(.imap, "C: HTTP/1.1 400\\x01\n= refused HTTP/1.1 400 ")
    }

    @Test func `each answer may fill the buffer, and no more`() throws {
        try check(.pop3, "C: +OK 456\nS: CAPA\nC: -ERR 56\nS: QUIT\n= serves", buffer: 9)
        try check(.pop3, "C: +OK 4567\n= refused ", buffer: 9)
    }
}
