/// The authentication service that `auth_http` asks: every user is welcome, on the back-end of the protocol.
///
/// HTTP/1.0 is answered and closed, as nginx wants it; HTTP/1.1 is kept alive unless the client says
/// `Connection: close`, so that a proxy which reuses connections may.
struct AuthService {
    private let loop: EventLoop
    private let port: UInt16

    /// - Parameter backEnds: the ports of the IMAP, POP3 and SMTP back-ends, in that order.
    init(backEnds: [UInt16]) throws(HarnessError) {
        loop = try EventLoop()
        let verdicts = BackEndFarm.hosts.map { host in
            zip(["imap", "pop3", "smtp"], backEnds).map { name, port in
                AuthExchange.Verdict(name: name, host: host, backEnd: port)
            }
        }
        var turn = 0
        port = try PeerListener(loop: loop) {
            turn = (turn + 1) % verdicts.count
            return AuthExchange(verdicts: verdicts, turn: turn)
        }.port
    }

    /// Says which port was given, then serves until it is killed.
    func run() throws(HarnessError) {
        Announcement.write("ports \(port)")
        while true { try loop.turn(milliseconds: -1) }
    }
}

/// One HTTP connection.
struct AuthExchange: PeerDialogue {
    /// The prepared answers for one mail protocol.
    struct Verdict {
        let field: [UInt8]
        let closing: [UInt8]
        let keeping: [UInt8]

        init(name: String, host: UInt8, backEnd: UInt16) {
            let facts = "Auth-Status: OK\r\nAuth-Server: 127.0.0.\(host)\r\nAuth-Port: \(backEnd)\r\n"
            field = Array("Auth-Protocol: \(name)".utf8)
            closing = Array("HTTP/1.0 200 OK\r\n\(facts)\r\n".utf8)
            keeping = Array("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\(facts)\r\n".utf8)
        }
    }

    /// By host of the back-end; they take turns.
    let verdicts: [[Verdict]]
    private var turn: Int
    let greeting: [UInt8] = []
    private var isFirstLine = true
    private var keepsAlive = false
    private var verdict: Verdict?

    /// - Parameter turn: whose turn it is at first.
    init(verdicts: [[Verdict]], turn: Int) {
        self.verdicts = verdicts
        self.turn = turn
    }

    mutating func answer(_ input: [UInt8], _ line: Range<Int>) -> PeerAction {
        let text = input[line].trimmingLineEnd
        if isFirstLine {
            isFirstLine = false
            verdict = nil
            keepsAlive = text.suffix(8).elementsEqual(Self.http11)
        } else if text.isEmpty {
            isFirstLine = true
            guard let verdict else { return .replyAndClose(Self.refusal) }
            return keepsAlive ? .reply(verdict.keeping) : .replyAndClose(verdict.closing)
        } else if text.count == Self.fieldLength, text.starts(with: Self.field) {
            verdict = verdicts[turn].first { text.elementsEqual($0.field) }
            turn = (turn + 1) % verdicts.count
        } else if text.elementsEqual(Self.close) {
            keepsAlive = false
        }
        return .nothing
    }

    private static let http11 = Array("HTTP/1.1".utf8)
    private static let field = Array("Auth-Protocol: ".utf8)
    private static let fieldLength = "Auth-Protocol: imap".utf8.count
    private static let close = Array("Connection: close".utf8)
    private static let refusal = Array("HTTP/1.0 400 Bad Request\r\n\r\n".utf8)
}
