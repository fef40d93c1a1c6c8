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

    let limits: Limits
    package let scope: CancellationScope
    private let upward: RelayDirection
    private let downward: RelayDirection
    private var lastActivity: Instant
    private var timer: Operation?
    /// How it ended; nil before.
    package private(set) var end: End?
    private var waiter: Waiter<Void>?

    var executor: RingExecutor { scope.executor }

    /// A relay between two connected sockets of one scope. What was read from either side before,
    /// while logging in, goes first.
    package init(client: Socket, backEnd: Socket, limits: Limits, toBackEnd: [UInt8], toClient: [UInt8]) {
        self.limits = limits
        scope = client.scope
        lastActivity = client.executor.now
        upward = RelayDirection(from: client, to: backEnd, isStreaming: true, first: toBackEnd)
        downward = RelayDirection(from: backEnd, to: client, isStreaming: false, first: toClient)
    }

    /// Relays until the end.
    package func run() async {
        await Waiter.wait { waiter in
            self.waiter = consume waiter
            begin()
        }
    }

    /// Bytes received from the client.
    package var received: UInt64 { upward.byteCount }

    /// Bytes sent to the client, or on their way when the relay broke.
    package var sent: UInt64 { downward.byteCount }

    private func begin() {
        if scope.isCancelled { return finish(.cancelled) }
        startTimer(at: executor.now + limits.timeout)
        upward.begin(in: self)
        downward.begin(in: self)
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
