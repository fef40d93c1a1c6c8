/// The owner of one socket's descriptor: closes it, and gives its place back, with its last reference.
///
/// What is said over it goes through its TLS, once there is one; that stays with the connection when it
/// passes from one session to the next.
package final class Descriptor: Sendable {
    package let number: Int32
    private let executor: RingExecutor
    // Safety: both are touched on the executor's thread only, like all that is done with the descriptor.
    private nonisolated(unsafe) var place: ConnectionBudget?
    private nonisolated(unsafe) var engine: TLSEngine?

    /// The TLS of the connection; nil in clear. Only `Socket` puts it there, before the handshake begins.
    package internal(set) var tls: TLSEngine? {
        get { unsafe engine }
        set { unsafe engine = newValue }
    }

    /// Takes over `number`, which holds a place in `budget`.
    package init(adopting number: Int32, of executor: RingExecutor, place budget: ConnectionBudget? = nil) {
        self.number = number
        self.executor = executor
        unsafe place = budget
    }

    /// Gives its place back and takes one in `budget` instead; false, and none is left, where that has no room.
    package func move(to budget: ConnectionBudget) -> Bool {
        unsafe place?.giveBack()
        unsafe place = budget.take() ? budget : nil
        return unsafe place != nil
    }

    deinit {
        if let farewell = tls?.close(), !farewell.isEmpty { executor.kernel.sendAtOnce(farewell, on: number) }
        executor.kernel.close(number)
        unsafe place?.giveBack()
    }
}
