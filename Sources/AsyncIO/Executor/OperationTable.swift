/// All operations of one executor, found again by the kernel's `user_data`.
///
/// It grows to the largest number of operations ever in flight at once (bounded by the connections
/// admitted) and reuses places, newest first, so that what is hot stays hot. A class, so that handing it to the timer
/// wheel does not count references.
final class OperationTable {
    private var operations: [Operation] = []
    private var free: [UInt32] = []

    /// Operations in use; zero when nothing leaked.
    var count: Int { operations.count - free.count }

    /// Those the kernel has at present.
    var inFlight: [Operation] { operations.filter(\.inFlight) }

    subscript(index: Int32) -> Operation { operations[Int(index)] }

    /// The operation a completion belongs to, or nil when it is over already.
    func find(_ userData: UInt64) -> Operation? {
        let index = Int(UInt32(truncatingIfNeeded: userData))
        guard index < operations.count else { return nil }
        let operation = operations[index]
        return operation.generation == UInt32(truncatingIfNeeded: userData >> 32) ? operation : nil
    }

    func take() -> Operation {
        if let index = free.popLast() { return operations[Int(index)] }
        let operation = Operation(index: UInt32(operations.count))
        operations.append(operation)
        return operation
    }

    func giveBack(_ operation: Operation) {
        assert(!operation.inFlight, "an operation in flight belongs to the kernel")
        // Never 0: user_data 0 marks requests whose completion nobody waits for.
        operation.generation = operation.generation == .max ? 1 : operation.generation + 1
        free.append(operation.index)
    }
}
