/// What one session has asked the kernel for, so that all of it can be ended at once.
///
/// Cancelling insists: operations in flight are cancelled in the kernel, and those started later
/// fail at once (a handler may run before the operation it is meant for is submitted). It may be
/// called from any thread; it takes effect on the executor's.
// Safety: `isCancelledItself` and `first` are touched on the executor's thread only; `cancel` hops there.
package final class CancellationScope: @unchecked Sendable {
    /// Where its executor is known: one word for both, because every session has a scope.
    private enum Origin {
        case root(RingExecutor)
        /// The cancellation of this one cancels it too.
        case within(CancellationScope)
    }

    private let origin: Origin
    private var isCancelledItself = false
    /// The operations in flight, linked by `nextInScope`: a session has four at most.
    private var first: Operation?

    /// A scope of its own, or one that ends with `parent` at the latest.
    package init(on executor: RingExecutor, within parent: CancellationScope? = nil) {
        precondition(parent.map { $0.executor === executor } ?? true, "scopes within each other share their executor")
        origin = parent.map { .within($0) } ?? .root(executor)
    }

    package var executor: RingExecutor {
        switch origin {
        case .root(let executor): executor
        case .within(let parent): parent.executor
        }
    }

    private var parent: CancellationScope? {
        if case .within(let parent) = origin { parent } else { nil }
    }

    /// Whether operations may still be started.
    package var isCancelled: Bool { isCancelledItself || parent?.isCancelled ?? false }

    /// Cancels everything in flight and to come, that of scopes within this one too.
    package func cancel() {
        executor.onThread { [self] in
            guard !isCancelledItself else { return }
            isCancelledItself = true
            // Found by what is in flight, rather than by a list that every scope would have to be kept in.
            for scope in executor.scopesInFlight(where: { $0 === self || $0.isWithin(self) }) {
                scope.cancelOperations()
            }
        }
    }

    private func isWithin(_ scope: CancellationScope) -> Bool { parent === scope || parent?.isWithin(scope) ?? false }

    private func cancelOperations() {
        var pending: [Operation] = []
        var next = first
        while let operation = next {
            pending.append(operation)
            next = operation.nextInScope
        }
        // Collected before: ending one may end others, and so change the list.
        for operation in pending where operation.scope === self { executor.cancel(operation) }
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
