import AsyncIO
import MailSessions
import TestSupport
import Testing

extension IMAPFrontEndTests {
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
                "G4: who is locked out is told so whatever the password is worth, and that ends the session",
                #"""
                S: * OK IMAP4 ready
                C: t LOGIN bob x
                ? plain bob x -> limited by logins
                S: t NO [LIMIT] Too many failed logins, try again later
                = limited
                """#),
            DialogueRow(
                "one session too many of a user",
                #"""
                S: * OK IMAP4 ready
                C: t LOGIN bob x
                ? plain bob x -> limited by connections
                S: t NO [LIMIT] Too many connections
                = limited
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
}
