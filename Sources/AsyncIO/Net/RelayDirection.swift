import Glibc

/// One direction of a relay: receives into lent buffers, sends from them, gives them back.
///
/// At most one receive and one send are in flight. Received pieces queue while a send is under way
/// and then leave together in one call. How much may queue adapts: it doubles while the receiver
/// keeps up and falls to one buffer when it does not, so that a slow reader holds little. When the pool runs dry the executor cancels waiting sends; the rest is then copied
/// out (`spill`) and the buffers go back.
final class RelayDirection {
    private let source: Socket
    private let target: Socket
    /// Receive until cancelled (cheapest for small messages), rather than once per message.
    private let isStreaming: Bool
    // Safety of `unowned`: the relay owns its directions and outlives what they have in flight.
    private unowned var relay: Relay?

    private var receiving: Operation?
    private var sending: Operation?
    /// Received and not yet handed to a send.
    private var queue: [LentBytes] = []
    private var queuedBytes = 0
    /// Bytes of our own to send before the queue: what was read at login, or copied out of buffers.
    private var spill: [UInt8] = []
    private var sendStarted = Instant.never
    /// How many bytes may be queued or received at once.
    private var allowance: Int
    private var sourceEnded = false
    /// Everything was delivered and the target's stream ended.
    private(set) var isFinished = false
    /// Bytes received from the source.
    private(set) var byteCount: UInt64 = 0

    /// - Parameter first: sent before anything received.
    init(from source: Socket, to target: Socket, isStreaming: Bool, first: [UInt8]) {
        self.source = source
        self.target = target
        self.isStreaming = isStreaming
        spill = first
        byteCount = UInt64(first.count)
        allowance = 2 * source.executor.kernel.buffers.size
    }

    private var executor: RingExecutor { source.executor }
    private var pool: BufferPool { executor.kernel.buffers }

    /// Nothing is in flight and no buffer is held.
    var isIdle: Bool { receiving == nil && sending == nil && queue.isEmpty }

    /// Starts sending and receiving.
    func begin(in relay: Relay) {
        self.relay = relay
        pump()
    }

    /// Cancels what is in flight and gives back what is queued.
    func stop() {
        if let receiving { executor.cancel(receiving) }
        if let sending { executor.cancel(sending) }
        giveBack(queue)
        queue = []
        queuedBytes = 0
    }

    // MARK: Pumping

    /// Starts whatever can go on: a send of what is queued, a receive while there is room.
    private func pump() {
        guard let relay, !relay.isEnding else { return }
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
            var bytes = spill
            spill = []
            sending = executor.start(.send, on: target.descriptor, scope: relay.scope, handler: self) {
                $0.adopt(payload: bytes)
            }
            wipe(&bytes)
        } else if !queue.isEmpty {
            let pieces = queue
            queue = []
            sendStarted = executor.now
            sending = executor.start(.sendVector, on: target.descriptor, scope: relay.scope, handler: self) {
                $0.vector = pieces
            }
        } else if sourceEnded, !isFinished {
            isFinished = true
            target.shutdownSending()
            relay.directionFinished()
        }
    }

    private func startReceiving(_ relay: Relay) {
        let request: Operation.Request =
            isStreaming
            ? .receiveMany
            : .receiveBundle(limit: limit, expectsSilence: queuedBytes == 0 || byteCount == 0)
        receiving = executor.start(request, on: source.descriptor, scope: relay.scope, handler: self)
    }

    // MARK: Completions

    private func received(_ completion: Completion) {
        guard let relay else { return }
        if completion.result > 0, let first = completion.buffer {
            let length = Int(completion.result)
            let pieces = pool.pieces(first: first, length: length)
            if relay.isEnding { return giveBack(pieces) }
            byteCount += UInt64(length)
            relay.noteActivity()
            if isSpilling {
                // Nothing of ours may hold buffers while the receiver keeps us waiting.
                spill.append(contentsOf: rest(of: pieces, after: 0))
                giveBack(pieces)
                if completion.more, let receiving { executor.cancel(receiving) }
                return
            }
            queue.append(contentsOf: pieces)
            queuedBytes += length
            // Streaming knows no limit of its own: stop it, and start again when there is room.
            if completion.more, queuedBytes >= allowance, let receiving { executor.cancel(receiving) }
        } else if completion.result == -ECANCELED {
            // Stopped for want of room, or by the end of the relay.
            if relay.scope.isCancelled { relay.finish(.cancelled) }
        } else if !completion.more {
            // A read error counts as the end of the stream: what was received before still counts.
            sourceEnded = true
        }
    }

    private func sent(_ operation: Operation, _ completion: Completion) {
        guard let relay else { return }
        let pieces = operation.vector
        let length = pieces.reduce(0) { $0 + $1.length }
        defer { giveBack(pieces) }
        if relay.isEnding { return }
        if pieces.isEmpty {
            if completion.result < 0 { fail(completion, relay) }
            return
        }
        queuedBytes -= length
        adaptAllowance(relay)
        if operation.sent == length { return }
        if completion.result == -ECANCELED, !relay.scope.isCancelled {
            spill = rest(of: pieces, after: operation.sent) + rest(of: queue, after: 0)
            giveBack(queue)
            queue = []
            queuedBytes = 0
        } else {
            fail(completion, relay)
        }
    }

    private func fail(_ completion: Completion, _ relay: Relay) {
        do {
            _ = try completion.value(of: .send)
        } catch {
            relay.finish(error == .cancelled ? .cancelled : .failed(error))
        }
    }

    /// Whoever keeps a send waiting this long reads slowly; a busy receiver on another core takes far less.
    private static let slowness = Duration.milliseconds(50)

    private func adaptAllowance(_ relay: Relay) {
        let isSlow = executor.now - sendStarted > RelayDirection.slowness
        allowance = isSlow ? pool.size : min(relay.limits.held, allowance * 2)
    }

    /// What one receive may take: the allowance, but no more than half of the buffers nobody holds.
    private var limit: Int { min(allowance, max(1, (pool.count - pool.lent) / 2) * pool.size) }

    private func rest(of pieces: [LentBytes], after sent: Int) -> [UInt8] {
        var rest: [UInt8] = []
        var skip = sent
        for var piece in pieces {
            let skipped = min(skip, piece.length)
            skip -= skipped
            piece.offset += skipped
            piece.length -= skipped
            rest.append(contentsOf: pool.bytes(piece))
        }
        return rest
    }

    private func giveBack(_ pieces: [LentBytes]) {
        for piece in pieces { executor.giveBack(piece.buffer) }
    }
}

extension RelayDirection: Operation.Handler {
    func completed(_ operation: Operation, _ completion: Completion) {
        if operation === receiving {
            if !completion.more { receiving = nil }
            received(completion)
        } else {
            sending = nil
            sent(operation, completion)
        }
        pump()
        relay?.concludeIfOver()
    }
}
