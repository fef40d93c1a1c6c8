/// A relay with TLS on one side or both: as `Relay`, completion by completion, without waking a task.
///
/// ```
///   client ──receive──▶ decrypt ──▶ encrypt ──send──▶ back-end
///          ◀──send── encrypt ◀── decrypt ◀──receive──           (a SecureLeg on each side)
/// ```
/// What arrives is worked off at once and leaves its lent buffer, so a slow reader holds memory of the
/// relay's own and nobody else's buffers; how much is bounded, for a side is only read from while what
/// waits for the other is little. While both sides are silent it holds two receives and no buffer. The
/// end of a side is passed on with close_notify where the other has TLS, and bounded as in `Relay`.
package final class SecureRelay: Relaying {
    package let scope: CancellationScope
    private let client: SecureLeg
    private let backEnd: SecureLeg
    private let timeout: UInt64
    private var lastActivity: Instant
    package private(set) var end: Relay.End?
    package private(set) var sourceFailure: (side: Relay.Side, code: Int32)?
    private var waiter: Waiter<Void>?

    /// A relay between two connected sockets of one scope; as `Relay`'s.
    package init(client: Socket, backEnd: Socket, timeout: Duration, toBackEnd: [UInt8], toClient: [UInt8]) {
        scope = client.scope
        self.timeout = timeout.wholeNanoseconds
        lastActivity = client.executor.now
        self.client = SecureLeg(client.handle, .client, receivedBefore: toBackEnd.count)
        self.backEnd = SecureLeg(backEnd.handle, .backEnd, receivedBefore: toClient.count)
        unsafe toBackEnd.withUnsafeBytes { unsafe self.backEnd.enqueue($0) }
        unsafe toClient.withUnsafeBytes { unsafe self.client.enqueue($0) }
    }

    package func begin(_ waiter: consuming Waiter<Void>) {
        self.waiter = consume waiter
        if scope.isCancelled { return finish(.cancelled) }
        lastActivity = executor.now
        client.begin(in: self, opposite: backEnd)
        backEnd.begin(in: self, opposite: client)
        client.pump(self)
        backEnd.pump(self)
        concludeIfOver()
    }

    package var received: UInt64 { client.byteCount }
    package var sent: UInt64 { backEnd.byteCount }

    // MARK: For legs

    var executor: RingExecutor { scope.executor }
    var isEnding: Bool { end != nil }

    /// When silence would end the relay.
    var nextDeadline: Instant { lastActivity.advanced(byNanoseconds: silenceMaximum) }

    private var isDraining: Bool { client.isFinished || backEnd.isFinished }
    private var silenceMaximum: UInt64 {
        isDraining ? min(Relay.drain.wholeNanoseconds, timeout) : timeout
    }

    /// Bytes arrived from either side.
    func noteActivity() { lastActivity = executor.now }

    /// An operation ended by its deadline: so does the relay, unless something was said meanwhile.
    func deadlinePassed() {
        if nextDeadline <= executor.now { finish(isDraining ? .finished : .timedOut) }
    }

    /// Reading from one side failed; what it sent before is delivered all the same.
    func sourceFailed(_ side: Relay.Side, code: Int32) {
        if sourceFailure == nil { sourceFailure = (side, code) }
    }

    /// Everything that one side sent before its end was delivered.
    func legFinished() {
        if client.isFinished, backEnd.isFinished { return finish(.finished) }
        lastActivity = executor.now
        client.setDeadline(nextDeadline, in: self)
        backEnd.setDeadline(nextDeadline, in: self)
    }

    /// Ends the relay: everything in flight is cancelled, and `run` returns when all of it is over.
    func finish(_ reason: Relay.End) {
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
