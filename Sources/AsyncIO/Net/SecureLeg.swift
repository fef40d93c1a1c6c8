import Glibc

/// One side of a relay with TLS on this side, the other or both: its connection, its TLS if it has one, and what waits
/// to be sent to it.
///
/// ```
///   client ──receive──▶ decrypt ──▶ encrypt ──send──▶ back-end
///          ◀──send── encrypt ◀── decrypt ◀──receive──           (a SecureLeg on each side)
/// ```
/// At most one receive and one send are in flight. What the peer says is decrypted, encrypted for the
/// other leg and put into that leg's queue at once; a leg whose opposite has much in its queue is not
/// read from.
final class SecureLeg: RelayHalf {
    private var sourceEnded = false
    private var hasSaidFarewell = false
    /// The last receive filled its buffer: so the peer has more than one takes, and many are taken at a time. Else
    /// one receive serves until cancelled, which is cheapest for small messages.
    private var isBulk = false
    /// The length of TLS's own farewell, the last that is queued.
    private var farewellCount: UInt16 = 0
    private var receiving: Operation?
    private var sending: Operation?
    /// As it will go over the wire.
    private var queue = OwnedBytes()

    /// What one receive takes at most, and what waits at most before the other side is read again.
    private static let portion = 128 << 10
    /// What never waits of what the other side says: a portion, and what one turn may bring behind it.
    private static let queueMaximum = 1 << 20

    /// Both legs, each with what it has to send first.
    static func pair(
        _ client: Socket, _ backEnd: Socket, toBackEnd: [UInt8], toClient: [UInt8]
    ) -> (client: SecureLeg, backEnd: SecureLeg) {
        let legs = (
            client: SecureLeg(.client, source: client.handle, receivedBefore: toBackEnd.count),
            backEnd: SecureLeg(.backEnd, source: backEnd.handle, receivedBefore: toClient.count)
        )
        unsafe toBackEnd.withUnsafeBytes { unsafe legs.backEnd.enqueue($0) }
        unsafe toClient.withUnsafeBytes { unsafe legs.client.enqueue($0) }
        return legs
    }

    override var isIdle: Bool { receiving == nil && sending == nil }

    override func begin(in relay: Relay) {
        super.begin(in: relay)
        // What the login left behind in this side's TLS.
        var early = ByteQueue()
        source.tls?.takePlaintext(into: &early)
        source.tls?.beginRelay()
        guard !early.isEmpty else { return }
        byteCount += UInt64(early.count)
        let opposite = opposite(in: relay)
        unsafe early.takeAll().withUnsafeBytes { unsafe opposite.enqueue($0) }
    }

    private func opposite(in relay: Relay) -> SecureLeg {
        // Safety: both halves are made here, by `pair`. No property: a silent session has two of these.
        unsafe unsafeDowncast(relay.half(of: side.other), to: SecureLeg.self)
    }

    /// Puts plaintext for this side into its queue.
    private func enqueue(_ plaintext: UnsafeRawBufferPointer) {
        if let tls = source.tls {
            unsafe tls.send(plaintext, wire: &queue)
        } else {
            unsafe queue.append(plaintext)
        }
    }

    /// Starts whatever can go on: a send of what is queued, a receive while the other side keeps up.
    override func pump(_ relay: Relay) {
        guard relay.mayGoOn() else { return }
        let opposite = opposite(in: relay)
        if opposite.sourceEnded, !hasSaidFarewell { sayFarewell() }
        if sending == nil, !queue.isEmpty { startSending(relay) }
        if opposite.sourceEnded, !opposite.isFinished, sending == nil { endSending(relay, opposite) }
        if receiving == nil, !sourceEnded, opposite.queue.count < SecureLeg.portion, !relay.isEnding {
            receiving = relay.executor.start(
                isBulk ? .receiveBundle(limit: UInt32(SecureLeg.portion)) : .receiveMany,
                on: source.number, deadline: relay.nextDeadline, scope: relay.scope, handler: self)
        }
    }

    override func stop(in relay: Relay) {
        if let receiving { relay.executor.cancel(receiving) }
        if let sending { relay.executor.cancel(sending) }
    }

    override func setDeadline(_ deadline: Instant, in relay: Relay) {
        if let receiving { relay.executor.setDeadline(deadline, of: receiving) }
        if let sending { relay.executor.setDeadline(deadline, of: sending) }
    }

    // MARK: Sending

    /// Sends what the connection takes at once; an operation waits for the rest.
    private func startSending(_ relay: Relay) {
        let kernel = relay.executor.kernel
        let sent = unsafe queue.withBytes {
            unsafe kernel.sendAtOnce(RawSpan(_unsafeBytes: $0), on: source.number)
        }
        // A failure meets the operation, which reports it.
        queue.removeFirst(max(0, sent))
        guard !queue.isEmpty else { return }
        sending = relay.executor.start(
            .send, on: source.number, deadline: relay.nextDeadline, scope: relay.scope, handler: self,
            outgoing: unsafe Outgoing(taking: queue.take()))
    }

