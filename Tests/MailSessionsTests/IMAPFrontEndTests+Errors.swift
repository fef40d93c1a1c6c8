import AsyncIO
import MailSessions
import TestSupport
import Testing

extension IMAPFrontEndTests {
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
}
