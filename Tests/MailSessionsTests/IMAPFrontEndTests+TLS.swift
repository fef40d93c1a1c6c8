import AsyncIO
import MailSessions
import TestSupport
import Testing

extension IMAPFrontEndTests {
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
}
