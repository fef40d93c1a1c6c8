import Glibc

/// One direction of a relay: receives into lent buffers, sends from them, gives them back.
///
/// At most one receive and one send are in flight. Received pieces queue while a send is under way
/// and then leave together in one call. How much may queue adapts: it doubles while the receiver
/// keeps up and falls to one buffer when it does not, so that a slow reader holds little. When the
/// pool runs dry the executor cancels waiting sends; the rest is then copied out (`spill`) and the
/// buffers go back. Each operation carries the relay's deadline; when one ends by it although
/// something was said meanwhile, it is simply started again.
final class RelayDirection: CompletionHandler {
    private let source: Descriptor
    private let target: Descriptor
    // Safety of `unowned`: the relay owns its directions and outlives what they have in flight.
    private unowned var relay: Relay?

    private var receiving: Operation?
    private var sending: Operation?
    /// Received and not yet handed to a send.
    private var queue: [LentBytes] = []
    /// Bytes of our own to send before the queue: what was read at login, or copied out of buffers.
    private var spill: [UInt8]
    private var sendStarted = Instant.never
    /// Bytes received from the source.
    private(set) var byteCount: UInt64
    /// Bytes in the queue and in the send under way from lent buffers.
    private var queuedBytes: UInt32 = 0
    /// How many bytes may be queued or received at once.
    private var allowance: UInt32
    /// From the client: receive until cancelled (cheapest for small messages), rather than once per message.
    private let isStreaming: Bool
    private var sourceEnded = false
    /// Everything that the source sent before its end was delivered.
    private(set) var isFinished = false

    /// Whoever keeps a send waiting this long reads slowly; a busy receiver on another core takes far less.
    private static let slownessNanoseconds: UInt64 = 50_000_000

    /// - Parameter first: sent before anything received.
    init(from source: Socket, to target: Socket, isStreaming: Bool, first: [UInt8]) {
        self.source = source.handle
        self.target = target.handle
        self.isStreaming = isStreaming
        spill = first
        byteCount = UInt64(first.count)
        allowance = UInt32(2 * source.executor.kernel.buffers.size)
        super.init(())
    }

    /// Nothing is in flight and no buffer is held.
    var isIdle: Bool { receiving == nil && sending == nil && queue.isEmpty }

    /// Starts sending and receiving.
    func begin(in relay: Relay) {
        self.relay = relay
        pump(relay)
    }

    /// Cancels what is in flight and gives back what is queued.
    func stop(in relay: Relay) {
        if let receiving { relay.executor.cancel(receiving) }
        if let sending { relay.executor.cancel(sending) }
        dropQueue(relay)
    }

    /// Moves the deadline of what is in flight.
    func setDeadline(_ deadline: Instant, in relay: Relay) {
        if let receiving { relay.executor.setDeadline(deadline, of: receiving) }
        if let sending { relay.executor.setDeadline(deadline, of: sending) }
    }

    // MARK: Pumping

    /// Starts whatever can go on: a send of what is queued, a receive while there is room.
    private func pump(_ relay: Relay) {
        guard !relay.isEnding else { return }
        if sending == nil { startSending(relay) }
        if receiving == nil, !sourceEnded, !isSpilling, queuedBytes < allowance { startReceiving(relay) }
    }

    /// Bytes of our own are on their way or wait to be sent.
    private var isSpilling: Bool {
        if !spill.isEmpty { return true }
        guard let sending else { return false }
        return !sending.isSendingLentBytes
    }

    private func startSending(_ relay: Relay) {
        if !spill.isEmpty {
            send(.send, Outgoing(copying: spill), relay)
            wipe(&spill)
        } else if !queue.isEmpty {
            sendStarted = relay.executor.now
            send(.sendVector, Outgoing(queue), relay)
            queue = []
        } else if sourceEnded, !isFinished {
            isFinished = true
            relay.directionFinished(towards: target)
        }
    }

    private func send(_ request: Operation.Request, _ outgoing: Outgoing, _ relay: Relay) {
        sending = relay.executor.start(
            request, on: target.number, deadline: relay.nextDeadline, scope: relay.scope, handler: self,
            outgoing: outgoing)
    }

