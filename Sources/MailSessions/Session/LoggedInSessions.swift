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
    /// Of those waiting, how many `hasNext` has spoken of.
    private var announced = 0
    private var isClosed = false
    private var waiter: Waiter<Void>?

    package init(on executor: RingExecutor) { self.executor = executor }

    /// Hands a logged-in session over; never after `close`.
    package func add(_ session: MailSession) {
        precondition(!isClosed, "a session logged in after the last")
        waiting.append(session)
        waiter.take()?.resume(returning: ())
    }

    /// No more will come: `hasNext` is false after the last.
    package func close() {
        isClosed = true
        waiter.take()?.resume(returning: ())
    }

    /// Waits for a session that is to be relayed and not announced yet, for a single caller; false
    /// after `close`, when there is none left.
    package func hasNext() async -> Bool {
        while announced == waiting.count {
            if isClosed { return false }
            await Waiter.wait { waiter = consume $0 }
        }
        announced += 1
        return true
    }

    /// One of the sessions that `hasNext` announced.
    ///
    /// Called on the executor's thread, where every task of a worker is: a call into the actor would be one more frame
    /// in a task that waits for hours.
    package nonisolated func next() -> MailSession {
        assumeIsolated { sessions in
            sessions.announced -= 1
            return sessions.waiting.removeFirst()
        }
    }
}
