import AsyncIO
import MailSessions
import TestSupport
import Testing

@Suite("SMTP, the client's side")
struct SMTPFrontEndTests {
    @Test(
        "commands",
        arguments: [
            DialogueRow(
                "every command that needs no login, in any case",
                #"""
                S: 220 mx ESMTP ready
                C: EHLO laptop
                S: 250-mx
                S: 250 AUTH PLAIN LOGIN
                C: helo laptop
                S: 250 mx
                C: NOOP
                S: 250 2.0.0 OK
                C: RSET
                S: 250 2.0.0 OK
                C: QUIT
                C: NOOP
                S: 221 2.0.0 Bye
                = quit
                L: NOOP
                """#),
            DialogueRow(
                "configured words, then every mechanism in the fixed order",
                {
                    $0.mechanisms = [.external, .cramMD5, .login, .plain, .none]
                    $0.capabilities = ["SIZE 1000", "8BITMIME"]
                },
                #"""
                S: 220 mx ESMTP ready
                C: EHLO laptop
                S: 250-mx
                S: 250-SIZE 1000
                S: 250-8BITMIME
                S: 250 AUTH PLAIN LOGIN CRAM-MD5 EXTERNAL
                """#),
            DialogueRow(
                "without mechanisms no AUTH line",
                { $0.mechanisms = .none },
                #"""
                S: 220 mx ESMTP ready
                C: EHLO laptop
                S: 250 mx
                """#),
            DialogueRow(
                "wrong arguments",
                { $0.maxErrors = 1 },
                #"""
                S: 220 mx ESMTP ready
                C: HELO
                S: 501 5.5.4 Invalid argument
                C: EHLO a b
                S: 501 5.5.4 Invalid argument
                C: AUTH
                S: 501 5.5.4 Invalid argument
                C: AUTH SCRAM-SHA-1
                S: 500 5.5.1 Invalid command
                C: AUTH PLAIN a b
                S: 500 5.5.1 Invalid command
                """#),
            DialogueRow(
                "B9: what is known but not served is not counted, what is unknown is; never a false 250",
                { $0.maxErrors = 3 },
                #"""
                S: 220 mx ESMTP ready
                C: DATA
                S: 500 5.5.1 Invalid command
                C: VRFY ann
                S: 500 5.5.1 Invalid command
                C: EXPN list
                S: 500 5.5.1 Invalid command
                C: HELP
                S: 500 5.5.1 Invalid command
                C: STARTTLS
                S: 500 5.5.1 Invalid command
                C: BDAT 5 LAST
                S: 500 5.5.1 Invalid command
                C: XCLIENT ADDR=192.0.2.1 LOGIN=ann
                S: 500 5.5.1 Invalid command
                C: hello
                C: NOOP
                ! tooManyErrors
                S: 500 5.5.1 Invalid command
                = violation
                L: NOOP
                """#),
            DialogueRow(
                "arguments, at the limit and one past",
                #"""
                S: 220 mx ESMTP ready
                C: NOOP 1 2 3 4 5 6 7 8 9 10 11
                S: 250 2.0.0 OK
                C: NOOP 1 2 3 4 5 6 7 8 9 10 11 12
                S: 500 5.5.1 Invalid command
                """#),
            DialogueRow(
                "C8, §13 row 29: a bare LF, a bare CR and NUL are refused and counted",
                { $0.maxErrors = 4 },
                #"""
                S: 220 mx ESMTP ready
                c: NOOP\nNOOP\r\n
                S: 500 5.5.1 Invalid command
                S: 250 2.0.0 OK
                c: NOOP\rNOOP\r\n
                S: 500 5.5.1 Invalid command
                C: NOOP \0
                S: 500 5.5.1 Invalid command
                c: \n
                ! tooManyErrors
                S: 500 5.5.1 Invalid command
                = violation
                """#),
            DialogueRow(
                "a bare LF where it is accepted",
                { $0.bareLineFeed = .accept },
                #"""
                S: 220 mx ESMTP ready
                c: NOOP\nNOOP\n
                S: 250 2.0.0 OK
                S: 250 2.0.0 OK
                """#),
            DialogueRow(
                "A5: an HTTP request ends the session at once",
                #"""
                S: 220 mx ESMTP ready
                C: POST / HTTP/1.1
                C: Host: mx
                C: AUTH PLAIN AGFubgBzZWNyZXQ=
                ! foreignProtocol "POST"
                S: 500 5.5.1 Invalid command
                = violation
                """#),
            DialogueRow(
                "A5: also with bare line feeds",
                #"""
                S: 220 mx ESMTP ready
                c: PUT /a HTTP/1.1\nHost: mx\n
                ! foreignProtocol "PUT"
                S: 500 5.5.1 Invalid command
                = violation
                """#),
        ])
    func commands(_ row: DialogueRow) throws { try row.play(.smtp, SMTPFrontEnd.init) }

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

    @Test(
        "smtp_greeting_delay",
        arguments: [
            DialogueRow(
                "a client that waits is greeted",
                { $0.greetingDelay = .seconds(5) },
                #"""
                ~ 5s unless input
                S: 220 mx ESMTP ready
                C: NOOP
                S: 250 2.0.0 OK
                """#),
            DialogueRow(
                "a client that talks early is not",
                { $0.greetingDelay = .seconds(5) },
                #"""
                ~ 5s unless input
                C: EHLO spam
                ! rejectedBeforeGreeting
                S: 503 5.5.0 Improper use of SMTP command pipelining
                = violation
                """#),
        ])
    func greetingDelay(_ row: DialogueRow) throws { try row.play(.smtp, SMTPFrontEnd.init) }

    @Test("bytes that came before the delay began are early too")
    func earlyBytes() {
        var settings = ServerSettings(mailProtocol: .smtp, name: "mx", authenticator: .accounts(AccountsFile()))
        settings.greetingDelay = .seconds(5)
        var frontEnd = SMTPFrontEnd(settings: settings, isSecure: false, salts: salts)
        frontEnd.input.append(contentsOf: Array("EHLO spam\r\n".utf8))
        guard case .note(.rejectedBeforeGreeting(let excerpt)) = frontEnd.next() else {
            Issue.record("greeted")
            return
        }
        #expect(excerpt == Array("EHLO spam\r\n".utf8))
    }

    @Test(
        "smtp_client_buffer, at and one past",
        arguments: [
            DialogueRow(
                "a line of exactly the limit",
                { $0.clientBuffer = 16 },
                #"""
                S: 220 mx ESMTP ready
                C: HELO 678901234
                S: 250 mx
                C: HELO 6789012345
                ! tooLongCommand "HELO 6789012345\r"
                S: 500 5.5.1 Invalid command
                = violation
                """#),
            DialogueRow(
                "no password in the excerpt (§13 row 36)",
                { $0.clientBuffer = 16 },
                #"""
                S: 220 mx ESMTP ready
                C: auth plain AGJvYgBwYXNz
                ! tooLongCommand "auth"
                S: 500 5.5.1 Invalid command
                = violation
                """#),
            DialogueRow(
                "an excerpt is bounded",
                { $0.clientBuffer = 150 },
                #"""
                S: 220 mx ESMTP ready
                c: MAIL 6789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890
                ! tooLongCommand "MAIL 678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678"
                S: 500 5.5.1 Invalid command
                = violation
                """#),
        ])
    func limits(_ row: DialogueRow) throws { try row.play(.smtp, SMTPFrontEnd.init) }

    @Test("farewells")
    func farewells() {
        let settings = ServerSettings(mailProtocol: .smtp, name: "mx", authenticator: .accounts(AccountsFile()))
        let frontEnd = SMTPFrontEnd(settings: settings, isSecure: false, salts: salts)
        #expect(frontEnd.farewell(.timeout) == .line("421 4.4.2 mx Connection timed out"))
        #expect(frontEnd.farewell(.busy) == .line("421 4.3.2 mx Too many connections"))
        #expect(frontEnd.farewell(.shutdown) == .line("421 4.3.2 mx Server shutting down"))
        #expect(frontEnd.farewell(.internalError) == .line("451 4.3.2 Internal server error"))
    }

    private var salts: SaltFactory { SaltFactory(serverName: "mx") { _ in SaltFactory.Nonce(random: 0, unixTime: 0) } }
}