    private func startReceiving(_ relay: Relay) {
        let request: Operation.Request =
            isStreaming ? .receiveMany : .receiveBundle(limit: limit(relay), expectsSilence: queuedBytes == 0)
        receiving = relay.executor.start(
            request, on: source.number, deadline: relay.nextDeadline, scope: relay.scope, handler: self)
    }

    /// What one receive may take: the allowance, but no more than half of the buffers nobody holds.
    private func limit(_ relay: Relay) -> UInt32 {
        let pool = relay.pool
        return min(allowance, UInt32(max(1, (pool.count - pool.lent) / 2) * pool.size))
    }

    // MARK: Completions

    private func received(_ completion: Completion, _ relay: Relay) {
        if completion.result > 0, let first = completion.buffer {
            let length = Int(completion.result)
            let pieces = relay.pool.pieces(first: first, length: length)
            if relay.isEnding { return giveBack(pieces, relay) }
            byteCount += UInt64(length)
            relay.noteActivity()
            take(pieces, UInt32(length), relay)
            // Streaming knows no limit of its own: stop it, and start again when there is room.
            let isFull = isSpilling || queuedBytes >= allowance
            if completion.more, isFull, let receiving { relay.executor.cancel(receiving) }
        } else if completion.result == -ETIME {
            relay.deadlinePassed()
        } else if completion.result == -ECANCELED {
            // Stopped for want of room, or by the end of the relay.
            if relay.scope.isCancelled { relay.finish(.cancelled) }
        } else if !completion.more {
            // A read error counts as the end of the stream: what was received before still counts.
            if completion.result < 0 { relay.sourceFailed(isStreaming ? .client : .backEnd, code: -completion.result) }
            sourceEnded = true
        }
    }

    private func take(_ pieces: [LentBytes], _ length: UInt32, _ relay: Relay) {
        if isSpilling {
            // Nothing of ours may hold buffers while the receiver keeps us waiting.
            spill.append(contentsOf: bytes(of: pieces, relay))
            giveBack(pieces, relay)
        } else {
            queue.append(contentsOf: pieces)
            queuedBytes += length
        }
    }

    private func sent(_ outgoing: Outgoing, _ completion: Completion, _ relay: Relay) {
        defer { giveBack(outgoing.vector, relay) }
        if relay.isEnding { return }
        if !outgoing.vector.isEmpty {
            queuedBytes -= UInt32(outgoing.length)
            adaptAllowance(relay)
        }
        if outgoing.rest == 0 { return }
        switch completion.result {
        case -ETIME:
            relay.deadlinePassed()
            if relay.isEnding { return }
            fallthrough
        case -ECANCELED where !relay.scope.isCancelled:
            // To be gone on with, from memory of our own.
            spill = outgoing.unsentBytes(in: relay.pool) + bytes(of: queue, relay)
            dropQueue(relay)
        default:
            fail(completion, relay)
        }
    }

    private func fail(_ completion: Completion, _ relay: Relay) {
        do {
            _ = try completion.value(of: .send)
        } catch {
            relay.finish(error == .cancelled ? .cancelled : .failed(error, sendingTo: isStreaming ? .backEnd : .client))
        }
    }

    private func adaptAllowance(_ relay: Relay) {
        let isSlow = relay.executor.now.nanoseconds(since: sendStarted) > RelayDirection.slownessNanoseconds
        allowance = isSlow ? UInt32(relay.pool.size) : min(relay.held, allowance * 2)
    }

    private func bytes(of pieces: [LentBytes], _ relay: Relay) -> [UInt8] {
        pieces.flatMap { relay.pool.bytes($0) }
    }

    private func dropQueue(_ relay: Relay) {
        giveBack(queue, relay)
        queue = []
        queuedBytes = 0
    }

    private func giveBack(_ pieces: [LentBytes], _ relay: Relay) {
        for piece in pieces { relay.executor.giveBack(piece.buffer) }
    }

    override func completed(_ operation: Operation, _ completion: Completion) {
        guard let relay else { return }
        if operation === receiving {
            if !completion.more { receiving = nil }
            received(completion, relay)
        } else if let outgoing = operation.outgoing {
            sending = nil
            sent(outgoing, completion, relay)
        }
        pump(relay)
        relay.concludeIfOver()
    }
}
