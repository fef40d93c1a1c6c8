/// What one session has asked the kernel for, so that one cancellation handler ends all of it.
///
/// Cancelling insists: operations in flight are cancelled in the kernel, and those started later
/// fail at once (a handler may run before the operation it is meant for is submitted). It may be
/// called from any thread; it takes effect on the executor's.
// Safety: `isCancelled` and `pending` are touched on the executor's thread only; `cancel` hops there.
package final class CancellationScope: @unchecked Sendable {
    package let executor: RingExecutor
    private(set) var isCancelled = false
    private var pending: [Operation] = []

    package init(on executor: RingExecutor) { self.executor = executor }

    /// Cancels everything in flight and to come.
    package func cancel() {
        executor.onThread { [self] in
            guard !isCancelled else { return }
            isCancelled = true
            for operation in pending { executor.cancel(operation) }
        }
    }

    func add(_ operation: Operation) { pending.append(operation) }

    func remove(_ operation: Operation) {
        if let place = pending.firstIndex(where: { $0 === operation }) { pending.swapAt(place, pending.count - 1) }
        pending.removeLast()
    }
}

/// Runs `body` so that cancelling the current task cancels `scope`.
package func withCancellation<Result>(of scope: CancellationScope, _ body: () async -> Result) async -> Result {
    await withTaskCancellationHandler(operation: body) { scope.cancel() }
}
