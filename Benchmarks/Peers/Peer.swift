import Glibc

/// The dialogue of one accepted connection, as a value: lines in, bytes out.
protocol PeerDialogue {
    /// What is sent as soon as the connection stands.
    var greeting: [UInt8] { get }
    /// Answers one line; `line` is a part of `input` and ends with LF.
    mutating func answer(_ input: [UInt8], _ line: Range<Int>) -> PeerAction
}

/// What a dialogue wants after a line.
enum PeerAction {
    case nothing
    case reply([UInt8])
    case replyAndClose([UInt8])
    /// Send the line back as it came.
    case echo
    /// Stream so many bytes.
    case stream(Int)
    /// Take so many bytes without looking at them, then reply.
    case take(Int, then: [UInt8])
}

/// Accepts connections and gives each its dialogue.
final class PeerListener: EventHandler {
    let port: UInt16
    private let descriptor: Int32
    private let loop: EventLoop
    private let makeDialogue: () -> any PeerDialogue

    /// Listens on 127.0.0.`host`; port 0 lets the kernel choose.
    init(
        loop: EventLoop, host: UInt8 = 1, port: UInt16 = 0, makeDialogue: @escaping () -> any PeerDialogue
    ) throws(HarnessError) {
        (descriptor, self.port) = try LoopbackSocket.listen(host: host, port: port)
        self.loop = loop
        self.makeDialogue = makeDialogue
        _ = try loop.watch(descriptor, for: self)
    }

    func ready(isEnding: Bool) {
        while let accepted = LoopbackSocket.accept(descriptor) {
            let peer = Peer(descriptor: accepted, loop: loop, dialogue: makeDialogue())
            peer.start()
        }
    }
}

/// One accepted connection: carries bytes between the socket and its dialogue.
final class Peer: EventHandler {
    /// What streams are made of; sent in pieces of its size.
    private static let block = [UInt8](repeating: UInt8(ascii: "m"), count: 256 * 1024)

    private let descriptor: Int32
    private let loop: EventLoop
    private var token = -1
    private var dialogue: any PeerDialogue
    /// The beginning of a line whose end has not come yet.
    private var residue: [UInt8] = []
    /// Bytes still to be streamed.
    private var streaming = 0
    private var isWatchedForWriting = false
    /// Bytes still to be taken, and the reply to them.
    private var taking = 0
    private var replyAfterTaking: [UInt8] = []

    init(descriptor: Int32, loop: EventLoop, dialogue: any PeerDialogue) {
        self.descriptor = descriptor
        self.loop = loop
        self.dialogue = dialogue
    }

    func start() {
        guard let token = try? loop.watch(descriptor, for: self) else {
            // Out of descriptors or memory: the load generator sees the closed connection and reports it.
            Glibc.close(descriptor)
            return
        }
        self.token = token
        if !dialogue.greeting.isEmpty { send(dialogue.greeting) }
    }

    func ready(isEnding: Bool) {
        if streaming > 0 { stream() }
        while token >= 0 {
            let capacity = loop.input.count - residue.count
            let transfer: Transfer
            if taking > 0 {
                transfer = LoopbackSocket.discard(descriptor, maximum: min(taking, capacity))
            } else {
                loop.input.replaceSubrange(0..<residue.count, with: residue)
                transfer = LoopbackSocket.receive(descriptor, into: &loop.input, at: residue.count)
            }
            switch transfer {
            case .moved(let count):
                if taking > 0 {
                    take(count)
                    continue
                }
                let total = residue.count + count
                consume(total)
                if count < capacity && taking == 0 && !isEnding { return }
            case .wouldBlock: return
            case .ended, .failed: return close()
            }
        }
    }

    /// Works through the first `total` bytes of the input, line by line.
    private func consume(_ total: Int) {
        var start = 0
        while start < total, token >= 0 {
            if taking > 0 {
                let part = min(taking, total - start)
                start += part
                take(part)
                continue
            }
            guard let end = loop.input[start..<total].firstIndex(of: UInt8(ascii: "\n")) else { break }
            let line = start..<(end + 1)
            start = end + 1
            perform(dialogue.answer(loop.input, line), line)
        }
        if start < total {
            residue = Array(loop.input[start..<total])
        } else if !residue.isEmpty {
            residue.removeAll(keepingCapacity: true)
        }
    }

    private func perform(_ action: PeerAction, _ line: Range<Int>) {
        switch action {
        case .nothing: break
        case .reply(let bytes): send(bytes)
        case .replyAndClose(let bytes):
            send(bytes)
            close()
        case .echo: deliver(LoopbackSocket.send(descriptor, loop.input, line), line.count)
        case .stream(let count):
            streaming += count
            stream()
        case .take(let count, let reply):
            taking = count
            replyAfterTaking = reply
        }
    }

    private func take(_ count: Int) {
        taking -= count
        if taking == 0 { send(replyAfterTaking) }
    }

    private func stream() {
        while streaming > 0 {
            switch LoopbackSocket.send(descriptor, Self.block, 0..<min(streaming, Self.block.count)) {
            case .moved(let count): streaming -= count
            case .wouldBlock:
                if !isWatchedForWriting { loop.watchWriting(descriptor, token) }
                isWatchedForWriting = true
                return
            case .ended, .failed: return close()
            }
        }
    }

    private func send(_ bytes: [UInt8]) {
        deliver(LoopbackSocket.send(descriptor, bytes, 0..<bytes.count), bytes.count)
    }

    /// A reply of at most a few hundred bytes always fits into a socket whose peer reads; if not, the peer is lost.
    private func deliver(_ transfer: Transfer, _ expected: Int) {
        guard case .moved(let count) = transfer, count == expected else { return close() }
    }

    private func close() {
        guard token >= 0 else { return }
        loop.forget(token)
        token = -1
        Glibc.close(descriptor)
    }
}
