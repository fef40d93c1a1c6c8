/// What one session has asked the kernel for, so that one cancellation handler ends all of it.
///
/// Cancelling insists: operations in flight are cancelled in the kernel, and those started later
/// fail at once (a handler may run before the operation it is meant for is submitted). It may be
/// called from any thread; it takes effect on the executor's.
// Safety: `isCancelled` and `first` are touched on the executor's thread only; `cancel` hops there.
package final class CancellationScope: @unchecked Sendable {
    package let executor: RingExecutor
    package private(set) var isCancelled = false
    /// The operations in flight, linked by `nextInScope`: a session has four at most.
    private var first: Operation?

    package init(on executor: RingExecutor) { self.executor = executor }

    /// Cancels everything in flight and to come.
    package func cancel() {
        executor.onThread { [self] in
            guard !isCancelled else { return }
            isCancelled = true
            var pending: [Operation] = []
            var next = first
            while let operation = next {
                pending.append(operation)
                next = operation.nextInScope
            }
            // Collected before: ending one may end others, and so change the list.
            for operation in pending where operation.scope === self { executor.cancel(operation) }
        }
    }

    func add(_ operation: Operation) {
        operation.scope = self
        operation.nextInScope = first
        first = operation
    }

    func remove(_ operation: Operation) {
        if first === operation {
            first = operation.nextInScope
        } else {
            var previous = first
            while let candidate = previous, candidate.nextInScope !== operation { previous = candidate.nextInScope }
            previous?.nextInScope = operation.nextInScope
        }
        operation.nextInScope = nil
        operation.scope = nil
    }
}

/// Runs `body` so that cancelling the current task cancels `scope`.
package func withCancellation<Result>(of scope: CancellationScope, _ body: () async -> Result) async -> Result {
    await withTaskCancellationHandler(operation: body) { scope.cancel() }
}
