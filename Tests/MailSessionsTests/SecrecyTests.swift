import AsyncIO
import MailSessions
import TestSupport
import Testing

/// Security checklist G1: a canary password appears in nothing that a front-end reports.
@Suite("secrecy of the front-ends")
struct SecrecyTests {
    private static let filler = String(repeating: "x", count: 40)

    @Test(
        "IMAP",
        arguments: [
            "a LOGIN ann canary\(filler)", "a login canary\(filler)", "a LOGINcanary\(filler)",
            "LOGIN ann canary\(filler)",
            "a   LOGIN \"ann\" \"canary\(filler)", "a LOGIN {6+}\r\ncanary canary\(filler)", "PASS canary\(filler)",
            "a AUTHENTICATE PLAIN canary\(filler)", "a AUTHENTICATE PLAIN\r\ncanary\(filler)",
            "GET /?password=canary HTTP/1.0\r\n", "a LOGIN ann canary\r\n",
        ])
    func imap(_ text: String) {
        expectSecrecy(of: IMAPFrontEnd(settings: settings(.imap), isSecure: false, salts: .counting), text)
    }

    @Test(
        "POP3",
        arguments: [
            "PASS canary\(filler)", "passcanary\(filler)", "USER ann\r\nPASS canary\(filler)", " PASS canary\(filler)",
            "APOP ann canary\(filler)", "AUTH PLAIN canary\(filler)", "AUTH LOGIN\r\ncanary\(filler)",
            "a LOGIN ann canary\(filler)", "USER ann\r\nPASS canary\r\n", "APOP ann canary\r\n",
            "USER ann\rPASS canary\r\n", "USER ann\0PASS canary\r\n", "NOOP\rPASS canary\(filler)",
        ])
    func pop3(_ text: String) {
        expectSecrecy(of: POP3FrontEnd(settings: settings(.pop3), isSecure: false, salts: .counting), text)
    }

    @Test(
        "SMTP",
        arguments: [
            "AUTH PLAIN canary\(filler)", "auth login canary\(filler)", "AUTH LOGIN\r\ncanary\(filler)",
            "AUTH PLAIN canary\r\n", "AUTH PLAIN\r\ncanary\r\n", "AUTH PLAIN AGEAY2FuYXJ5\r\n",
            "NOOP\rAUTH PLAIN canary\r\n", "NOOP\0AUTH PLAIN canary\r\n", "NOOP\rAUTH PLAIN canary\(filler)",
        ])
    func smtp(_ text: String) {
        expectSecrecy(of: SMTPFrontEnd(settings: settings(.smtp), isSecure: false, salts: .counting), text)
    }

    @Test(
        "SMTP, before a greeting that is delayed",
        arguments: [
            "EHLO x\r\nAUTH PLAIN canary\r\n", "EHLO x\nAUTH PLAIN canary\r\n", "EHLO x\rAUTH PLAIN canary\r\n",
            "\r\nAUTH PLAIN canary\r\n", "EHLO x\r\n\r\nAUTH PLAIN canary", "AUTH PLAIN canary\r\n",
        ])
    func earlySMTP(_ text: String) {
        var settings = settings(.smtp)
        settings.greetingDelay = .seconds(5)
        expectSecrecy(of: SMTPFrontEnd(settings: settings, isSecure: false, salts: .counting), text)
    }

    @Test(arguments: MailProtocol.allCases, ["OAUTHBEARER", "XOAUTH2"])
    func `G1: a token is in nothing that a front-end reports`(_ mailProtocol: MailProtocol, _ mechanism: String) {
        var settings = settings(mailProtocol)
        settings.clientBuffer = 4096
        settings.mechanisms = [.xoauth2, .oauthBearer]
        let name = mechanism == "XOAUTH2" ? "user=ann" : "n,a=ann,"
        let command = mailProtocol == .imap ? "a AUTHENTICATE" : "AUTH"
        // Right, and wrong at its end.
        for end in ["\u{1}\u{1}", "\u{1}"] {
            let message = Base64.encode("\(name)\u{1}auth=Bearer canary\(end)".utf8)
            let text = "\(command) \(mechanism) \(String(decoding: message, as: UTF8.self))\r\n"
            switch mailProtocol {
            case .imap: expectSecrecy(of: IMAPFrontEnd(settings: settings, isSecure: false, salts: .counting), text)
            case .pop3: expectSecrecy(of: POP3FrontEnd(settings: settings, isSecure: false, salts: .counting), text)
            case .smtp: expectSecrecy(of: SMTPFrontEnd(settings: settings, isSecure: false, salts: .counting), text)
            }
        }
    }

