import AsyncIO
import MailSessions
import TestSupport
import Testing

@Suite("IMAP, the client's side")
struct IMAPFrontEndTests {
    @Test(
        "commands",
        arguments: [
            DialogueRow(
                "every command that needs no login",
                #"""
                S: * OK IMAP4 ready
                C: a1 CAPABILITY
                S: * CAPABILITY IMAP4 IMAP4rev1 UIDPLUS AUTH=PLAIN
                S: a1 OK completed
                C: a2 noop
                S: a2 OK completed
                C: a3 Noop with arguments ignored
                S: a3 OK completed
                C: a4 LOGOUT
                S: * BYE
                S: a4 OK completed
                = quit
                """#),
            DialogueRow(
                "pipelined commands are answered in order, and nothing behind LOGOUT is read",
                #"""
                S: * OK IMAP4 ready
                C: 1 NOOP
                C: 2 NOOP
                C: 3 LOGOUT
                C: 4 NOOP
                S: 1 OK completed
                S: 2 OK completed
                S: * BYE
                S: 3 OK completed
                = quit
                L: 4 NOOP
                """#),
            DialogueRow(
                "spaces between words and at the end",
                #"""
                S: * OK IMAP4 ready
                C: a   LOGIN   ann   secret\s\s
                ? plain ann secret -> accept
                = accepted a
                """#),
            DialogueRow(
                "every configured mechanism in the fixed order",
                {
                    $0.mechanisms = [.external, .cramMD5, .login, .plain]
                    $0.capabilities = ["IMAP4rev1", "ID"]
                },
                #"""
                S: * OK IMAP4 ready
                C: a CAPABILITY
                S: * CAPABILITY IMAP4rev1 ID AUTH=PLAIN AUTH=LOGIN AUTH=CRAM-MD5 AUTH=EXTERNAL
                S: a OK completed
                """#),
            DialogueRow(
                "ID is answered before the login, whatever it holds",
                #"""
                S: * OK IMAP4 ready
                C: a ID NIL
                S: * ID NIL
                S: a OK completed
                C: b ID ()
                S: * ID NIL
                S: b OK completed
                C: c ID ("name" "Thunderbird (x)" "version" NIL)
                S: * ID NIL
                S: c OK completed
                C: d ID ("name" {6+}
                C: ab) cd "x-originating-ip" {4}
                S: + OK
                C: 1\0\0)
                S: d BAD invalid command
                C: e ID ("name" {6+}
                c: a(\r\n)b
                C:  "x" "y" {0+}
                C: )
                S: * ID NIL
                S: e OK completed
                C: f NOOP
                S: f OK completed
                """#),
            DialogueRow(
                "B2: lists without end, nested or missing",
                { $0.maxErrors = 9 },
                #"""
                S: * OK IMAP4 ready
                C: a ID ((((((((((((((((((((
                S: a BAD invalid command
                C: b ID ("name"
                S: b BAD invalid command
                C: c ID
                S: c BAD invalid command
                C: d ID "name"
                S: d BAD invalid command
                C: e ID () ()
                S: e BAD invalid command
                C: f ID )
                S: f BAD invalid command
                C: g ID NIL NIL
                S: g BAD invalid command
                C: h NOOP
                S: h OK completed
                """#),
        ])
    func commands(_ row: DialogueRow) throws { try row.play(.imap, IMAPFrontEnd.init) }

    @Test(
        "LOGIN",
        arguments: [
            DialogueRow(
                "nginx-mail.md §12: quoted, and a synchronizing literal",
                { $0.startTLS = .on },
                #"""
                S: * OK IMAP4 ready
                C: a1 CAPABILITY
                S: * CAPABILITY IMAP4 IMAP4rev1 UIDPLUS AUTH=PLAIN STARTTLS
                S: a1 OK completed
                C: a2 LOGIN "bob" {4}
                S: + OK
                C: pass
                ? plain bob pass -> accept
                = accepted a2
                """#),
            DialogueRow(
                "§12: failure with a wait, and the session goes on with what was pipelined",
                #"""
                S: * OK IMAP4 ready
                C: a2 LOGIN bob wrong
                C: a3 NOOP
                ? plain bob wrong -> refuse "Invalid login or password" wait 3s
                ~ 3s
                S: a2 NO Invalid login or password
                S: a3 OK completed
                C: a4 LOGIN bob right
                ? plain bob right #2 -> accept
                = accepted a4
                """#),
            DialogueRow(
                "a refusal without a wait ends the session",
                #"""
                S: * OK IMAP4 ready
                C: t LOGIN bob wrong
                ? plain bob wrong -> refuse "No"
                S: t NO No
                = refused
                """#),
            DialogueRow(
                "control bytes of a refusal stay out of the reply (§13 row 34)",
                #"""
                S: * OK IMAP4 ready
                C: t LOGIN bob wrong
                ? plain bob wrong -> refuse "No\r\n* OK" wait 1s
                ~ 1s
                S: t NO No  * OK
                """#),
            DialogueRow(
                "nobody can tell whether the password is right",
                #"""
                S: * OK IMAP4 ready
                C: t LOGIN bob x
                ? plain bob x -> unavailable
                S: * BAD internal server error
                = unavailable
                """#),
            DialogueRow(
                "B3: non-synchronizing literals, and what follows the login is left for the relay",
                #"""
                S: * OK IMAP4 ready
                C: a LOGIN {3+}
                C: ann {6+}
                C: se}ret
                C: b SELECT INBOX
                ? plain ann se}ret -> accept
                = accepted a
                L: b SELECT INBOX
                """#),
            DialogueRow(
                "two synchronizing literals",
                #"""
                S: * OK IMAP4 ready
                C: a LOGIN {3}
                S: + OK
                C: ann {6}
                S: + OK
                C: secret
                ? plain ann secret -> accept
                = accepted a
                """#),
            DialogueRow(
                "a literal is taken as it is, line ends and quotes included",
                #"""
                S: * OK IMAP4 ready
                C: a LOGIN ann {7+}
                c: "\r\n{1}\n
                C:
                ? plain ann "\r\n{1}\n -> accept
                = accepted a
                """#),
            DialogueRow(
                "quoted strings with escapes, spaces and braces",
                #"""
                S: * OK IMAP4 ready
                C: a LOGIN "an\\"n" "a \\\\ {3}"
                ? plain an"n a \ {3} -> accept
                = accepted a
                """#),
            DialogueRow(
                "no space is needed behind a quoted string, and an atom may hold quotes and 8-bit",
                #"""
                S: * OK IMAP4 ready
                C: a LOGIN "ann"p"äs
                ? plain ann p"äs -> accept
                = accepted a
                """#),
            DialogueRow(
                "empty literals and strings are empty (§13 row 6)",
                #"""
                S: * OK IMAP4 ready
                C: a LOGIN bob {0}
                S: + OK
                C:
                ? plain bob "" -> refuse "no" wait 1s
                ~ 1s
                S: a NO no
                C: b LOGIN bob ""
                ? plain bob "" #2 -> refuse "no" wait 1s
                ~ 1s
                S: b NO no
                C: c LOGIN {0+}
                C:  x
                S: c BAD invalid command
                C: d LOGIN "" x
                S: d BAD invalid command
                """#),
            DialogueRow(
                "wrong arity is answered and not counted",
                { $0.maxErrors = 1 },
                #"""
                S: * OK IMAP4 ready
                C: a LOGIN
                S: a BAD invalid command
                C: b LOGIN ann
                S: b BAD invalid command
                C: c LOGIN ann secret more
                S: c BAD invalid command
                """#),
            DialogueRow(
                "B5: a line end or NUL in the name or a NUL in the password is refused, and all of it swallowed",
                #"""
                S: * OK IMAP4 ready
                C: a LOGIN {4+}
                c: a\r\nb
                C:  secret
                S: a BAD invalid command
                C: b LOGIN ann {3+}
                C: s\0t
                S: b BAD invalid command
                C: c LOGIN {2+}
                C: a\0 {6+}
                C: secret
                S: c BAD invalid command
                C: d NOOP
                S: d OK completed
                """#),
        ])
    func login(_ row: DialogueRow) throws { try row.play(.imap, IMAPFrontEnd.init) }

    @Test(
        "errors",
        arguments: [
            DialogueRow(
                "max_errors, at and one past",
                { $0.maxErrors = 3 },
                #"""
                S: * OK IMAP4 ready
                C: a SELECT INBOX
                S: a BAD invalid command
                C:
                S: * BAD invalid command
                C: b FETCH
                C: c NOOP
                ! tooManyErrors
                S: b BAD invalid command
                = violation
                L: c NOOP
                """#),
            DialogueRow(
                "max_errors 0 closes at the first",
                { $0.maxErrors = 0 },
                #"""
                S: * OK IMAP4 ready
                C: a SELECT
                ! tooManyErrors
                S: a BAD invalid command
                = violation
                """#),
            DialogueRow(
                "B4: tags missing, huge, * and +, and the stale tag of §13 row 7",
                { $0.maxErrors = 20 },
                #"""
                S: * OK IMAP4 ready
                C: a.b-c_9 NOOP
                S: a.b-c_9 OK completed
                C: * NOOP
                S: * BAD invalid command
                C: + NOOP
                S: * BAD invalid command
                C: NOOP
                S: * BAD invalid command
                C:  a NOOP
                S: * BAD invalid command
                C: 12345678901234567890123456789012 NOOP
                S: 12345678901234567890123456789012 OK completed
                C: 123456789012345678901234567890123 NOOP
                S: * BAD invalid command
                C: a\x80 NOOP
                S: * BAD invalid command
                C: a\s
                S: a BAD invalid command
                C: a NOOP\x80
                S: a BAD invalid command
                """#),
            DialogueRow(
                "B4: NUL, bare CR; a bare LF ends a line here",
                #"""
                S: * OK IMAP4 ready
                C: a NOOP \0
                S: a BAD invalid command
                C: b NOOP\rc NOOP
                S: b BAD invalid command
                C: d NOOP\r
                S: d BAD invalid command
                c: e NOOP\nf NOOP\n
                S: e OK completed
                S: f OK completed
                """#),
            DialogueRow(
                "a bare LF where it is refused",
                { $0.bareLineFeed = .refuse },
                #"""
                S: * OK IMAP4 ready
                c: e NOOP\nf NOOP\r\n
                S: e BAD invalid command
                S: f OK completed
                """#),
            DialogueRow(
                "B1: literals that are none stay in step",
                { $0.maxErrors = 20 },
                #"""
                S: * OK IMAP4 ready
                C: a LOGIN {4294967296}
                S: a BAD invalid command
                C: b LOGIN {99999999999999999999}
                S: b BAD invalid command
                C: c LOGIN {-1}
                S: c BAD invalid command
                C: d LOGIN {+5}
                S: d BAD invalid command
                C: e LOGIN {00005}
                S: e BAD invalid command
                C: f LOGIN {}
                S: f BAD invalid command
                C: g LOGIN {3} x
                S: g BAD invalid command
                C: h LOGIN ann pa{3}
                S: h BAD invalid command
                C: i LOGIN {3
                S: i BAD invalid command
                C: j LOGIN ann p{x
                ? plain ann p{x -> refuse "no" wait 1s
                ~ 1s
                S: j NO no
                C: k SELECT {3}
                S: k BAD invalid command
                C: l NOOP
                S: l OK completed
                """#),
            DialogueRow(
                "B1: behind a literal only a space or the end",
                #"""
                S: * OK IMAP4 ready
                C: a LOGIN {3+}
                C: annx secret
                S: a BAD invalid command
                C: b NOOP
                S: b OK completed
                """#),
            DialogueRow(
                "B1: a non-synchronizing literal behind what is refused ends the session",
                #"""
                S: * OK IMAP4 ready
                C: a SELECT {9+}
                C: x LOGOUT
                S: a BAD invalid command
                = violation
                L: x LOGOUT
                """#),
            DialogueRow(
                "B1: the same for {5++}",
                #"""
                S: * OK IMAP4 ready
                C: a LOGIN {5++}
                S: a BAD invalid command
                = violation
                """#),
            DialogueRow(
                "B1: the same for an atom that ends so",
                #"""
                S: * OK IMAP4 ready
                C: a LOGIN ann x{5+}
                S: a BAD invalid command
                = violation
                """#),
            DialogueRow(
                "B1: the same for the fourth argument",
                #"""
                S: * OK IMAP4 ready
                C: a NOOP 1 2 3 {5+}
                S: a BAD invalid command
                = violation
                """#),
            DialogueRow(
                "B1: the same where a stray CR hides the end",
                #"""
                S: * OK IMAP4 ready
                C: a LOGIN ann {5+}\r
                S: a BAD invalid command
                = violation
                """#),
            DialogueRow(
                "a quote without end (§13 row 6), and the next command is understood",
                #"""
                S: * OK IMAP4 ready
                C: a LOGIN ann "secret
                S: a BAD invalid command
                C: b LOGIN ann "secret\\
                S: b BAD invalid command
                C: c LOGIN ann "secret"
                ? plain ann secret -> accept
                = accepted c
                """#),
            DialogueRow(
                "A5: an HTTP request ends the session at once",
                #"""
                S: * OK IMAP4 ready
                C: POST /a LOGIN HTTP/1.1
                C: a LOGIN ann secret
                ! foreignProtocol "POST"
                S: * BAD invalid command
                = violation
                """#),
        ])
    func errors(_ row: DialogueRow) throws { try row.play(.imap, IMAPFrontEnd.init) }

    @Test(
        "imap_client_buffer, at and one past",
        arguments: [
            DialogueRow(
                "a line of exactly the limit",
                { $0.clientBuffer = 16 },
                #"""
                S: * OK IMAP4 ready
                C: a NOOP 9012345
                S: a OK completed
                """#),
            DialogueRow(
                "a line one byte longer",
                { $0.clientBuffer = 16 },
                #"""
                S: * OK IMAP4 ready
                C: a NOOP 90123456
                ! tooLongCommand "a NOOP 90123456\r"
                S: a BAD invalid command
                = violation
                """#),
            DialogueRow(
                "a line without end",
                { $0.clientBuffer = 16 },
                #"""
                S: * OK IMAP4 ready
                c: aNOOP9012345678901234567890
                ! tooLongCommand "aNOOP90123456789"
                S: * BAD invalid command
                = violation
                """#),
            DialogueRow(
                "no password in the excerpt (§13 row 36)",
                { $0.clientBuffer = 32 },
                #"""
                S: * OK IMAP4 ready
                C: a LOGIN ann secretsecretsecretsecret
                ! tooLongCommand "a LOGIN"
                S: a BAD invalid command
                = violation
                """#),
            DialogueRow(
                "a literal that just fits with its line end",
                { $0.clientBuffer = 28 },
                #"""
                S: * OK IMAP4 ready
                C: a LOGIN ann {9}
                S: + OK
                C: 123456789
                ? plain ann 123456789 -> accept
                = accepted a
                """#),
            DialogueRow(
                "a literal one byte longer is not asked for, and the session stays in step",
                { $0.clientBuffer = 29 },
                #"""
                S: * OK IMAP4 ready
                C: a LOGIN ann {10}
                S: a BAD invalid command
                C: b NOOP
                S: b OK completed
                """#),
            DialogueRow(
                "a non-synchronizing literal one byte longer ends the session",
                { $0.clientBuffer = 33 },
                #"""
                S: * OK IMAP4 ready
                C: a LOGIN ann {13+}
                ! tooLongCommand "a LOGIN"
                S: a BAD invalid command
                = violation
                """#),
            DialogueRow(
                "too much behind a literal",
                { $0.clientBuffer = 32 },
                #"""
                S: * OK IMAP4 ready
                C: a LOGIN {3+}
                C: ann 12345678901234567890
                ! tooLongCommand "a LOGIN"
                S: a BAD invalid command
                = violation
                """#),
            DialogueRow(
                "short commands never add up (§13 row 18)",
                { $0.clientBuffer = 16 },
                #"""
                S: * OK IMAP4 ready
                C: a NOOP
                C: b NOOP
                C: c NOOP
                c: d NO
                S: a OK completed
                S: b OK completed
                S: c OK completed
                C: OP
                S: d OK completed
                """#),
        ])
    func limits(_ row: DialogueRow) throws { try row.play(.imap, IMAPFrontEnd.init) }

    @Test(
        "STARTTLS",
        arguments: [
            DialogueRow(
                "A1: what came behind STARTTLS in clear is never executed",
                { $0.startTLS = .on },
                #"""
                S: * OK IMAP4 ready
                C: a STARTTLS
                C: b LOGIN ann secret
                S: a OK completed
                startTLS
                C: c CAPABILITY
                S: * CAPABILITY IMAP4 IMAP4rev1 UIDPLUS AUTH=PLAIN
                S: c OK completed
                C: d STARTTLS
                S: d BAD invalid command
                C: e LOGIN ann secret
                ? plain ann secret -> accept
                = accepted e
                """#),
            DialogueRow(
                "starttls only refuses every login until TLS",
                {
                    $0.startTLS = .only
                    $0.mechanisms = [.plain, .external]
                },
                #"""
                S: * OK IMAP4 ready
                C: a CAPABILITY
                S: * CAPABILITY IMAP4 IMAP4rev1 UIDPLUS STARTTLS LOGINDISABLED
                S: a OK completed
                C: b LOGIN ann secret
                S: b BAD invalid command
                C: c AUTHENTICATE PLAIN
                S: c BAD invalid command
                C: d AUTHENTICATE EXTERNAL =
                S: d BAD invalid command
                C: e STARTTLS
                S: e OK completed
                startTLS
                C: f AUTHENTICATE PLAIN
                s: + \r\n
                C: AGFubgBzZWNyZXQ=
                ? plain ann secret -> accept
                = accepted f
                """#),
            DialogueRow(
                "starttls only does not ask for a password in a literal, and swallows one that comes unasked",
                { $0.startTLS = .only },
                #"""
                S: * OK IMAP4 ready
                C: a LOGIN ann {6}
                S: a BAD invalid command
                C: b LOGIN {3+}
                C: ann {6}
                S: b BAD invalid command
                C: c LOGIN ann {6+}
                C: secret
                S: c BAD invalid command
                C: d AUTHENTICATE {5}
                S: d BAD invalid command
                C: e ID ("x" {1}
                S: + OK
                C: y)
                S: * ID NIL
                S: e OK completed
                """#),
            DialogueRow(
                "not offered, not accepted",
                #"""
                S: * OK IMAP4 ready
                C: a STARTTLS
                S: a BAD invalid command
                """#),
            DialogueRow(
                "errors and attempts are counted across TLS (§3.7)",
                {
                    $0.startTLS = .on
                    $0.maxErrors = 2
                },
                #"""
                S: * OK IMAP4 ready
                C: a LOGIN ann x
                ? plain ann x -> refuse "no" wait 1s
                ~ 1s
                S: a NO no
                C: b XYZ
                S: b BAD invalid command
                C: c STARTTLS
                S: c OK completed
                startTLS
                C: d LOGIN ann y
                ? plain ann y #2 -> refuse "no" wait 1s
                ~ 1s
                S: d NO no
                C: e XYZ
                ! tooManyErrors
                S: e BAD invalid command
                = violation
                """#),
        ])
    func startTLS(_ row: DialogueRow) throws { try row.play(.imap, IMAPFrontEnd.init) }

    @Test(
        "implicit TLS needs and offers no STARTTLS",
        arguments: [
            DialogueRow(
                "starttls only",
                { $0.startTLS = .only },
                #"""
                S: * OK IMAP4 ready
                C: a CAPABILITY
                S: * CAPABILITY IMAP4 IMAP4rev1 UIDPLUS AUTH=PLAIN
                S: a OK completed
                C: b STARTTLS
                S: b BAD invalid command
                C: c LOGIN ann secret
                ? plain ann secret -> accept
                = accepted c
                """#)
        ])
    func secure(_ row: DialogueRow) throws { try row.play(.imap, isSecure: true, IMAPFrontEnd.init) }

    @Test(
        "AUTHENTICATE",
        arguments: [
            DialogueRow(
                "the tag outlives the continuation, and is in the refusal",
                #"""
                S: * OK IMAP4 ready
                C: a AUTHENTICATE LOGIN
                S: + VXNlcm5hbWU6
                C: YW5u
                S: + UGFzc3dvcmQ6
                C: c2VjcmV0
                ? plain ann secret -> refuse "no" wait 2s
                ~ 2s
                S: a NO no
                C: b AUTHENTICATE LOGIN
                S: + VXNlcm5hbWU6
                C: !
                ! invalidBase64 LOGIN
                S: b BAD invalid command
                """#),
            DialogueRow(
                "the mechanism and the initial response as literals",
                #"""
                S: * OK IMAP4 ready
                C: a AUTHENTICATE {5+}
                C: plain {16}
                S: + OK
                C: AGFubgBzZWNyZXQ=
                ? plain ann secret -> accept
                = accepted a
                """#),
            DialogueRow(
                "unknown, missing and too many",
                { $0.maxErrors = 1 },
                #"""
                S: * OK IMAP4 ready
                C: a AUTHENTICATE
                S: a BAD invalid command
                C: b AUTHENTICATE SCRAM-SHA-256
                S: b BAD invalid command
                C: c AUTHENTICATE PLAIN AGFubgBzZWNyZXQ= x
                S: c BAD invalid command
                C: d AUTHENTICATE CRAM-MD5
                S: d BAD invalid command
                """#),
        ])
    func authenticate(_ row: DialogueRow) throws { try row.play(.imap, IMAPFrontEnd.init) }

    @Test("farewells")
    func farewells() {
        let settings = ServerSettings(mailProtocol: .imap, name: "mx", authenticator: .accounts(AccountsFile()))
        let salts = SaltFactory(serverName: "mx") { _ in SaltFactory.Nonce(random: 0, unixTime: 0) }
        let frontEnd = IMAPFrontEnd(settings: settings, isSecure: false, salts: salts)
        #expect(frontEnd.farewell(.timeout) == .line("* BYE Connection timed out"))
        #expect(frontEnd.farewell(.busy) == .line("* BYE [UNAVAILABLE] Too many connections"))
        #expect(frontEnd.farewell(.shutdown) == .line("* BYE Server shutting down"))
        #expect(frontEnd.farewell(.internalError) == .line("* BAD internal server error"))
    }
}
