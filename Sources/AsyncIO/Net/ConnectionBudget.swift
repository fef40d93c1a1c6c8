import Synchronization

/// How many connections there may be at once; a place is taken before a connection is made and
/// given back when its descriptor is closed.
///
/// Budgets nest: a server's has the worker's as its parent, and a place needs room in both.
package final class ConnectionBudget: Sendable {
    private let parent: ConnectionBudget?
    // Atomics only to be Sendable by right: all takers live on one thread.
    private let limit: Atomic<Int>
    private let taken = Atomic<Int>(0)

    package init(maximum: Int, within parent: ConnectionBudget? = nil) {
        limit = Atomic(maximum)
        self.parent = parent
    }

    /// The most places, at least 0. When it falls below what is taken, nobody loses a place, and
    /// nobody gets one until enough have come back.
    package var maximum: Int {
        get { limit.load(ordering: .relaxed) }
        set { limit.store(newValue, ordering: .relaxed) }
    }

    /// Places taken at present.
    package var count: Int { taken.load(ordering: .relaxed) }

    /// Takes a place; false, and nothing taken, when there is none.
    package func take() -> Bool {
        guard taken.load(ordering: .relaxed) < maximum else { return false }
        guard parent?.take() ?? true else { return false }
        taken.add(1, ordering: .relaxed)
        return true
    }

    /// Gives a place back that `take` took.
    package func giveBack() {
        let left = taken.subtract(1, ordering: .relaxed).newValue
        precondition(left >= 0, "a place came back twice")
        parent?.giveBack()
    }
}
