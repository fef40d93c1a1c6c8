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

    @Test(
        arguments: [
            (.imap, "a1 NO [AUTHENTICATIONFAILED] no", true), (.imap, "a1 no [authenticationfailed]", true),
            (.imap, "a1 NO [UNAVAILABLE] later", false), (.imap, "a1 NO Authentication failed", false),
            (.imap, "a1 BAD [AUTHENTICATIONFAILED]", false), (.imap, "NO", false),
            (.pop3, "-ERR [AUTH] no", true), (.pop3, "-ERR [SYS/TEMP] later", false), (.pop3, "-ERR no", false),
            (.smtp, "535 5.7.8 no", true), (.smtp, "454 4.7.0 later", false), (.smtp, "530 first", false),
        ] as [(MailProtocol, String, Bool)])
    func `only what the standards say so blames the credentials`(
        _ mailProtocol: MailProtocol, _ line: String, _ isBlame: Bool
    ) {
        #expect(mailProtocol.blamesCredentials(Array(line.utf8)) == isBlame)
    }
}
