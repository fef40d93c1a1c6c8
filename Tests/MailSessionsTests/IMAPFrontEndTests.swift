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
                "B2: lists deeper than the buffer end the session, in one line or behind literals",
                { $0.clientBuffer = 64 },
                #"""
                S: * OK IMAP4 ready
                C: a ID (({1+}
                c: x (((((((((((((((((((((((((((((((((((((((((((((((((
                ! tooLongCommand "a ID"
                S: a BAD invalid command
                = violation
                l: \s(((((((((((((((((((((((((((((((((((((((((((((((((
                """#),
            DialogueRow(
                "B2: lists without end, nested or missing",
                { $0.maxErrors = 11 },
                #"""
                S: * OK IMAP4 ready
                C: a ID ((((((((((((((((((((
                S: a BAD invalid command
                C: k ID ("name" ("a" {1+}
                C: b ( NIL )) "x" ()) 
                S: * ID NIL
                S: k OK completed
                C: l ID (()))
                S: l BAD invalid command
                C: m ID ((())
                S: m BAD invalid command
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

    @Test("farewells")
    func farewells() {
        let settings = ServerSettings.fixture(.imap)
        let frontEnd = IMAPFrontEnd(settings: settings, isSecure: false, salts: .counting)
        #expect(frontEnd.farewell(.timeout) == .line("* BYE Connection timed out"))
        #expect(frontEnd.farewell(.busy) == .line("* BYE [UNAVAILABLE] Too many connections"))
        #expect(frontEnd.farewell(.shutdown) == .line("* BYE Server shutting down"))
        #expect(frontEnd.farewell(.internalError) == .line("* BAD internal server error"))
    }
}
