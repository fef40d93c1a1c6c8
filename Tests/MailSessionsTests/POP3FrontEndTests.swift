import AsyncIO
import MailSessions
import TestSupport
import Testing

@Suite("POP3, the client's side")
struct POP3FrontEndTests {
    @Test(
        "commands",
        arguments: [
            DialogueRow(
                "every command that needs no login, in any case",
                #"""
                S: +OK POP3 ready
                C: CAPA
                S: +OK Capability list follows
                S: TOP
                S: USER
                S: UIDL
                S: SASL PLAIN LOGIN
                S: .
                C: noop
                S: +OK
                C: AUTH
                S: +OK methods supported:
                S: PLAIN
                S: LOGIN
                S: .
                C: Quit
                C: NOOP
                S: +OK
                = quit
                L: NOOP
                """#),
            DialogueRow(
                "every mechanism, and the greeting's salt",
                {
                    $0.mechanisms = [.external, .cramMD5, .apop, .plain]
                    $0.capabilities = ["EXPIRE NEVER"]
                },
                #"""
                S: +OK POP3 ready <0.7@mx>
                C: CAPA
                S: +OK Capability list follows
                S: EXPIRE NEVER
                S: SASL PLAIN LOGIN CRAM-MD5 EXTERNAL
                S: .
                C: AUTH
                S: +OK methods supported:
                S: PLAIN
                S: LOGIN
                S: CRAM-MD5
                S: EXTERNAL
                S: .
                """#),
            DialogueRow(
                "with apop alone SASL has nothing to offer",
                { $0.mechanisms = .apop },
                #"""
                S: +OK POP3 ready <0.7@mx>
                C: CAPA
                S: +OK Capability list follows
                S: TOP
                S: USER
                S: UIDL
                S: SASL
                S: .
                """#),
            DialogueRow(
                "B8: AUTH without an argument lists the mechanisms, and is refused behind USER",
                #"""
                S: +OK POP3 ready
                C: auth
                S: +OK methods supported:
                S: PLAIN
                S: LOGIN
                S: .
                C: USER ann
                S: +OK
                C: AUTH
                S: -ERR invalid command
                C: PASS secret
                S: -ERR invalid command
                """#),
            DialogueRow(
                "what is known is not counted, what is unknown is",
                { $0.maxErrors = 2 },
                #"""
                S: +OK POP3 ready
                C: PASS secret
                S: -ERR invalid command
                C: STLS
                S: -ERR invalid command
                C: APOP ann 0123
                S: -ERR invalid command
                C: AUTH PLAIN a b
                S: -ERR invalid command
                C: USER
                S: -ERR invalid command
                C: STAT
                S: -ERR invalid command
                C: LIST
                C: NOOP
                ! tooManyErrors
                S: -ERR invalid command
                = violation
                L: NOOP
                """#),
            DialogueRow(
                "B4: NUL, bare CR, 8-bit, empty lines, no verb; a bare LF ends a line here",
                { $0.maxErrors = 20 },
                #"""
                S: +OK POP3 ready
                C: NOOP\0
                S: -ERR invalid command
                C: NOOP\rNOOP
                S: -ERR invalid command
                C:
                S: -ERR invalid command
                C:  NOOP
                S: -ERR invalid command
                C: NO\xC3\xA4P
                S: -ERR invalid command
                C: NOOP4
                S: -ERR invalid command
                C: NOOP 1 2 3
                S: +OK
                C: NOOP 1 2 3 4
                S: -ERR invalid command
                c: NOOP\nNOOP\n
                S: +OK
                S: +OK
                """#),
            DialogueRow(
                "a bare LF where it is refused",
                { $0.bareLineFeed = .refuse },
                #"""
                S: +OK POP3 ready
                c: NOOP\nNOOP\r\n
                S: -ERR invalid command
                S: +OK
                """#),
            DialogueRow(
                "A5: an HTTP request ends the session at once",
                #"""
                S: +OK POP3 ready
                C: GET /?x=y HTTP/1.0
                C: USER ann
                ! foreignProtocol "GET"
                S: -ERR invalid command
                = violation
                """#),
        ])
    func commands(_ row: DialogueRow) throws { try row.play(.pop3, POP3FrontEnd.init) }

    @Test(
        "pop3_client_buffer, at and one past",
        arguments: [
            DialogueRow(
                "a line of exactly the limit",
                { $0.clientBuffer = 16 },
                #"""
                S: +OK POP3 ready
                C: USER 678901234
                S: +OK
                C: USER 6789012345
                ! tooLongCommand "USER 6789012345\r"
                S: -ERR invalid command
                = violation
                """#),
            DialogueRow(
                "short commands never add up (§10 row 3)",
                { $0.clientBuffer = 16 },
                #"""
                S: +OK POP3 ready
                C: USER 678901234
                C: NOOP
                C: NOOP
                c: NO
                S: +OK
                S: +OK
                S: +OK
                C: OP
                S: +OK
                """#),
            DialogueRow(
                "no password in the excerpt (§13 row 36), even with the space forgotten",
                { $0.clientBuffer = 16 },
                #"""
                S: +OK POP3 ready
                C: USER ann
                S: +OK
                C: passsecretsecretsecret
                ! tooLongCommand "pass"
                S: -ERR invalid command
                = violation
                """#),
        ])
    func limits(_ row: DialogueRow) throws { try row.play(.pop3, POP3FrontEnd.init) }

    @Test("farewells")
    func farewells() {
        let settings = ServerSettings.fixture(.pop3)
        let frontEnd = POP3FrontEnd(settings: settings, isSecure: false, salts: .counting)
        #expect(frontEnd.farewell(.timeout) == .line("-ERR Connection timed out"))
        #expect(frontEnd.farewell(.busy) == .line("-ERR [SYS/TEMP] Too many connections"))
        #expect(frontEnd.farewell(.shutdown) == .line("-ERR [SYS/TEMP] Server shutting down"))
        #expect(frontEnd.farewell(.internalError) == .line("-ERR internal server error"))
    }
}
