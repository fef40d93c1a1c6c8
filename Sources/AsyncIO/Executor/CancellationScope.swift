/// What one session has asked the kernel for, so that all of it can be ended at once.
///
/// Cancelling insists: operations in flight are cancelled in the kernel, and those started later
/// fail at once (a handler may run before the operation it is meant for is submitted). It may be
/// called from any thread; it takes effect on the executor's.
// Safety: `state` and `first` are touched on the executor's thread only; `cancel` hops there.
package final class CancellationScope: @unchecked Sendable {
    package let executor: RingExecutor
    /// The executor, for actors that ask on each of their many turns: here nothing has to be retained for it.
    package var unownedExecutor: UnownedSerialExecutor { unsafe executor.asUnownedSerialExecutor() }
    private var state: State
    /// The operations in flight, linked by `nextInScope`: a session has four at most. By table index, -1 for none.
    private var first: Int32 = -1

    /// One word, because every session has a scope.
    private enum State: ~Copyable {
        case open
        /// Open as long as that one is.
        case within(CancellationScope)
        case cancelled
    }

    /// A scope of its own, or one that ends with `parent` at the latest.
    package init(on executor: RingExecutor, within parent: CancellationScope? = nil) {
        self.executor = executor
        state = parent.map { .within($0) } ?? .open
    }

    /// Whether operations may still be started.
    package var isCancelled: Bool {
        switch state {
        case .open: false
        case .within(let parent): parent.isCancelled
        case .cancelled: true
        }
    }

    /// Cancels everything in flight and to come, that of scopes within this one too.
    package func cancel() {
        executor.onThread { [self] in
            state = .cancelled
            // Found by what is in flight, rather than by a list that every scope would have to be kept in.
            for scope in executor.scopesInFlight(where: { $0 === self || $0.isWithin(self) }) {
                scope.cancelOperations()
            }
        }
    }

    /// Whether this one ends with `scope`, and has not ended before.
    private func isWithin(_ scope: CancellationScope) -> Bool {
        switch state {
        case .open: false
        case .within(let parent): parent === scope || parent.isWithin(scope)
        case .cancelled: false
        }
    }

    private func cancelOperations() {
        var pending: [Operation] = []
        var next = first
        while next >= 0 {
            pending.append(executor.operation(at: next))
            next = executor.operation(at: next).nextInScope
        }
        // Collected before: ending one may end others, and so change the list.
        for operation in pending where operation.scope === self { executor.cancel(operation) }
    }

    func add(_ operation: Operation) {
        operation.scope = self
        operation.nextInScope = first
        first = Int32(operation.index)
    }

    /// For whoever has taken it out of `operation`.
    func remove(_ operation: Operation) {
        let index = Int32(operation.index)
        if first == index {
            first = operation.nextInScope
        } else {
            var previous = first
            while executor.operation(at: previous).nextInScope != index {
                previous = executor.operation(at: previous).nextInScope
            }
            executor.operation(at: previous).nextInScope = operation.nextInScope
        }
        operation.nextInScope = -1
    }
}
