import AsyncIO

/// Where sessions wait for their second task: put in by the task that logged them in, taken out by
/// whoever starts the task that relays them.
///
/// A session is two child tasks, one after the other, because the first needs a deep stack for a
/// moment and the second a shallow one for hours; a task gives its stack back only when it ends.
package actor LoggedInSessions {
    package nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe executor.asUnownedSerialExecutor() }
    private let executor: RingExecutor
    private var waiting: [MailSession] = []
    private var isClosed = false
    private var waiter: Waiter<Void>?

    package init(on executor: RingExecutor) { self.executor = executor }

    /// Hands a logged-in session over; never after `close`.
    package func add(_ session: MailSession) {
        precondition(!isClosed, "a session logged in after the last")
        waiting.append(session)
        waiter.take()?.resume(returning: ())
    }

    /// No more will come: `next` returns nil after the last.
    package func close() {
        isClosed = true
        waiter.take()?.resume(returning: ())
    }

    /// The next session to relay, for a single caller; nil after `close`.
    package func next() async -> MailSession? {
        while waiting.isEmpty {
            if isClosed { return nil }
            await Waiter.wait { waiter = consume $0 }
        }
        return waiting.removeFirst()
    }
}
