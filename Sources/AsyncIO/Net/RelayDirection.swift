import Glibc

/// One direction of a relay: receives into lent buffers, sends from them, gives them back.
///
/// ```
///   streaming ──full buffers in a row──▶ bulk: spliced, or in bundles ──the source falls silent──▶ streaming
/// ```
/// Small messages are the rule: one receive serves until cancelled, and what it brings is sent at once,
/// without an operation, as long as the target takes it. What the target does not take is queued and leaves in
/// one send; at most one receive and one send are in flight. Bulk moves inside the kernel where there is a pipe
/// for it (`Splice`), else several buffers at a time.
///
/// How much may queue adapts: it doubles while the receiver keeps up and falls to one buffer when it does
/// not, so that a slow reader holds little. When the pool runs dry the executor cancels waiting sends; the
/// rest is then copied out (`spill`) and the buffers go back. Each operation carries the relay's deadline; when
/// one ends by it although something was said meanwhile, it is simply started again.
final class RelayDirection: RelayHalf {
    /// Receives in a row that filled their buffer: so the source has more than we take.
    private var fullReceives: UInt8 = 0
    private var sourceEnded = false
    /// How many bytes may be queued or received at once.
    private var allowance: UInt32
    private var receiving: Operation?
    /// What the target has not taken yet; nil where it has taken all, as in silence.
    private var backlog: Backlog?

    /// What waits for the target, or is on its way to it. Apart from the direction, because a silent session has two
    /// directions and nothing of this.
    private final class Backlog {
        var sending: Operation?
        var splice: Splice?
        /// Received and not yet handed to a send.
        var queue: [LentBytes] = []
        /// Bytes of our own to send before the queue: what was read at login, or copied out of buffers.
        var spill: [UInt8] = []
        var sendStarted = Instant.never
        /// Bytes in the queue and in the send under way from lent buffers.
        var queuedBytes: UInt32 = 0

        /// Bytes of our own are on their way or wait to be sent.
        var isSpilling: Bool {
            if !spill.isEmpty { return true }
            guard let sending else { return false }
            return !sending.isSendingLentBytes
        }

        var isEmpty: Bool { sending == nil && splice == nil && queue.isEmpty && spill.isEmpty }
    }

    /// The most that is held in lent buffers while the receiver keeps up, in bytes.
    private static let heldMaximum: UInt32 = 256 * 1024
    /// Whoever keeps a send waiting this long reads slowly; a busy receiver on another core takes far less.
    static let slownessNanoseconds: UInt64 = 50_000_000
    /// So many full buffers in a row are bulk.
    private static let bulkThreshold: UInt8 = 4

    /// - Parameters:
    ///   - side: that of `source`.
    ///   - first: sent before anything received.
    init(from source: Socket, side: Relay.Side, first: [UInt8]) {
        allowance = UInt32(2 * source.executor.buffers.size)
        super.init(side, source: source.handle, receivedBefore: first.count)
        if !first.isEmpty { ownBacklog.spill = first }
    }

    /// Where what comes from `source` goes.
    func target(in relay: Relay) -> Descriptor { relay.half(of: side.other).source }

    /// The backlog, made where there is none; whoever puts something in has it looked after by `pump`.
    private var ownBacklog: Backlog {
        if let backlog { return backlog }
        let new = Backlog()
        backlog = new
        return new
    }

    /// Nothing may be left behind in silence.
    private func dropEmptyBacklog() {
        if let backlog, backlog.isEmpty { self.backlog = nil }
    }

    override var isIdle: Bool {
        guard receiving == nil else { return false }
        guard let backlog else { return true }
        return backlog.sending == nil && backlog.queue.isEmpty && backlog.splice == nil
    }

    override func begin(in relay: Relay) {
        super.begin(in: relay)
        sendSpillAtOnce(relay)
    }

    override func stop(in relay: Relay) {
        if let receiving { relay.executor.cancel(receiving) }
        guard let backlog else { return }
        if let sending = backlog.sending { relay.executor.cancel(sending) }
        backlog.splice?.stop(in: relay)
        dropQueue(relay)
    }

    override func setDeadline(_ deadline: Instant, in relay: Relay) {
        if let receiving { relay.executor.setDeadline(deadline, of: receiving) }
        if let sending = backlog?.sending { relay.executor.setDeadline(deadline, of: sending) }
    }

