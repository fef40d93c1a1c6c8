import AsyncIO
import MailSessions
import TestSupport
import Testing

extension POP3FrontEndTests {
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
}
