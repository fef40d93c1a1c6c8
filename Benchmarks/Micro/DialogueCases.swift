import AsyncIO
import MailSessions

extension MicroBenchmark {
    /// Protocol states as values: bytes in, steps out.
    static let dialogues = [
        MicroBenchmark(
            name: "framer-line", summary: "a line of 64 bytes found and taken (POP3, SMTP)", count: 200_000
        ) { count in
            let line = Array((String(repeating: "x", count: 62) + "\r\n").utf8)
            var framer = LineFramer(bareLineFeed: .refuse)
            var input = ByteQueue()
            for _ in 0..<count {
                input.append(contentsOf: line)
                guard case .line(_, let length) = framer.next(in: input, maximum: 512) else { throw unexpected }
                input.consume(length)
            }
        },
        MicroBenchmark(
            name: "framer-imap", summary: "an IMAP LOGIN with a literal and a quoted string, framed", count: 50_000
        ) { count in
            let command = Array("a1 LOGIN {5+}\r\nann.b \"correct horse\"\r\n".utf8)
            var framer = IMAPCommandFramer(maximum: 4096, bareLineFeed: .accept)
            var input = ByteQueue()
            for _ in 0..<count {
                input.append(contentsOf: command)
                while !input.isEmpty { guard framer.next(from: &input) != nil else { throw unexpected } }
            }
        },
        MicroBenchmark(
            name: "imap-login", summary: "an IMAP session from the greeting to the question about a LOGIN",
            count: 20_000
        ) { count in
            for _ in 0..<count { try ask(imap, "a LOGIN ann@example.com \"correct horse\"\r\n") }
        },
        MicroBenchmark(
            name: "sasl-plain", summary: "the same with AUTHENTICATE PLAIN and an initial response", count: 20_000
        ) { count in
            for _ in 0..<count { try ask(imap, "a AUTHENTICATE PLAIN AGJlbmNoQGV4YW1wbGUuY29tAHNlY3JldA==\r\n") }
        },
        MicroBenchmark(
            name: "log-line", summary: "the words of the line about a login, without writing it", count: 50_000
        ) { count in
            for _ in 0..<count {
                guard let line = SessionLine(.loggedIn, in: loggedIn), !line.text.isEmpty else { throw unexpected }
            }
        },
    ]

    private static let loggedIn: SessionContext = {
        var context = SessionContext(
            number: 1, mailProtocol: .imap, client: .ipv4(IPv4Address(192, 0, 2, 1), port: 4711),
            listener: .ipv4(.any, port: 143))
        context.login = Array("ann@example.com".utf8)
        context.backEnd = .ipv4(IPv4Address(198, 51, 100, 1), port: 143)
        context.phase = .relaying
        return context
    }()

    private static let imap: ServerSettings = {
        var settings = ServerSettings(
            mailProtocol: .imap, name: "mail.example", authenticators: [.accounts(AccountsFile())])
        settings.mechanisms = .plain
        return settings
    }()

    private static let unexpected = HarnessError("not what was expected")

    private static func ask(_ settings: ServerSettings, _ command: String) throws {
        let salts = SaltFactory(serverName: settings.name) { SaltFactory.Nonce(random: UInt64($0), unixTime: 0) }
        var frontEnd = IMAPFrontEnd(settings: settings, isSecure: false, salts: salts)
        frontEnd.input.append(contentsOf: Array(command.utf8))
        while true {
            switch frontEnd.next() {
            case .ask: return
            case .send, .note: continue
            default: throw unexpected
            }
        }
    }
}
