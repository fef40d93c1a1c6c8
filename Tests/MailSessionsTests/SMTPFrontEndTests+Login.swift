import AsyncIO
import MailSessions
import TestSupport
import Testing

extension SMTPFrontEndTests {
    @Test(
        "AUTH",
        arguments: [
            DialogueRow(
                "nginx-mail.md §12: submission, and the envelope's part goes along",
                #"""
                S: 220 mx ESMTP ready
                C: EHLO laptop
                S: 250-mx
                S: 250 AUTH PLAIN LOGIN
                C: AUTH PLAIN AGJvYgBwYXNz
                C: MAIL FROM:<a@b>
                ? plain bob pass ehlo=laptop -> accept
                = accepted ehlo=laptop
                L: MAIL FROM:<a@b>
                """#),
            DialogueRow(
                "HELO after EHLO keeps the memory of it; before any of them AUTH works too",
                #"""
                S: 220 mx ESMTP ready
                C: AUTH PLAIN AGJvYgB4
                ? plain bob x -> refuse "no" wait 1s
                ~ 1s
                S: 535 5.7.0 no
                C: EHLO a
                S: 250-mx
                S: 250 AUTH PLAIN LOGIN
                C: HELO b
                S: 250 mx
                C: AUTH PLAIN AGJvYgB4
                ? plain bob x ehlo=b #2 -> accept
                = accepted ehlo=b
                """#),
            DialogueRow(
                "§12: failure without a wait",
                #"""
                S: 220 mx ESMTP ready
                C: AUTH PLAIN
                s: 334 \r\n
                C: AGJvYgBwYXNz
                ? plain bob pass -> refuse "Invalid login or password"
                S: 535 5.7.0 Invalid login or password
                = refused
                """#),
            DialogueRow(
                "§12: the authenticator's own code",
                #"""
                S: 220 mx ESMTP ready
                C: AUTH PLAIN AGJvYgBwYXNz
                ? plain bob pass -> refuse "Try later" code "451 4.3.0"
                S: 451 4.3.0 Try later
                = refused
                """#),
            DialogueRow(
                "B9: a code that does not refuse is not believed",
                #"""
                S: 220 mx ESMTP ready
                C: AUTH PLAIN AGJvYgBwYXNz
                ? plain bob pass -> refuse "no" code "235 2.0.0" wait 1s
                ~ 1s
                S: 535 5.7.0 no
                C: AUTH PLAIN AGJvYgBwYXNz
                ? plain bob pass #2 -> refuse "no" code "55" wait 1s
                ~ 1s
                S: 535 5.7.0 no
                C: AUTH PLAIN AGJvYgBwYXNz
                ? plain bob pass #3 -> refuse "no" code "5501" wait 1s
                ~ 1s
                S: 535 5.7.0 no
                C: AUTH PLAIN AGJvYgBwYXNz
                ? plain bob pass #4 -> refuse "no" code "535" wait 1s
                ~ 1s
                S: 535 no
                """#),
            DialogueRow(
                "G4: who is locked out is told so whatever the password is worth, and that ends the session",
                #"""
                S: 220 mx ESMTP ready
                C: AUTH PLAIN AGJvYgBwYXNz
                ? plain bob pass -> limited by logins
                S: 421 4.7.0 mx Too many failed logins, try again later
                = limited
                """#),
            DialogueRow(
                "one session too many of a user",
                #"""
                S: 220 mx ESMTP ready
                C: AUTH PLAIN AGJvYgBwYXNz
                ? plain bob pass -> limited by connections
                S: 421 4.7.0 mx Too many connections
                = limited
                """#),
            DialogueRow(
                "nobody can tell whether the password is right",
                #"""
                S: 220 mx ESMTP ready
                C: AUTH PLAIN AGJvYgBwYXNz
                ? plain bob pass -> unavailable
                S: 451 4.3.2 Internal server error
                = unavailable
                """#),
            DialogueRow(
                "pipelined commands run behind a refusal and its wait",
                #"""
                S: 220 mx ESMTP ready
                C: AUTH LOGIN Ym9i
                C: cGFzcw==
                C: NOOP
                C: QUIT
                S: 334 UGFzc3dvcmQ6
                ? plain bob pass -> refuse "no" wait 9s
                ~ 9s
                S: 535 5.7.0 no
                S: 250 2.0.0 OK
                S: 221 2.0.0 Bye
                = quit
                """#),
            DialogueRow(
                "a cancelled exchange",
                #"""
                S: 220 mx ESMTP ready
                C: AUTH LOGIN
                S: 334 VXNlcm5hbWU6
                C: *
                S: 500 5.5.1 Invalid command
                C: NOOP
                S: 250 2.0.0 OK
                """#),
        ])
    func auth(_ row: DialogueRow) throws { try row.play(.smtp, SMTPFrontEnd.init) }

    @Test(
        "MAIL and RCPT",
        arguments: [
            DialogueRow(
                "authentication is required, and what is pipelined behind is not lost (§13 row 37)",
                #"""
                S: 220 mx ESMTP ready
                C: EHLO a
                C: MAIL FROM:<a@b>
                C: RCPT TO:<c@d>
                C: DATA
                C: QUIT
                S: 250-mx
                S: 250 AUTH PLAIN LOGIN
                ! rejected "MAIL FROM:<a@b>"
                S: 530 5.7.1 Authentication required
                S: 503 5.5.1 Bad sequence of commands
                S: 500 5.5.1 Invalid command
                S: 221 2.0.0 Bye
                = quit
                """#),
            DialogueRow(
                "nginx-mail.md §12: smtp_auth none",
                { $0.mechanisms = .none },
                #"""
                S: 220 mx ESMTP ready
                C: HELO h
                S: 250 mx
                C: MAIL FROM:<a@b> SIZE=9 \s
                S: 250 2.0.0 OK
                C: RCPT TO:<c@d>
                C: DATA
                ? none "" "" helo=h from=MAIL FROM:<a@b> SIZE=9 to=RCPT TO:<c@d> -> accept
                = accepted helo=h from=MAIL FROM:<a@b> SIZE=9 to=RCPT TO:<c@d>
                L: DATA
                """#),
            DialogueRow(
                "without HELO (§13 row 32); a refused recipient is forgotten, the sender stays",
                { $0.mechanisms = [.none] },
                #"""
                S: 220 mx ESMTP ready
                C: RCPT TO:<c@d>
                S: 503 5.5.1 Bad sequence of commands
                C: MAIL
                S: 501 5.5.4 Invalid argument
                C: MAIL FROM:<>
                S: 250 2.0.0 OK
                C: MAIL FROM:<>
                S: 503 5.5.1 Bad sequence of commands
                C: RCPT
                S: 501 5.5.4 Invalid argument
                C: RCPT TO:<c@d>
                C: RCPT TO:<e@f>
                ? none "" "" from=MAIL FROM:<> to=RCPT TO:<c@d> -> refuse "no" code "550 5.1.1" wait 1s
                ~ 1s
                S: 550 5.1.1 no
                ? none "" "" from=MAIL FROM:<> to=RCPT TO:<e@f> #2 -> refuse "no" wait 1s
                ~ 1s
                S: 535 5.7.0 no
                C: RSET
                S: 250 2.0.0 OK
                C: RCPT TO:<c@d>
                S: 503 5.5.1 Bad sequence of commands
                C: MAIL FROM:<x@y>
                S: 250 2.0.0 OK
                C: EHLO z
                S: 250 mx
                C: RCPT TO:<c@d>
                S: 503 5.5.1 Bad sequence of commands
                """#),
            DialogueRow(
                "B7: nothing of a failed AUTH is sent on with a later MAIL",
                { $0.mechanisms = [.plain, .none] },
                #"""
                S: 220 mx ESMTP ready
                C: AUTH PLAIN AGJvYgBwYXNz
                ? plain bob pass -> refuse "no" wait 1s
                ~ 1s
                S: 535 5.7.0 no
                C: MAIL FROM:<a@b>
                S: 250 2.0.0 OK
                C: AUTH PLAIN AGJvYgBwYXNz
                S: 503 5.5.1 Bad sequence of commands
                C: RCPT TO:<c@d>
                ? none "" "" from=MAIL FROM:<a@b> to=RCPT TO:<c@d> #2 -> accept
                = accepted from=MAIL FROM:<a@b> to=RCPT TO:<c@d>
                """#),
        ])
    func mail(_ row: DialogueRow) throws { try row.play(.smtp, SMTPFrontEnd.init) }
}
