import AsyncIO
import MailSessions
import TestSupport

/// What one client of a simulated history, its back-end and the auth_http service will do.
///
/// Everything is decided beforehand by the seed, so that what each peer must hear is known to the byte.
struct SimulationPlan: Sendable {
    /// A step of a scripted dialogue.
    enum Turn: Sendable {
        case say([UInt8])
        /// Wait until these bytes have come.
        case hear([UInt8])
        /// Do the handshake of TLS.
        case secure
        /// Say nothing for so long.
        case rest(Duration)
        /// End the stream.
        case end
    }

    /// How the exchange behind the login ends.
    enum Leaving: Sendable, Equatable, CaseIterable {
        /// The client waits for all that was meant for it, and closes.
        case quit
        /// The client ends its stream behind its last byte, and reads on.
        case halfClose
        /// The back-end ends its stream behind its last byte, and reads on.
        case backEndFirst
        /// The client is gone at some moment, be it during the login.
        case vanish
    }

    let mailProtocol: MailProtocol
    /// Unique in a history: the service finds the plan by it.
    let user: String
    let password: String
    /// For what happens at random while the plan is carried out.
    let seed: UInt64
    /// The client's dialogue; its last turn hears the reply to the login.
    var client: [Turn] = []
    /// The back-end's dialogue; its last turn says the reply to the login.
    var backEnd: [Turn] = []
    /// Login attempts that the service refuses before it accepts one.
    var refusals = 0
    /// How often the service answers WAIT first.
    var waits = 0
    /// The service answers nonsense: nobody is served.
    var isGarbled = false
    /// The client says its whole login without waiting for an answer.
    var isPipelined = false
    /// The back-end sends back what it hears, instead of `down`.
    var isEchoing = false
    /// From the client to the back-end, the first `behind` of them in one breath with the login.
    var up: [UInt8] = []
    var behind = 0
    /// From the back-end to the client.
    var down: [UInt8] = []
    var leaving = Leaving.quit

    /// What the client hears when all goes well.
    var clientHears: [UInt8] { client.heard + (isGarbled ? [] : down) }

    /// What the client hears of its login, without the reply of its back-end.
    var clientHearsBefore: [UInt8] { client.dropLast().heard }

    /// What the back-end hears when all goes well.
    var backEndHears: [UInt8] { backEnd.heard + up }

    /// What it hears before it is lost at CAPA, and what the next time, without that; nil where CAPA is not for the sake
    /// of shorter logins.
    var backEndHearsTwice: (first: [UInt8], second: [UInt8])? {
        let question = Array("CAPA\r\n".utf8)
        guard let place = backEndHears.firstRange(of: question + Array("USER".utf8))?.lowerBound else { return nil }
        let before = Array(backEndHears[..<place])
        return (before + question, before + backEndHears[(place + question.count)...])
    }

    /// `proxy_smtp_auth`, and a `proxy_master_user` named `root` with the password `key`.
    struct BackEndLogins: Sendable {
        var isAuthenticating: Bool
        var hasMaster: Bool
    }

    /// A random plan.
    init(
        _ mailProtocol: MailProtocol, ordinal: Int, logins: BackEndLogins, security: SimulationSecurity?, length: Int,
        _ random: inout SeededRandom
    ) {
        self.mailProtocol = mailProtocol
        user = "user\(ordinal)"
        password = ["secret", "p w", "\"quoted\\", "+=/"].randomElement(using: &random) ?? ""
        seed = random.next()
        refusals = random.chance(0.2) ? Int.random(in: 1...2, using: &random) : 0
        waits = random.chance(0.2) ? Int.random(in: 1...3, using: &random) : 0
        isGarbled = random.chance(0.1)
        isPipelined = random.chance(0.3)
        isEchoing = random.chance(0.3)
        up = random.bytes(Int.random(in: 0...length, using: &random))
        behind = random.chance(0.6) ? Int.random(in: 0...up.count, using: &random) : 0
        down = isEchoing ? up : random.bytes(Int.random(in: 0...length, using: &random))
        leaving = Leaving.allCases.randomElement(using: &random) ?? .quit
        if isEchoing, leaving == .backEndFirst { leaving = .halfClose }
        writeDialogues(logins, security, &random)
        if let security { secure(security) }
    }
}

extension SimulationPlan.Turn {
    /// `text` and CRLF, said.
    static func say(line text: String) -> SimulationPlan.Turn { .say(Array("\(text)\r\n".utf8)) }

    /// `text` and CRLF, heard.
    static func hear(line text: String) -> SimulationPlan.Turn { .hear(Array("\(text)\r\n".utf8)) }
}

extension SimulationPlan {
    /// Puts the beginning of TLS into both dialogues.
    private mutating func secure(_ security: SimulationSecurity) {
        switch security.client {
        case .never: break
        case .atOnce: client.insert(.secure, at: 0)
        case .whenAgreed: client.replaceSubrange(0..<1, with: clientStartsTLS(greeted: client[0]))
        }
        // With a service that talks nonsense nobody comes to the back-end.
        guard !isGarbled else { return }
        switch security.backEnd {
        case .never: break
        case .atOnce: backEnd.insert(.secure, at: 0)
        case .whenAgreed: backEnd.replaceSubrange(0..<1, with: backEndStartsTLS(greeting: backEnd[0]))
        }
    }

    private func clientStartsTLS(greeted: Turn) -> [Turn] {
        switch mailProtocol {
        case .imap: [greeted, .say(line: "s STARTTLS"), .hear(line: "s OK completed"), .secure]
        case .pop3: [greeted, .say(line: "STLS"), .hear(line: "+OK"), .secure]
        case .smtp:
            [
                greeted, .say(line: "EHLO before"), .hear(line: "250-mx\r\n250-AUTH PLAIN LOGIN\r\n250 STARTTLS"),
                .say(line: "STARTTLS"), .hear(line: "220 2.0.0 Start TLS"), .secure,
            ]
        }
    }

    private func backEndStartsTLS(greeting: Turn) -> [Turn] {
        switch mailProtocol {
        case .imap: [.say(line: "* OK ready"), .hear(line: "tls STARTTLS"), .say(line: "tls OK go"), .secure]
        case .pop3: [greeting, .hear(line: "STLS"), .say(line: "+OK go"), .secure]
        case .smtp:
            [
                greeting, .hear(line: "EHLO mx"), .say(line: "250-back-end\r\n250 STARTTLS"), .hear(line: "STARTTLS"),
                .say(line: "220 go"), .secure,
            ]
        }
    }
}

extension Sequence<SimulationPlan.Turn> {
    /// All that is heard, in order.
    var heard: [UInt8] {
        flatMap { turn in
            if case .hear(let bytes) = turn { bytes } else { [] as [UInt8] }
        }
    }

    /// All that is said, in order.
    var said: [UInt8] {
        flatMap { turn in
            if case .say(let bytes) = turn { bytes } else { [] as [UInt8] }
        }
    }
}
