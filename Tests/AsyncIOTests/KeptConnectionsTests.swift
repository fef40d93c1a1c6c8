import AsyncIO
import TestSupport
import Testing

@Suite struct KeptConnectionsTests {
    @Test("as many as configured are kept, newest first; one more is closed", arguments: [0, 1, 3])
    func maximum(_ maximum: Int) async throws {
        try await onExecutor({ SimulatedKernel(seed: 1) }) { executor in
            guard let kernel = executor.kernel as? SimulatedKernel else { return }
            let kept = KeptConnections(maximum: maximum, on: executor)
            let budget = ConnectionBudget(maximum: 10)
            let address = SocketAddress.ipv4(.loopback, port: 1)
            var numbers: [Int32] = []
            for _ in 0...maximum {
                #expect(budget.take())
                let number = try kernel.openSocket(for: .ipv4(.loopback, port: 1))
                numbers.append(number)
                kept.keep(Descriptor(adopting: number, of: executor, place: budget), to: address)
            }
            #expect(kept.count == maximum)
            #expect(kernel.openConnections == maximum)
            #expect(budget.count == maximum)
            if maximum > 0 {
                #expect(kept.take(to: [address])?.connection.number == numbers[maximum - 1])
                #expect(kernel.openConnections == maximum - 1, "whoever takes a connection owns it")
            }
            kept.retire()
            #expect(kept.take(to: [address]) == nil)
            #expect(kernel.openConnections == 0)
            #expect(budget.count == 0)
        }
    }

    @Test("connections to where the service is no more are closed")
    func moved() async throws {
        try await onExecutor({ SimulatedKernel(seed: 1) }) { executor in
            guard let kernel = executor.kernel as? SimulatedKernel else { return }
            let kept = KeptConnections(maximum: 3, on: executor)
            let (old, new) = (SocketAddress.ipv4(.loopback, port: 1), SocketAddress.ipv4(.loopback, port: 2))
            var numbers: [Int32] = []
            for address in [new, old, old] {
                numbers.append(try kernel.openSocket(for: address))
                kept.keep(Descriptor(adopting: numbers[numbers.count - 1], of: executor), to: address)
            }
            let taken = kept.take(to: [new, .unix("/x")])
            #expect(taken?.connection.number == numbers[0])
            #expect(taken?.address == new)
            #expect(kernel.openConnections == 1)
            #expect(kept.count == 0)
        }
    }
}
