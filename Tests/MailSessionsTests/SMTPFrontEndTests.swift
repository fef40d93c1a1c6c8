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
                "B9: a flood of recipients, and RSET and BDAT in the middle of one segment: nothing is lost, nothing is a false 250",
                { $0.mechanisms = .none },
                #"""
                S: 220 mx ESMTP ready
                C: RCPT TO:<a@b>
                C: RCPT TO:<c@d>
                C: BDAT 5 LAST
                C: MAIL FROM:<e@f>
                C: RSET
                C: RCPT TO:<g@h>
                C: DATA
                C: NOOP
                S: 503 5.5.1 Bad sequence of commands
                S: 503 5.5.1 Bad sequence of commands
                S: 500 5.5.1 Invalid command
                S: 250 2.0.0 OK
                S: 250 2.0.0 OK
                S: 503 5.5.1 Bad sequence of commands
                S: 500 5.5.1 Invalid command
                S: 250 2.0.0 OK
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
        var settings = ServerSettings.fixture(.smtp)
        settings.greetingDelay = .seconds(5)
        var frontEnd = SMTPFrontEnd(settings: settings, isSecure: false, salts: .counting)
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
        let settings = ServerSettings.fixture(.smtp)
        let frontEnd = SMTPFrontEnd(settings: settings, isSecure: false, salts: .counting)
        #expect(frontEnd.farewell(.timeout) == .line("421 4.4.2 mx Connection timed out"))
        #expect(frontEnd.farewell(.busy) == .line("421 4.3.2 mx Too many connections"))
        #expect(frontEnd.farewell(.shutdown) == .line("421 4.3.2 mx Server shutting down"))
        #expect(frontEnd.farewell(.internalError) == .line("451 4.3.2 Internal server error"))
    }
}
