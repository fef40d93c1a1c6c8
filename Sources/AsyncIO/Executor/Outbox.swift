import DequeModule

/// What is said at the end of a turn, by sessions that wait for an answer to it.
///
/// Not at once, although it is a plain call: the kernel's code for sending is more than the processor's nearest cache
/// holds, and so is a session's own. When all sessions of a turn have run and then all of them send, both are fetched
/// once in a turn instead of once for each of them.
struct Outbox {
    private var words = Deque<(bytes: [UInt8], operation: Operation)>()

    /// Has `bytes` sent, and `operation`, which is in flight on the same descriptor, begun behind them.
    mutating func add(_ bytes: [UInt8], before operation: Operation) {
        operation.queue = .outbox
        words.append((bytes, operation))
    }

    /// Sends everything that waits; an operation before which not all is said is over.
    mutating func empty(of executor: RingExecutor) {
        while let (bytes, operation) = words.popFirst() {
            operation.queue = .none
            let taken = executor.kernel.sendAtOnce(bytes, on: operation.descriptor)
            if taken == bytes.count {
                executor.kernel.start(operation)
            } else {
                executor.conclude(operation, Completion(result: Int32(taken), isUnsaid: true))
            }
        }
    }
}
