/// A value that comes from elsewhere, such as a thread that blocks, and the one task that waits for it.
///
/// The task gives up at its deadline; whoever makes the value neither notices nor is held up, and what
/// comes later is dropped. It lives on the executor's thread.
package final class Promise<Value: Sendable> {
    private let wait: TimedWait
    private var value: Value?

    /// A value that is not there yet.
    package init(on executor: RingExecutor) { wait = TimedWait(on: executor) }

    /// Here it is; only the first counts.
    package func fulfil(_ value: Value) {
        guard self.value == nil else { return }
        self.value = value
        wait.end()
    }

    /// The value, once; throws `timedOut` at `deadline`, `cancelled` when `scope` is.
    package func value(by deadline: Instant, scope: CancellationScope) async throws(IOError) -> Value {
        if value == nil, !scope.isCancelled { await wait.wait(until: deadline, scope: scope) }
        if let value { return value }
        throw scope.isCancelled ? .cancelled : .timedOut
    }
}
