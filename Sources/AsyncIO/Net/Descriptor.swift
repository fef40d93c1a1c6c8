/// The owner of one socket's descriptor: closes it, and gives its place back, with its last reference.
package final class Descriptor: Sendable {
    package let number: Int32
    private let executor: RingExecutor
    private let place: ConnectionBudget?

    /// Takes over `number`, which holds a place in `budget`.
    package init(adopting number: Int32, of executor: RingExecutor, place budget: ConnectionBudget? = nil) {
        self.number = number
        self.executor = executor
        place = budget
    }

    deinit {
        executor.kernel.close(number)
        place?.giveBack()
    }
}
