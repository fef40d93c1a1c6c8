/// The mail servers behind the proxy: IMAP, POP3 and SMTP in one process, every login welcome.
///
/// Beside the login they know three private commands, with which the relay is measured once a session is
/// logged in: `ECHO …` comes back as it is, `x BULK <bytes>` streams so many bytes, and `x SINK <bytes>`
/// takes the bytes that follow and answers `x OK`.
struct BackEndFarm {
    /// The farms: one process each, at 127.0.0.1 and so on, on the same ports. One address has 28,000 ephemeral ports
    /// to connect to it from, and one process perhaps 20,000 descriptors: too few for the largest loads.
    static let hosts: [UInt8] = [1, 2, 3]

    private let loop: EventLoop
    private let ports: [UInt16]

    /// - Parameter ports: of IMAP, POP3 and SMTP; empty to let the kernel choose.
    init(host: UInt8, ports: [UInt16]) throws(HarnessError) {
        loop = try EventLoop()
        let wanted = ports.count == 3 ? ports : [0, 0, 0]
        self.ports = [
            try PeerListener(loop: loop, host: host, port: wanted[0]) { IMAPBackEnd() }.port,
            try PeerListener(loop: loop, host: host, port: wanted[1]) { LineBackEnd.pop3 }.port,
            try PeerListener(loop: loop, host: host, port: wanted[2]) { LineBackEnd.smtp }.port,
        ]
    }

    /// Says which ports were given, then serves until it is killed.
    func run() throws(HarnessError) {
        Announcement.write("ports " + ports.map(String.init).joined(separator: " "))
        while true { try loop.turn(milliseconds: -1) }
    }
}

/// IMAP as far as a proxy needs it: commands with literals of either kind, LOGIN, AUTHENTICATE, LOGOUT.
struct IMAPBackEnd: PeerDialogue {
    var greeting: [UInt8] { Self.welcome }

    /// What Dovecot greets with.
    private static let welcome = Array(
        ("* OK [CAPABILITY IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE LITERAL+ AUTH=PLAIN] Dovecot ready.\r\n")
            .utf8)
    private static let goOn = Array("+ go\r\n".utf8)

    /// The first line of a command that goes on after a literal or a continuation, without its end.
    private var unfinished: [UInt8]?

    mutating func answer(_ input: [UInt8], _ line: Range<Int>) -> PeerAction {
        if unfinished == nil, input[line.lowerBound] == UInt8(ascii: "E"), input[line].starts(with: Self.echo) {
            return .echo
        }
        let text = input[line].trimmingLineEnd
        if text.last == UInt8(ascii: "}") {
            if unfinished == nil { unfinished = Array(text) }
            return text.dropLast().last == UInt8(ascii: "+") ? .nothing : .reply(Self.goOn)
        }
        let command = unfinished ?? Array(text)
        let words = command.split(separator: UInt8(ascii: " "), maxSplits: 2).map {
            String(decoding: $0, as: UTF8.self)
        }
        guard words.count >= 2 else { return .replyAndClose(Array("* BAD what?\r\n".utf8)) }
        let tag = words[0]
        if unfinished == nil, isSASLStart(words) {
            unfinished = command
            return .reply(Self.goOn)
        }
        unfinished = nil
        switch words[1].uppercased() {
        case "LOGIN", "AUTHENTICATE": return .reply(Array("\(tag) OK Logged in\r\n".utf8))
        case "LOGOUT": return .replyAndClose(Array("* BYE\r\n\(tag) OK bye\r\n".utf8))
        case "CAPABILITY":
            return .reply(
                Array("* CAPABILITY IMAP4rev1 SASL-IR ID ENABLE IDLE LITERAL+ AUTH=PLAIN\r\n\(tag) OK done\r\n".utf8))
        case "BULK": return .stream(words.count == 3 ? Int(words[2]) ?? 0 : 0)
        case "SINK":
            let count = words.count == 3 ? Int(words[2]) ?? 0 : 0
            return .take(count, then: Array("\(tag) OK\r\n".utf8))
        default: return .reply(Array("\(tag) OK done\r\n".utf8))
        }
    }

    /// AUTHENTICATE with a mechanism and no initial response.
    private func isSASLStart(_ words: [String]) -> Bool {
        words.count == 3 && words[1].uppercased() == "AUTHENTICATE" && !words[2].contains(" ")
    }

    private static let echo = Array("ECHO ".utf8)
}

/// A protocol of one reply per line, given as a table of first words: POP3 and SMTP.
struct LineBackEnd: PeerDialogue {
    let greeting: [UInt8]
    private let replies: [(word: [UInt8], reply: [UInt8])]
    private let farewell: [UInt8]
    private let otherwise: [UInt8]

    private init(greeting: String, replies: [(String, String)], farewell: String, otherwise: String) {
        self.greeting = Array(greeting.utf8)
        self.replies = replies.map { (Array($0.0.utf8), Array($0.1.utf8)) }
        self.farewell = Array(farewell.utf8)
        self.otherwise = Array(otherwise.utf8)
    }

    /// Announces what Dovecot does.
    static let pop3 = LineBackEnd(
        greeting: "+OK Dovecot ready.\r\n",
        replies: [
            (
                "CAPA",
                "+OK\r\nCAPA\r\nTOP\r\nUIDL\r\nRESP-CODES\r\nPIPELINING\r\nAUTH-RESP-CODE\r\nUSER\r\nSASL PLAIN\r\n.\r\n"
            )
        ],
        farewell: "+OK bye\r\n", otherwise: "+OK\r\n")

    static let smtp = LineBackEnd(
        greeting: "220 backend.example ESMTP\r\n",
        replies: [
            ("EHLO", "250-backend.example\r\n250-XCLIENT ADDR PORT NAME PROTO HELO LOGIN\r\n250 AUTH PLAIN\r\n"),
            ("XCLIENT", "220 backend.example ESMTP\r\n"),
            ("AUTH", "235 2.7.0 OK\r\n"),
        ],
        farewell: "221 2.0.0 bye\r\n", otherwise: "250 2.0.0 OK\r\n")

    mutating func answer(_ input: [UInt8], _ line: Range<Int>) -> PeerAction {
        let text = input[line]
        if text.starts(with: Self.quit) { return .replyAndClose(farewell) }
        let match = replies.first { text.starts(with: $0.word) }
        return .reply(match?.reply ?? otherwise)
    }

    private static let quit = Array("QUIT".utf8)
}

extension ArraySlice<UInt8> {
    /// Without the CRLF or LF at its end.
    var trimmingLineEnd: ArraySlice<UInt8> {
        var text = self
        if text.last == UInt8(ascii: "\n") { text.removeLast() }
        if text.last == UInt8(ascii: "\r") { text.removeLast() }
        return text
    }
}