    /// What a log at level debug says of each command.
    @Test(
        "commands are traced with stars for credentials",
        arguments: [
            (.imap, "a NOOP\r\n", ["a NOOP"]), (.imap, "a LOGIN ann canary\r\n", ["a LOGIN ***"]),
            (.imap, "a LOGIN {3}\r\n", ["a LOGIN {...}"]), (.imap, "a XLOGIN canary\r\n", ["a (no command)"]),
            (.imap, "a AUTHENTICATE LOGIN\r\nY2FuYXJ5\r\n", ["a AUTHENTICATE ***", "***"]),
            (.pop3, "USER ann\r\nPASS canary\r\n", ["USER ann", "PASS ***"]),
            (.pop3, "AUTH LOGIN\r\n!\r\ncanary\r\n", ["AUTH ***", "***", "(no command)"]),
            (.pop3, "USER ann\rPASS canary\r\nNOOP\0canary\r\n", ["USER ann ***", "NOOP ***"]),
            (.smtp, "EHLO a\u{7}b\r\nAUTH PLAIN canary\r\n", ["EHLO a\u{7}b", "AUTH ***"]),
            (.smtp, "NOOP\rAUTH PLAIN canary\r\n", ["NOOP ***"]),
        ] as [(MailProtocol, String, [String])])
    func tracing(_ mailProtocol: MailProtocol, _ text: String, _ expected: [String]) {
        var settings = settings(mailProtocol)
        #expect(traces(of: settings, text) == expected)
        settings.tracesCommands = false
        #expect(traces(of: settings, text).isEmpty)
    }

    private func traces(of settings: ServerSettings, _ text: String) -> [String] {
        switch settings.mailProtocol {
        case .imap: traces(of: IMAPFrontEnd(settings: settings, isSecure: false, salts: .counting), text)
        case .pop3: traces(of: POP3FrontEnd(settings: settings, isSecure: false, salts: .counting), text)
        case .smtp: traces(of: SMTPFrontEnd(settings: settings, isSecure: false, salts: .counting), text)
        }
    }

    private func traces(of frontEnd: some FrontEnd, _ text: String) -> [String] {
        var frontEnd = frontEnd
        frontEnd.input.append(contentsOf: Array(text.utf8))
        var traces: [String] = []
        while true {
            switch frontEnd.next() {
            case .note(.command(let excerpt)): traces.append(String(decoding: excerpt, as: UTF8.self))
            case .receive, .finish, .ask: return traces
            default: continue
            }
        }
    }

    private func expectSecrecy(of frontEnd: some FrontEnd, _ text: String) {
        var frontEnd = frontEnd
        frontEnd.input.append(contentsOf: Array(text.utf8))
        while true {
            switch frontEnd.next() {
            case .note(let note): #expect(!shown(note).contains("canary"))
            case .ask(let attempt):
                var report = ""
                dump(attempt, to: &report)
                #expect(!report.contains("canary") && !"\(attempt)".contains("canary"))
                return
            case .send(let bytes): #expect(!String(decoding: bytes, as: UTF8.self).contains("canary"))
            case .receive, .finish: return
            case .pause, .pauseUnlessInput, .startTLS: continue
            }
        }
    }

    private func shown(_ note: FrontEndNote) -> String {
        switch note {
        case .tooLongCommand(let excerpt), .rejected(let excerpt), .rejectedBeforeGreeting(let excerpt),
            .foreignProtocol(let excerpt), .command(let excerpt):
            String(decoding: excerpt, as: UTF8.self)
        default: "\(note)"
        }
    }

    private func settings(_ mailProtocol: MailProtocol) -> ServerSettings {
        var settings = ServerSettings.fixture(mailProtocol)
        settings.clientBuffer = 40
        settings.tracesCommands = true
        settings.mechanisms.insert(.apop)
        return settings
    }
}