    // MARK: Pumping

    /// Starts whatever can go on: a send of what is queued, a receive while there is room.
    override func pump(_ relay: Relay) {
        guard relay.mayGoOn(), backlog?.splice == nil else { return }
        if backlog?.sending == nil { startSending(relay) }
        if receiving == nil, !sourceEnded, hasRoom { startReceiving(relay) }
        dropEmptyBacklog()
    }

    /// More may be received.
    private var hasRoom: Bool {
        guard let backlog else { return true }
        return !backlog.isSpilling && backlog.queuedBytes < allowance
    }

    private var isBulk: Bool { fullReceives >= RelayDirection.bulkThreshold }

    private func startSending(_ relay: Relay) {
        if let backlog, !backlog.spill.isEmpty {
            send(.send, Outgoing(copying: backlog.spill[...]), backlog, relay)
            wipe(&backlog.spill)
        } else if let backlog, !backlog.queue.isEmpty {
            backlog.sendStarted = relay.executor.now
            send(.sendVector, Outgoing(backlog.queue), backlog, relay)
            backlog.queue = []
        } else if sourceEnded, !isFinished {
            isFinished = true
            relay.halfFinished(towards: target(in: relay))
        }
    }

    private func send(_ request: Operation.Request, _ outgoing: Outgoing, _ backlog: Backlog, _ relay: Relay) {
        backlog.sending = relay.executor.start(
            request, on: target(in: relay).number, deadline: relay.nextDeadline, scope: relay.scope, handler: self,
            outgoing: outgoing)
    }