    /// Nothing more will come from the other side: TLS says so behind all that came before.
    private func sayFarewell() {
        hasSaidFarewell = true
        let before = queue.count
        source.tls?.close(wire: &queue)
        farewellCount = UInt16(queue.count - before)
    }

    /// All that the other side said has left: so does its end.
    private func endSending(_ relay: Relay, _ opposite: SecureLeg) {
        opposite.isFinished = true
        relay.halfFinished(towards: source)
    }

    private func sent(_ outgoing: Outgoing, _ completion: Completion, _ relay: Relay) {
        if relay.isEnding { return }
        if outgoing.sent > 0 { relay.noteActivity() }
        if outgoing.rest == 0 { return }
        switch completion.result {
        case -ETIME:
            relay.deadlinePassed()
            if relay.isEnding { return }
            // To be gone on with, in front of what came meanwhile.
            var rest = OwnedBytes()
            unsafe outgoing.unsentBytes(in: relay.executor.buffers).withUnsafeBytes { unsafe rest.append($0) }
            unsafe queue.withBytes { unsafe rest.append($0) }
            queue = rest
        default:
            do throws(IOError) {
                _ = try completion.value(of: .send)
            } catch .cancelled {
                relay.finish(.cancelled)
            } catch {
                // Whoever has gone needs no farewell; everything else had been delivered.
                guard outgoing.rest > farewellCount else { return }
                relay.finish(.failed(error, sendingTo: side))
            }
        }
    }

    // MARK: Receiving

    private func received(_ completion: Completion, _ relay: Relay, _ opposite: SecureLeg) {
        if completion.result > 0, let first = completion.buffer {
            let pool = relay.executor.buffers
            isBulk = Int(completion.result) >= pool.size
            if isBulk { noteBulk(towards: opposite.source, in: relay) }
            // A peer's records come one by one, with a wake-up each; what is to be encrypted comes in large pieces anyway.
            if isBulk, source.tls != nil { relay.executor.noteBulk() }
            for piece in pool.pieces(first: first, length: Int(completion.result)) {
                if !relay.isEnding { unsafe take(pool.memory(of: piece), opposite) }
                relay.executor.giveBack(piece.buffer)
            }
            relay.noteActivity()
            // Receiving until cancelled knows no limit of its own.
            let mustStop = isBulk || opposite.queue.count >= SecureLeg.portion
            if completion.more, mustStop, let receiving { relay.executor.cancel(receiving) }
        } else if completion.result == -ETIME {
            relay.deadlinePassed()
        } else if completion.result == -ECANCELED {
            if relay.scope.isCancelled { relay.finish(.cancelled) }
        } else {
            // A read error counts as the end of the stream: what was received before still counts.
            if completion.result < 0 { relay.sourceFailed(side, code: -completion.result) }
            source.tls?.endOfStream()
            sourceEnded = true
        }
        switch source.tls?.state {
        case .failed(let failure):
            // The alert that says why, if there is one and nothing is on its way before it.
            if sending == nil {
                relay.executor.kernel.sendAtOnce(queue.bytes, on: source.number)
            }
            relay.finish(.failed(.tls(failure), sendingTo: side))
        case .ended: sourceEnded = true
        case .open:
            // What TLS itself answers waits here, too: to every ClientHello of TLS 1.2, for instance.
            if queue.count > SecureLeg.queueMaximum {
                relay.finish(.failed(.tls(TLSFailure(.peer, "the peer does not take TLS's answers")), sendingTo: side))
            }
        case .handshaking, nil: break
        }
    }

    /// Hands a piece of what the peer sent on to the other leg.
    private func take(_ bytes: UnsafeRawBufferPointer, _ opposite: SecureLeg) {
        guard let tls = source.tls else {
            byteCount += UInt64(bytes.count)
            return unsafe opposite.enqueue(bytes)
        }
        if opposite.source.tls == nil {
            let before = opposite.queue.count
            unsafe tls.receive(bytes, plaintext: &opposite.queue, wire: &queue)
            byteCount += UInt64(opposite.queue.count - before)
        } else {
            var plaintext = OwnedBytes()
            unsafe tls.receive(bytes, plaintext: &plaintext, wire: &queue)
            byteCount += UInt64(plaintext.count)
            unsafe plaintext.withBytes { unsafe opposite.enqueue($0) }
        }
    }

    override func completed(_ operation: Operation, _ completion: Completion) {
        guard let relay else { return }
        let opposite = opposite(in: relay)
        // Whoever sends goes first: what leaves at once makes room for the other to receive, and no operation will say so.
        if operation === receiving {
            if !completion.more { receiving = nil }
            received(completion, relay, opposite)
            // What comes in a row leaves together, up to the end of the stream. Behind full buffers the receive's last
            // completion, which was asked for, is the end of the row at the latest.
            if completion.more, isBulk || completion.isFollowed, opposite.queue.count < SecureLeg.portion { return }
            opposite.pump(relay)
            // TLS may have said something to the peer, too.
            pump(relay)
        } else if let outgoing = operation.outgoing {
            sending = nil
            sent(outgoing, completion, relay)
            pump(relay)
            opposite.pump(relay)
        }
        relay.concludeIfOver()
    }
}
