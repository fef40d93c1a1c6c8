import MailSessions
import Testing

/// Which lines of a back-end may be passed on as a refusal.
@Suite struct RefusalTests {
    @Test(
        arguments: [
            (.imap, "a1 NO no", true), (.imap, "a1 bad", true), (.imap, "* BYE", true), (.imap, "a1 OK in", false),
            (.imap, "* PREAUTH hi", false), (.imap, "NO", false), (.imap, "", false),
            (.pop3, "-ERR no", true), (.pop3, "-err", true), (.pop3, "+OK", false), (.pop3, "-ER", false),
            (.smtp, "535 no", true), (.smtp, "421", true), (.smtp, "554-no", true), (.smtp, "250 ok", false),
            (.smtp, "334 ", false), (.smtp, "5x0", false), (.smtp, "55", false), (.smtp, "\u{16}\u{3}", false),
        ] as [(MailProtocol, String, Bool)])
    func `C7: only a refusal is passed on as one`(_ mailProtocol: MailProtocol, _ line: String, _ isRefusal: Bool) {
        #expect(mailProtocol.isRefusal(Array(line.utf8)) == isRefusal)
    }
}
