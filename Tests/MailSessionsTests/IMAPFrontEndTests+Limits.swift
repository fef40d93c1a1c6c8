import AsyncIO
import MailSessions
import TestSupport
import Testing

extension IMAPFrontEndTests {
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
}
