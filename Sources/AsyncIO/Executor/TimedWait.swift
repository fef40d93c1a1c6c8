/// A task that waits until a moment, unless somebody ends its wait earlier. It lives on the executor's thread.
final class TimedWait: CompletionHandler {
    private let executor: RingExecutor
    private var timer: Operation?
    private var waiter: Waiter<Void>?

    /// A wait that has not begun.
    init(on executor: RingExecutor) {
        self.executor = executor
        super.init(())
    }

    /// Waits until `deadline`, until `scope` is cancelled, or until `end`; the caller looks which it was, and
    /// that `scope` is not cancelled already.
    func wait(until deadline: Instant, scope: CancellationScope) async {
        timer = executor.start(.timer, on: -1, deadline: deadline, scope: scope, handler: self)
        await Waiter.wait { waiter = consume $0 }
    }

    /// Lets the task go on, if it waits.
    func end() {
        if let timer { executor.cancel(timer) }
    }

    override func completed(_ operation: Operation, _ completion: Completion) {
        timer = nil
        waiter.take()?.resume(returning: ())
    }
}
