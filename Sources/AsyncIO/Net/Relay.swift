/// Moves bytes between two sockets for hours: completion by completion, without waking a task.
///
/// ```
///   client ──▶ back-end      a RelayDirection each; with TLS on one side or both, a SecureLeg each
///   client ◀── back-end
/// ```
/// While both sides are silent it holds two receives in flight and nothing else: no buffer, no timer
/// of its own. When one side ends its stream, what it sent before is delivered, then the other
/// side's stream is ended too (half-close); the relay is over when both sides have ended, or when the
/// remaining one was silent for `drain`. Whoever made it then closes both connections, by letting go.
package final class Relay {
    /// How a relay ended.
    package enum End: Sendable, Equatable {
        /// Both streams ended, or one did and the other fell silent.
        case finished
        /// Nobody said anything for the whole timeout.
        case timedOut
        case cancelled
        /// Writing to one side failed, so nothing more can be delivered.
        indirect case failed(IOError, sendingTo: Side)
    }

    /// The two ends of a relay.
    package enum Side: Sendable, Hashable {
        case client, backEnd

        var other: Side { self == .client ? .backEnd : .client }
    }

    /// Silence of the remaining side once the other has ended.
    package static let drain = Duration.seconds(10)
    private static let drainNanoseconds = drain.wholeNanoseconds

    package let scope: CancellationScope
    private let client: RelayHalf
    private let backEnd: RelayHalf
    /// In nanoseconds, taken apart once: it is added for every piece relayed.
    private let timeout: UInt64
    private var lastActivity: Instant
    /// How it ended; nil before.
    package private(set) var end: End?
    private var waiter: Waiter<Void>?

    /// A relay between two connected sockets of one scope.
    ///
    /// - Parameters:
    ///   - timeout: silence of both sides before the relay ends (`proxy_timeout`).
    ///   - toBackEnd: what was read from the client before, while logging in; it goes first. So does `toClient`.
    package init(client: Socket, backEnd: Socket, timeout: Duration, toBackEnd: [UInt8], toClient: [UInt8]) {
        scope = client.scope
        self.timeout = timeout.wholeNanoseconds
        lastActivity = client.executor.now
        if client.handle.tls == nil, backEnd.handle.tls == nil {
            self.client = RelayDirection(from: client, side: .client, first: toBackEnd)
            self.backEnd = RelayDirection(from: backEnd, side: .backEnd, first: toClient)
        } else {
            (self.client, self.backEnd) = SecureLeg.pair(client, backEnd, toBackEnd: toBackEnd, toClient: toClient)
        }
    }

    /// Relays until the end, and resumes `waiter` then.
    package func begin(_ waiter: consuming Waiter<Void>) {
        self.waiter = consume waiter
        if scope.isCancelled { return finish(.cancelled) }
        lastActivity = executor.now
        client.begin(in: self)
        backEnd.begin(in: self)
        client.pump(self)
        backEnd.pump(self)
        concludeIfOver()
    }

    /// The same, for whoever has nothing else to do.
    package func run() async { await Waiter.wait { begin($0) } }

    /// The first failure to read, which ended that side's stream like a close; nil where there was none.
    package var sourceFailure: (side: Side, code: Int32)? {
        for half in [client, backEnd] where half.readFailure != 0 { return (half.side, half.readFailure) }
        return nil
    }

    /// Bytes received from the client, without what TLS adds.
    package var received: UInt64 { client.byteCount }

    /// Bytes sent to the client, or on their way when the relay broke; without what TLS adds.
    package var sent: UInt64 { backEnd.byteCount }

    // MARK: For its halves

    var executor: RingExecutor { scope.executor }
    var pool: BufferPool { executor.buffers }
    var isEnding: Bool { end != nil }

    /// Whether operations may be started. Those that are started in a cancelled scope would not hear of it; where what
    /// was in flight then ended by itself, the relay ends here.
    func mayGoOn() -> Bool {
        if scope.isCancelled { finish(.cancelled) }
        return !isEnding
    }

    /// The half that moves what comes from `side`.
    func half(of side: Side) -> RelayHalf { side == .client ? client : backEnd }

    /// When silence would end the relay.
    var nextDeadline: Instant { lastActivity.advanced(byNanoseconds: silenceMaximum) }

    private var isDraining: Bool { client.isFinished || backEnd.isFinished }
    private var silenceMaximum: UInt64 { isDraining ? min(Relay.drainNanoseconds, timeout) : timeout }

    /// Bytes arrived from either side, or one took some that had waited: whoever reads slowly is not silent.
    func noteActivity() { lastActivity = executor.now }

    /// An operation ended by its deadline: so does the relay, unless something was said meanwhile.
    func deadlinePassed() {
        if nextDeadline <= executor.now { finish(isDraining ? .finished : .timedOut) }
    }

    /// Everything that one side sent before its end was delivered to `target`.
    ///
    /// The second end needs no half-close: the relay is over, and its owner closes both connections.
    func halfFinished(towards target: Descriptor) {
        if client.isFinished, backEnd.isFinished { return finish(.finished) }
        executor.kernel.shutdownSending(target.number)
        // From here on the shorter bound counts for what is in flight, too.
        lastActivity = executor.now
        client.setDeadline(nextDeadline, in: self)
        backEnd.setDeadline(nextDeadline, in: self)
    }

    /// Reading from one side failed; what it sent before is delivered all the same.
    func sourceFailed(_ side: Side, code: Int32) {
        if sourceFailure == nil { half(of: side).readFailure = code }
    }

    /// Ends the relay: everything in flight is cancelled, and `run` returns when all of it is over.
    func finish(_ reason: End) {
        guard end == nil else { return }
        end = reason
        client.stop(in: self)
        backEnd.stop(in: self)
        concludeIfOver()
    }

    /// Resumes `run` when nothing is in flight any more.
    func concludeIfOver() {
        guard isEnding, client.isIdle, backEnd.isIdle else { return }
        waiter.take()?.resume(returning: ())
    }
}
