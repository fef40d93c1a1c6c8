import AsyncIO
import MailSessions
import TestSupport
import Testing

extension POP3FrontEndTests {
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
                "G4: who is locked out is told so whatever the password is worth, and that ends the session",
                #"""
                S: +OK POP3 ready
                C: USER ann
                S: +OK
                C: PASS x
                ? plain ann x -> limited by logins
                S: -ERR [SYS/TEMP] Too many failed logins, try again later
                = limited
                """#),
            DialogueRow(
                "one session too many of a user",
                #"""
                S: +OK POP3 ready
                C: USER ann
                S: +OK
                C: PASS x
                ? plain ann x -> limited by connections
                S: -ERR [IN-USE] Too many connections
                = limited
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
}
