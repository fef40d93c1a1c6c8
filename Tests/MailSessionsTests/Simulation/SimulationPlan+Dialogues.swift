import AsyncIO
import MailSessions
import TestSupport

/// The dialogues of each protocol, as its client and its back-end see them.
extension SimulationPlan {
    /// - Parameter security: an IMAP back-end that begins with TLS when agreed is not believed what it announced before.
    mutating func writeDialogues(
        _ logins: BackEndLogins, _ security: SimulationSecurity?, _ random: inout SeededRandom
    ) {
        switch mailProtocol {
        case .imap: writeIMAP(logins, announces: security?.backEnd != .whenAgreed, &random)
        case .pop3: writePOP3(logins, &random)
        case .smtp: writeSMTP(logins, &random)
        }
    }

    /// The same for the master user, acting as this one.
    private var masterToken: String { base64("\(user)\0root\0key") }

    /// RFC 4616 §2 in base64.
    private var plainToken: String {
        String(decoding: Base64.encode(Array("\0\(user)\0\(password)".utf8)), as: UTF8.self)
    }

    private func base64(_ text: String) -> String {
        String(decoding: Base64.encode(Array(text.utf8)), as: UTF8.self)
    }

    // MARK: IMAP

    private mutating func writeIMAP(_ logins: BackEndLogins, announces: Bool, _ random: inout SeededRandom) {
        client = [.hear(line: "* OK IMAP4 ready")]
        if random.chance(0.3) { client += [.say(line: "n NOOP"), .hear(line: "n OK completed")] }
        var tag = ""
        for attempt in 0...refusals {
            tag = "a\(attempt)"
            client += imapLogin(tag, &random)
            if attempt < refusals { client.append(.hear(line: "\(tag) NO sorry")) }
        }
        if isGarbled { return client.append(.hear(line: "* BAD internal server error")) }
        let reply = random.chance(0.5) ? "* CAPABILITY IMAP4rev1\r\n\(tag) OK in" : "\(tag) OK in"
        client.append(.hear(line: reply))
        let (name, secret) = (user.utf8.count, password.utf8.count)
        if logins.hasMaster, random.chance(0.5), announces {
            backEnd = [
                .say(line: "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] ready"),
                .hear(line: "\(tag) AUTHENTICATE PLAIN \(masterToken)"),
            ]
        } else if logins.hasMaster {
            backEnd = [
                .say(line: "* OK ready"), .hear(line: "cap CAPABILITY"),
                .say(line: "* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\ncap OK"), .hear(line: "\(tag) AUTHENTICATE PLAIN"),
                .say(line: "+ "), .hear(line: masterToken),
            ]
        } else if random.chance(0.5), announces {
            backEnd = [
                .say(line: "* OK [CAPABILITY IMAP4rev1 LITERAL+] ready"),
                .hear(line: "\(tag) LOGIN {\(name)+}\r\n\(user) {\(secret)+}\r\n\(password)"),
            ]
        } else {
            backEnd = [
                .say(line: "* OK ready"), .hear(line: "\(tag) LOGIN {\(name)}"), .say(line: "+ go"),
                .hear(line: "\(user) {\(secret)}"), .say(line: "+ on"), .hear(line: password),
            ]
        }
        backEnd.append(.say(line: reply))
    }

    private func imapLogin(_ tag: String, _ random: inout SeededRandom) -> [Turn] {
        let (name, secret) = (user.utf8.count, password.utf8.count)
        let quoted = password.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
        return switch Int.random(in: 0...4, using: &random) {
        case 0: [.say(line: "\(tag) LOGIN \(user) \"\(quoted)\"")]
        case 1:
            [
                .say(line: "\(tag) LOGIN {\(name)}"), .hear(line: "+ OK"), .say(line: "\(user) {\(secret)}"),
                .hear(line: "+ OK"), .say(line: password),
            ]
        case 2: [.say(line: "\(tag) LOGIN {\(name)+}\r\n\(user) {\(secret)+}\r\n\(password)")]
        case 3: [.say(line: "\(tag) AUTHENTICATE PLAIN"), .hear(line: "+ "), .say(line: plainToken)]
        default: [.say(line: "\(tag) AUTHENTICATE PLAIN \(plainToken)")]
        }
    }

