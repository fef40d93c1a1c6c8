import AsyncIO
import MailSessions
import TestSupport
import Testing

extension SMTPFrontEndTests {
    @Test(
        "STARTTLS",
        arguments: [
            DialogueRow(
                "A1, A6, B9: nothing said in clear counts after TLS",
                {
                    $0.startTLS = .on
                    $0.mechanisms = [.plain, .none]
                },
                #"""
                S: 220 mx ESMTP ready
                C: EHLO a
                S: 250-mx
                S: 250-AUTH PLAIN
                S: 250 STARTTLS
                C: MAIL FROM:<a@b>
                S: 250 2.0.0 OK
                C: STARTTLS
                C: RSET
                C: RCPT TO:<c@d>
                S: 220 2.0.0 Start TLS
                startTLS
                C: RCPT TO:<c@d>
                S: 503 5.5.1 Bad sequence of commands
                C: AUTH PLAIN AGJvYgB4
                ? plain bob x -> refuse "no" wait 1s
                ~ 1s
                S: 535 5.7.0 no
                C: EHLO b
                S: 250-mx
                S: 250 AUTH PLAIN
                C: STARTTLS
                S: 500 5.5.1 Invalid command
                """#),
            DialogueRow(
                "starttls only refuses credentials, and mail without them (§13 row 9)",
                {
                    $0.startTLS = .only
                    $0.mechanisms = [.plain, .none]
                    $0.capabilities = ["SIZE"]
                },
                #"""
                S: 220 mx ESMTP ready
                C: EHLO a
                S: 250-mx
                S: 250-SIZE
                S: 250 STARTTLS
                C: AUTH PLAIN AGJvYgB4
                S: 500 5.5.1 Invalid command
                C: AUTH
                S: 500 5.5.1 Invalid command
                C: MAIL FROM:<a@b>
                S: 530 5.7.0 Must issue a STARTTLS command first
                C: RCPT TO:<c@d>
                S: 503 5.5.1 Bad sequence of commands
                C: STARTTLS
                S: 220 2.0.0 Start TLS
                startTLS
                C: EHLO a
                S: 250-mx
                S: 250-SIZE
                S: 250 AUTH PLAIN
                C: MAIL FROM:<a@b>
                S: 250 2.0.0 OK
                """#),
        ])
    func startTLS(_ row: DialogueRow) throws { try row.play(.smtp, SMTPFrontEnd.init) }
}
