/// Moves bytes between two sockets for hours: completion by completion, without waking a task.
///
/// ```
///   client ──receive──▶ lent buffers ──send──▶ back-end       (RelayDirection)
///   client ◀──send── lent buffers ◀──receive── back-end       (RelayDirection)
/// ```
/// While both sides are silent it holds two receives in flight and nothing else. When one side ends
/// its stream, what it sent before is delivered, then the other side's stream is ended too
/// (half-close); the relay is over when both are, or when the remaining side was silent for
/// `Limits.drain`.
package final class Relay {
    /// Bounds of one relay; sizes in bytes.
    package struct Limits: Sendable {
        /// Silence of both sides before the relay ends (`proxy_timeout`).
        package var timeout: Duration
        /// Silence of the remaining side once the other has ended.
        package var drain: Duration = .seconds(10)
        /// The most that one direction holds in lent buffers while its receiver keeps up.
        package var held = 256 * 1024

        package init(timeout: Duration) { self.timeout = timeout }
    }

    /// How a relay ended.
    package enum End: Sendable, Equatable {
        /// Both streams ended, or one did and the other fell silent.
        case finished
        /// Nobody said anything for `Limits.timeout`.
        case timedOut
        case cancelled
        /// Writing to one side failed, so nothing more can be delivered.
        case failed(IOError)
    }

    /// What went through, in bytes.
    package struct Result: Sendable {
        package var end: End
        package var received: UInt64
        package var sent: UInt64
    }

    let limits: Limits
    let scope: CancellationScope
    private let upward: RelayDirection
    private let downward: RelayDirection
    private var lastActivity: Instant
    private var timer: Operation?
    private var end: End?
    private var waiter: Waiter<Void>?

    var executor: RingExecutor { scope.executor }

    /// A relay between two connected sockets of one scope.
    package init(client: Socket, backEnd: Socket, limits: Limits) {
        self.limits = limits
        scope = client.scope
        lastActivity = client.executor.now
        upward = RelayDirection(from: client, to: backEnd, isStreaming: true)
        downward = RelayDirection(from: backEnd, to: client, isStreaming: false)
    }

    /// Relays until the end. What was read from either side before, while logging in, goes first.
    package func run(toBackEnd: [UInt8], toClient: [UInt8]) async -> Result {
        await Waiter.wait { waiter in
            self.waiter = consume waiter
            begin(toBackEnd: toBackEnd, toClient: toClient)
        }
        return Result(end: end ?? .finished, received: upward.byteCount, sent: downward.byteCount)
    }

    private func begin(toBackEnd: [UInt8], toClient: [UInt8]) {
        if scope.isCancelled { return finish(.cancelled) }
        startTimer(at: executor.now + limits.timeout)
        upward.begin(in: self, first: toBackEnd)
        downward.begin(in: self, first: toClient)
    }

    // MARK: What directions report

    /// Bytes arrived from either side.
    func noteActivity() { lastActivity = executor.now }

    var isEnding: Bool { end != nil }

    /// A direction has delivered everything and ended its target's stream.
    func directionFinished() {
        if upward.isFinished, downward.isFinished { return finish(.finished) }
        // From here on the shorter bound counts.
        if let timer { executor.setDeadline(executor.now + limits.drain, of: timer) }
    }

    /// Ends the relay: everything in flight is cancelled, and `run` returns when all of it is over.
    func finish(_ reason: End) {
        guard end == nil else { return }
        end = reason
        upward.stop()
        downward.stop()
        if let timer { executor.cancel(timer) }
        concludeIfOver()
    }

    /// Resumes `run` when nothing is in flight any more.
    func concludeIfOver() {
        guard isEnding, timer == nil, upward.isIdle, downward.isIdle else { return }
        waiter.take()?.resume(returning: ())
    }

    // MARK: Silence

    private func startTimer(at deadline: Instant) {
        timer = executor.start(.timer, on: -1, deadline: deadline, scope: scope, handler: self)
    }
}

extension Relay: Operation.Handler {
    /// The timer went off: end the relay, unless something was said meanwhile.
    package func completed(_ operation: Operation, _ completion: Completion) {
        timer = nil
        if isEnding { return concludeIfOver() }
        if scope.isCancelled { return finish(.cancelled) }
        let isDraining = upward.isFinished || downward.isFinished
        let due = lastActivity + (isDraining ? limits.drain : limits.timeout)
        if due > executor.now { return startTimer(at: due) }
        finish(isDraining ? .finished : .timedOut)
    }
}
