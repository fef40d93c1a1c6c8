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
        "USER and PASS",
        arguments: [
            DialogueRow(
                "refused, then right, then the relay's input",
                #"""
                S: +OK POP3 ready
                C: USER ann
                S: +OK
                C: PASS wrong
                C: NOOP
                ? plain ann wrong -> refuse "no such user or password" wait 3s
                ~ 3s
                S: -ERR no such user or password
                S: +OK
                C: PASS right
                S: -ERR invalid command
                C: USER ann
                C: PASS right
                C: STAT
                S: +OK
                ? plain ann right #2 -> accept
                = accepted
                L: STAT
                """#),
            DialogueRow(
                "a refusal without a wait ends the session",
                #"""
                S: +OK POP3 ready
                C: USER ann
                S: +OK
                C: PASS x
                C: NOOP
                ? plain ann x -> refuse "no"
                S: -ERR no
                = refused
                L: NOOP
                """#),
            DialogueRow(
                "nobody can tell whether the password is right",
                #"""
                S: +OK POP3 ready
                C: USER ann
                S: +OK
                C: PASS x
                ? plain ann x -> unavailable
                S: -ERR internal server error
                = unavailable
                """#),
            DialogueRow(
                "B8: spaces inside and at the end belong to the argument",
                #"""
                S: +OK POP3 ready
                C: USER ann of green gables
                S: +OK
                C: PASS   a  b c d \s
                ? plain ann of green gables a  b c d   -> refuse "no" wait 1s
                ~ 1s
                S: -ERR no
                """#),
            DialogueRow(
                "B8: USER twice, and every refused command closes the login again",
                #"""
                S: +OK POP3 ready
                C: USER ann
                S: +OK
                C: USER bob
                S: -ERR invalid command
                C: PASS secret
                S: -ERR invalid command
                C: USER ann
                S: +OK
                C: AUTH
                S: -ERR invalid command
                C: PASS secret
                S: -ERR invalid command
                C: USER ann
                S: +OK
                C: XYZZ
                S: -ERR invalid command
                C: PASS secret
                S: -ERR invalid command
                C: USER ann
                S: +OK
                C: NOOP
                S: +OK
                C: PASS
                S: -ERR invalid command
                C: PASS secret
                S: -ERR invalid command
                C: USER ann
                S: +OK
                C: APOP ann 0123
                S: -ERR invalid command
                C: USER ann
                S: +OK
                C: QUIT
                S: +OK
                = quit
                """#),
            DialogueRow(
                "B5: control bytes in the name",
                #"""
                S: +OK POP3 ready
                C: USER a\tb
                S: -ERR invalid command
                C: USER a\x7Fb
                S: -ERR invalid command
                """#),
        ])
    func login(_ row: DialogueRow) throws { try row.play(.pop3, POP3FrontEnd.init) }

    @Test(
        "APOP and AUTH",
        arguments: [
            DialogueRow(
                "B6: APOP repeated after a wait keeps the greeting's salt",
                { $0.mechanisms = [.plain, .apop] },
                #"""
                S: +OK POP3 ready <0.7@mx>
                C: APOP ann c4c9334bac560ecc979e58001b3e22fb
                ? apop ann c4c9334bac560ecc979e58001b3e22fb salt=<0.7@mx> -> refuse "no" wait 1s
                ~ 1s
                S: -ERR no
                C: APOP ann c4c9334bac560ecc979e58001b3e22fb
                ? apop ann c4c9334bac560ecc979e58001b3e22fb salt=<0.7@mx> #2 -> accept
                = accepted
                """#),
            DialogueRow(
                "APOP with arguments missing or too many",
                { $0.mechanisms = [.apop] },
                #"""
                S: +OK POP3 ready <0.7@mx>
                C: APOP
                S: -ERR invalid command
                C: APOP ann
                S: -ERR invalid command
                C: APOP ann 1 2
                S: -ERR invalid command
                """#),
            DialogueRow(
                "B6: CRAM-MD5 repeated after a wait gets a fresh challenge",
                { $0.mechanisms = [.plain, .cramMD5] },
                #"""
                S: +OK POP3 ready <0.7@mx>
                C: AUTH CRAM-MD5
                S: + PDEuN0BteD4=
                C: Ym9iIDAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5YWJjZGVm
                ? cram-md5 bob 0123456789abcdef0123456789abcdef salt=<1.7@mx> -> refuse "no" wait 1s
                ~ 1s
                S: -ERR no
                C: AUTH CRAM-MD5
                S: + PDIuN0BteD4=
                C: Ym9iIDAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5YWJjZGVm
                ? cram-md5 bob 0123456789abcdef0123456789abcdef salt=<2.7@mx> #2 -> accept
                = accepted
                """#),
            DialogueRow(
                "a cancelled exchange leads back to the start",
                #"""
                S: +OK POP3 ready
                C: AUTH LOGIN
                S: + VXNlcm5hbWU6
                C: *
                S: -ERR invalid command
                C: USER ann
                S: +OK
                """#),
            DialogueRow(
                "a malformed line in an exchange is counted, and ends the exchange",
                { $0.maxErrors = 2 },
                #"""
                S: +OK POP3 ready
                C: AUTH LOGIN
                S: + VXNlcm5hbWU6
                C: YW\05u
                S: -ERR invalid command
                C: YW5u
                ! tooManyErrors
                S: -ERR invalid command
                = violation
                """#),
            DialogueRow(
                "B5: an over-long response ends the session and is not shown",
                { $0.clientBuffer = 32 },
                #"""
                S: +OK POP3 ready
                C: AUTH LOGIN
                S: + VXNlcm5hbWU6
                C: YW5u
                S: + UGFzc3dvcmQ6
                C: c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0
                ! tooLongCommand ""
                S: -ERR invalid command
                = violation
                """#),
        ])
    func auth(_ row: DialogueRow) throws { try row.play(.pop3, POP3FrontEnd.init) }

    @Test(
        "STLS",
        arguments: [
            DialogueRow(
                "A1, A6: nothing said in clear counts after TLS",
                {
                    $0.startTLS = .on
                    $0.mechanisms = [.plain, .apop]
                },
                #"""
                S: +OK POP3 ready <0.7@mx>
                C: CAPA
                S: +OK Capability list follows
                S: TOP
                S: USER
                S: UIDL
                S: SASL PLAIN LOGIN
                S: STLS
                S: .
                C: STLS
                C: USER ann
                S: +OK
                startTLS
                C: PASS secret
                S: -ERR invalid command
                C: STLS
                S: -ERR invalid command
                C: CAPA
                S: +OK Capability list follows
                S: TOP
                S: USER
                S: UIDL
                S: SASL PLAIN LOGIN
                S: .
                """#),
            DialogueRow(
                "behind USER it is too late, and CAPA says so",
                { $0.startTLS = .on },
                #"""
                S: +OK POP3 ready
                C: USER ann
                S: +OK
                C: CAPA
                S: +OK Capability list follows
                S: TOP
                S: USER
                S: UIDL
                S: SASL PLAIN LOGIN
                S: .
                C: STLS
                S: -ERR invalid command
                C: STLS
                S: +OK
                startTLS
                """#),
            DialogueRow(
                "starttls only refuses every login until TLS",
                {
                    $0.startTLS = .only
                    $0.mechanisms = [.plain, .apop]
                },
                #"""
                S: +OK POP3 ready <0.7@mx>
                C: CAPA
                S: +OK Capability list follows
                S: TOP
                S: UIDL
                S: STLS
                S: .
                C: USER ann
                S: -ERR invalid command
                C: APOP ann 0123
                S: -ERR invalid command
                C: AUTH
                S: -ERR invalid command
                C: AUTH PLAIN
                S: -ERR invalid command
                C: STLS
                S: +OK
                startTLS
                C: APOP ann 0123
                ? apop ann 0123 salt=<0.7@mx> -> accept
                = accepted
                """#),
        ])
    func startTLS(_ row: DialogueRow) throws { try row.play(.pop3, POP3FrontEnd.init) }

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
        let settings = ServerSettings(mailProtocol: .pop3, name: "mx", authenticator: .accounts(AccountsFile()))
        let salts = SaltFactory(serverName: "mx") { _ in SaltFactory.Nonce(random: 0, unixTime: 0) }
        let frontEnd = POP3FrontEnd(settings: settings, isSecure: false, salts: salts)
        #expect(frontEnd.farewell(.timeout) == .line("-ERR Connection timed out"))
        #expect(frontEnd.farewell(.busy) == .line("-ERR [SYS/TEMP] Too many connections"))
        #expect(frontEnd.farewell(.shutdown) == .line("-ERR [SYS/TEMP] Server shutting down"))
        #expect(frontEnd.farewell(.internalError) == .line("-ERR internal server error"))
    }
}