    // MARK: POP3

    private mutating func writePOP3(_ logins: BackEndLogins, _ random: inout SeededRandom) {
        client = [.hear(line: "+OK POP3 ready")]
        if random.chance(0.3) { client += [.say(line: "NOOP"), .hear(line: "+OK")] }
        for attempt in 0...refusals {
            switch Int.random(in: 0...2, using: &random) {
            case 0: client += [.say(line: "USER \(user)"), .hear(line: "+OK"), .say(line: "PASS \(password)")]
            case 1: client += [.say(line: "AUTH PLAIN"), .hear(line: "+ "), .say(line: plainToken)]
            default: client.append(.say(line: "AUTH PLAIN \(plainToken)"))
            }
            if attempt < refusals { client.append(.hear(line: "-ERR sorry")) }
        }
        if isGarbled { return client.append(.hear(line: "-ERR internal server error")) }
        client.append(.hear(line: "+OK in"))
        guard !logins.hasMaster else {
            backEnd = [
                .say(line: "+OK hello"), .hear(line: "CAPA"), .say(line: "+OK\r\nUSER\r\nSASL LOGIN PLAIN\r\n."),
                .hear(line: "AUTH PLAIN \(masterToken)"), .say(line: "+OK in"),
            ]
            return
        }
        // Nobody has been at this back-end before.
        backEnd = [.say(line: "+OK hello"), .hear(line: "CAPA")]
        if random.chance(0.5) {
            backEnd += [
                .say(line: "+OK\r\nUIDL\r\nPIPELINING\r\nUSER\r\n."),
                .hear(line: "USER \(user)\r\nPASS \(password)"), .say(line: "+OK"),
            ]
        } else {
            backEnd += [
                .say(line: random.chance(0.5) ? "-ERR what?" : "+OK\r\nUSER\r\n."),
                .hear(line: "USER \(user)"), .say(line: "+OK"), .hear(line: "PASS \(password)"),
            ]
        }
        backEnd.append(.say(line: "+OK in"))
    }

    // MARK: SMTP

    private mutating func writeSMTP(_ logins: BackEndLogins, _ random: inout SeededRandom) {
        client = [
            .hear(line: "220 mx ESMTP ready"), .say(line: "EHLO client"),
            .hear(line: "250-mx\r\n250 AUTH PLAIN LOGIN"),
        ]
        for attempt in 0...refusals {
            switch Int.random(in: 0...2, using: &random) {
            case 0:
                client += [
                    .say(line: "AUTH LOGIN"), .hear(line: "334 VXNlcm5hbWU6"), .say(line: base64(user)),
                    .hear(line: "334 UGFzc3dvcmQ6"), .say(line: base64(password)),
                ]
            case 1: client += [.say(line: "AUTH PLAIN"), .hear(line: "334 "), .say(line: plainToken)]
            default: client.append(.say(line: "AUTH PLAIN \(plainToken)"))
            }
            if attempt < refusals { client.append(.hear(line: "535 5.7.0 sorry")) }
        }
        if isGarbled { return client.append(.hear(line: "451 4.3.2 Internal server error")) }
        client.append(.hear(line: "235 2.0.0 OK"))
        let login = logins.isAuthenticating ? "" : " LOGIN=\(user)"
        backEnd = [
            .say(line: "220 back-end"), .hear(line: "EHLO mx"), .say(line: "250-back-end\r\n250 XCLIENT LOGIN"),
            .hear(line: "XCLIENT ADDR=127.0.0.1\(login) NAME=[UNAVAILABLE]"), .say(line: "220 again"),
            .hear(line: "EHLO client"), .say(line: "250-back-end\r\n250 AUTH PLAIN"),
        ]
        guard logins.isAuthenticating else { return }
        let token = logins.hasMaster ? masterToken : plainToken
        backEnd += [.hear(line: "AUTH PLAIN \(token)"), .say(line: "235 in")]
    }
}
