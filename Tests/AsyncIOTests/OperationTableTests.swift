import Testing

@testable import AsyncIO

@Suite struct OperationTableTests {
    @Test("a completion finds its own operation and no successor of it")
    func generations() {
        let table = OperationTable()
        let operation = table.take()
        let early = operation.userData
        #expect(early != 0)
        #expect(table.find(early) === operation)
        table.giveBack(operation)
        #expect(table.find(early) == nil)
        let successor = table.take()
        #expect(successor === operation, "places are used again")
        #expect(table.find(early) == nil)
        #expect(table.find(successor.userData) === successor)
    }

    @Test func generationsWrapPastZero() {
        let table = OperationTable()
        let operation = table.take()
        operation.generation = .max
        table.giveBack(operation)
        #expect(operation.generation == 1)
        #expect(operation.userData != 0, "zero marks requests that nobody waits for")
    }

    @Test func theTableCountsAndReusesNewestFirst() {
        let table = OperationTable()
        let operations = (0..<3).map { _ in table.take() }
        #expect(table.count == 3)
        #expect(operations.map(\.index) == [0, 1, 2])
        table.giveBack(operations[0])
        table.giveBack(operations[2])
        #expect(table.count == 1)
        #expect(table.take() === operations[2])
        #expect(table.take() === operations[0])
        #expect(table.take().index == 3)
        #expect(table.count == 4)
        #expect(table[1] === operations[1])
        #expect(table.inFlight.isEmpty)
    }

    @Test("what the kernel makes up finds nothing", arguments: [0, 1, 5, 1 << 32 | 9, .max] as [UInt64])
    func unknownUserData(_ userData: UInt64) {
        let table = OperationTable()
        _ = table.take()
        #expect(table.find(userData) == nil)
    }
}
