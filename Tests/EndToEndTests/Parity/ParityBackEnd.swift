/// The back-end of one exchange: its script first, then the usual replies.
struct ParityBackEnd {
    let peer: ParityPeer
    private let mail: Mail
    private var script: ArraySlice<String>
    /// Bytes of the peer that were looked at.
    private var scanned = 0
    private var tag = ""
    /// A command has come.
    private var hasBegun = false
    private var followsLiteral = false
    /// Kept for the end.
    private var late: [UInt8] = []

    /// Greets.
    init(_ peer: ParityPeer, _ exchange: ParityExchange) {
        self.peer = peer
        mail = exchange.mail
        script = exchange.replies[...]
        reply(usually: mail == .imap ? "* OK ready" : mail == .pop3 ? "+OK ready" : "220 back")
    }

    /// Replies to every line that has come.
    mutating func proceed() {
        while let end = peer.received[scanned...].firstIndex(of: 10) {
            let line = peer.received[scanned..<end]
            scanned = end + 1
            answer(String(decoding: line.last == 13 ? line.dropLast() : line, as: UTF8.self))
        }
    }

    /// Says what is left when the gateway has ended its stream.
    mutating func conclude() {
        if !late.isEmpty { peer.send(late) }
        late = []
        peer.finishSending()
    }

    private mutating func answer(_ line: String) {
        // A header, and no command.
        if line.hasPrefix("PROXY ") { return }
        defer { hasBegun = true }
        // Only the first session of each server of ours asks, so that no script can reckon with it.
        if mail == .pop3, line == "CAPA", !hasBegun { return peer.send(Array("-ERR what?\r\n".utf8)) }
        let first = String(line.prefix { $0 != " " })
        switch mail {
        case .pop3: reply(usually: "+OK done")
        case .smtp:
            let usual = ["XCLIENT": "220 again", "AUTH": "235 in", "QUIT": "221 bye", "DATA": "354 go"]
            reply(usually: usual[first.uppercased()] ?? "250 done")
        case .imap:
            if !followsLiteral { tag = first }
            let asks = line.hasSuffix("}")
            reply(usually: asks ? "+ go" : "\(tag) OK done")
            followsLiteral = asks
        }
    }

    private mutating func reply(usually usual: String) {
        let text = (script.popFirst() ?? usual).replacing("$T", with: tag)
        if text == "!close" { return peer.finishSending() }
        if text.hasPrefix("!late ") {
            late += ParityText.bytes(text.dropFirst(6) + "\\r\\n")
            return
        }
        peer.send(ParityText.bytes(text.hasPrefix("!") ? String(text.dropFirst()) : text + "\\r\\n"))
    }
}

extension ParityExchange {
    /// What the auth service answers to the question of this number, from 0; nil for nothing.
    func answer(to question: Int, backEnd: Endpoint) -> [UInt8]? {
        let text = answers[min(question, answers.count - 1)]
        let server = "Auth-Server: \(backEnd.host) | Auth-Port: \(backEnd.port)"
        switch text {
        case "!close": return nil
        case "OK": return ParityExchange.head("Auth-Status: OK | \(server)")
        case _ where text.hasPrefix("!"):
            return ParityText.bytes(
                text.dropFirst().replacing("$H", with: backEnd.host).replacing("$P", with: "\(backEnd.port)"))
        default: return ParityExchange.head(text.replacing("$S", with: server))
        }
    }

    private static func head(_ headers: String) -> [UInt8] {
        ParityText.bytes(
            (["HTTP/1.0 200 OK"] + headers.split(separator: " | ")).map { $0 + "\\r\\n" }.joined() + "\\r\\n")
    }
}