    private func startReceiving(_ relay: Relay) {
        if isBulk { noteBulk(towards: target(in: relay), in: relay) }
        if isBulk, let pipes = relay.executor.kernel.pipes {
            // What is queued leaves first; the end of its send leads here again.
            guard backlog?.sending == nil else { return }
            if let pipe = pipes.take() {
                let splice = Splice(through: pipe, for: self, to: target(in: relay))
                ownBacklog.splice = splice
                return splice.begin(in: relay)
            }
        }
        let request: Operation.Request =
            isBulk ? .receiveBundle(limit: limit(relay)) : .receiveMany
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
            if relay.isEnding { return giveBack(relay.pool.pieces(first: first, length: length), relay) }
            noteReceived(length, relay)
            if length < relay.pool.size { fullReceives = 0 } else if !isBulk { fullReceives += 1 }
            if !deliverAtOnce(first, length, isFollowed: completion.isFollowed, relay) {
                take(relay.pool.pieces(first: first, length: length), UInt32(length), relay)
            }
            // Streaming knows no limit of its own: stop it, and start again when there is room.
            if completion.more, isBulk || !hasRoom, let receiving { relay.executor.cancel(receiving) }
        } else if completion.result == -ETIME {
            relay.deadlinePassed()
        } else if completion.result == -ECANCELED {
            // Stopped for want of room, or by the end of the relay.
            if relay.scope.isCancelled { relay.finish(.cancelled) }
        } else if !completion.more {
            // A read error counts as the end of the stream: what was received before still counts.
            if completion.result < 0 { relay.sourceFailed(side, code: -completion.result) }
            sourceEnded = true
        }
    }

    private func noteReceived(_ length: Int, _ relay: Relay) {
        byteCount += UInt64(length)
        relay.noteActivity()
    }

    /// Sends one buffer's worth now, if nothing is to go before it; false when the target did not take all of it.
    /// What it did take is not sent again: the piece that remains stands at the front of the queue.
    /// What is followed leaves together with what follows: a server's last words with the end of its stream.
    private func deliverAtOnce(_ buffer: UInt16, _ length: Int, isFollowed: Bool, _ relay: Relay) -> Bool {
        guard backlog == nil, length <= relay.pool.size else { return false }
        var piece = LentBytes(buffer: buffer, offset: 0, length: length)
        let kernel = relay.executor.kernel
        let sent = relay.pool.withSpan(of: piece) {
            kernel.sendAtOnce($0, on: target(in: relay).number, moreFollows: isFollowed)
        }
        if sent == length {
            relay.executor.giveBack(buffer)
        } else {
            // A failure meets the operation that is started next, which reports it.
            piece.offset = max(0, sent)
            piece.length -= piece.offset
            let backlog = ownBacklog
            backlog.queue = [piece]
            backlog.queuedBytes = UInt32(piece.length)
        }
        return true
    }

    /// The same for bytes of our own, which were read during the login.
    private func sendSpillAtOnce(_ relay: Relay) {
        guard let backlog, !backlog.spill.isEmpty else { return }
        let sent = relay.executor.kernel.sendAtOnce(backlog.spill, on: target(in: relay).number)
        if sent == backlog.spill.count { wipe(&backlog.spill) } else if sent > 0 { backlog.spill.removeFirst(sent) }
    }

    private func take(_ pieces: [LentBytes], _ length: UInt32, _ relay: Relay) {
        let backlog = ownBacklog
        if backlog.isSpilling {
            // Nothing of ours may hold buffers while the receiver keeps us waiting.
            backlog.spill.append(contentsOf: bytes(of: pieces, relay))
            giveBack(pieces, relay)
        } else {
            backlog.queue.append(contentsOf: pieces)
            backlog.queuedBytes += length
        }
    }

    private func sent(_ outgoing: Outgoing, _ completion: Completion, _ backlog: Backlog, _ relay: Relay) {
        defer { giveBack(outgoing.vector, relay) }
        if relay.isEnding { return }
        if outgoing.sent > 0 { relay.noteActivity() }
        if !outgoing.vector.isEmpty {
            backlog.queuedBytes -= UInt32(outgoing.length)
            adaptAllowance(relay, since: backlog.sendStarted)
        }
        if outgoing.rest == 0 { return }
        switch completion.result {
        case -ETIME:
            relay.deadlinePassed()
            if relay.isEnding { return }
            fallthrough
        case -ECANCELED where !relay.scope.isCancelled:
            // To be gone on with, from memory of our own.
            backlog.spill = outgoing.unsentBytes(in: relay.pool) + bytes(of: backlog.queue, relay)
            dropQueue(relay)
        default:
            fail(completion, relay)
        }
    }

    private func fail(_ completion: Completion, _ relay: Relay) {
        do {
            _ = try completion.value(of: .send)
        } catch {
            relay.finish(error == .cancelled ? .cancelled : .failed(error, sendingTo: side.other))
        }
    }

    private func adaptAllowance(_ relay: Relay, since start: Instant) {
        let isSlow = relay.executor.now.nanoseconds(since: start) > RelayDirection.slownessNanoseconds
        allowance = isSlow ? UInt32(relay.pool.size) : min(RelayDirection.heldMaximum, allowance * 2)
    }

    private func bytes(of pieces: [LentBytes], _ relay: Relay) -> [UInt8] {
        pieces.flatMap { relay.pool.bytes($0) }
    }

    private func dropQueue(_ relay: Relay) {
        guard let backlog else { return }
        giveBack(backlog.queue, relay)
        backlog.queue = []
        backlog.queuedBytes = 0
    }

    private func giveBack(_ pieces: [LentBytes], _ relay: Relay) {
        for piece in pieces { relay.executor.giveBack(piece.buffer) }
    }

    override func completed(_ operation: Operation, _ completion: Completion) {
        guard let relay else { return }
        if operation === receiving {
            if !completion.more { receiving = nil }
            received(completion, relay)
        } else if let outgoing = operation.outgoing, let backlog {
            backlog.sending = nil
            sent(outgoing, completion, backlog, relay)
        }
        pump(relay)
        relay.concludeIfOver()
    }

    // MARK: For the splice

    /// The splice moved `length` bytes out of the source.
    func spliced(_ length: Int, in relay: Relay) {
        noteReceived(length, relay)
        relay.executor.noteBulk()
    }

    /// The splice is over; nothing of it is in flight any more.
    func spliceEnded(_ end: Splice.End, in relay: Relay) {
        let backlog = ownBacklog
        backlog.splice = nil
        fullReceives = 0
        switch end {
        case .silence: break
        case .sourceFailed(let code):
            relay.sourceFailed(side, code: -code)
            sourceEnded = true
        case .slowTarget(let rest): backlog.spill = rest
        case .failed(let code): fail(Completion(result: code), relay)
        case .stopped: if relay.scope.isCancelled { relay.finish(.cancelled) }
        }
        pump(relay)
        relay.concludeIfOver()
    }
}
