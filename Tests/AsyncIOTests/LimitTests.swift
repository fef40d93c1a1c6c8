import AsyncIO
import Glibc
import Synchronization
import TestSupport
import Testing

/// Each limit at its maximum and one past it, and what one scope's cancellation reaches.
@Suite struct LimitTests {
    @Test func aBudgetGivesSoManyPlaces() {
        let budget = ConnectionBudget(maximum: 2)
        #expect(budget.take() && budget.take())
        #expect(budget.count == 2)
        #expect(!budget.take())
        #expect(budget.count == 2)
        budget.giveBack()
        #expect(budget.take())
        #expect(!ConnectionBudget(maximum: 0).take())
    }

    @Test func aBudgetThatBecomesSmallerTakesNoPlaceAway() {
        let budget = ConnectionBudget(maximum: 3)
        #expect(budget.take() && budget.take())
        budget.maximum = 1
        #expect(budget.count == 2 && !budget.take())
        budget.giveBack()
        #expect(!budget.take(), "as many as it has")
        budget.giveBack()
        #expect(budget.take() && !budget.take())
        budget.maximum = 2
        #expect(budget.take())
    }

    @Test("a place needs room in the inner and in the outer budget, and is taken from both or neither")
    func budgetsNest() {
        let worker = ConnectionBudget(maximum: 3)
        let server = ConnectionBudget(maximum: 2, within: worker)
        #expect(server.take() && server.take())
        #expect(!server.take() && worker.count == 2)
        #expect(worker.take())
        server.giveBack()
        #expect(server.count == 1 && worker.count == 2)
        #expect(worker.take())
        #expect(!server.take())
        #expect(server.count == 1 && worker.count == 3)
    }

    @Test("one connection past the budget is not made; a place returns with the descriptor")
    func dialling() async throws {
        try await KernelTests.run(.simulation) { executor in
            let (listener, address) = try executor.listen()
            let budget = ConnectionBudget(maximum: 1)
            let scope = CancellationScope(on: executor)
            func dial() async throws(IOError) -> Socket {
                try await Dialer.connect(to: address, deadline: .never, scope: scope, budget: budget)
            }
            let first = try await dial()
            await #expect(throws: IOError.noPlace) { _ = try await dial() }
            withExtendedLifetime(first) {}
            #expect(budget.count <= 1)
            executor.kernel.close(listener)
            // A connection that fails gives its place back as well.
            await #expect(throws: IOError.system(.connect, code: 111)) {
                _ = try await Dialer.connect(
                    to: address, deadline: .never, scope: scope, budget: ConnectionBudget(maximum: 1))
            }
        }
    }

    @Test func aScopeCancelsAllOfItsOwnAndNothingElse() async throws {
        try await KernelTests.run(.simulation) { executor in
            let (scope, other) = (CancellationScope(on: executor), CancellationScope(on: executor))
            async let first = LimitTests.sleep(executor, scope)
            async let second = LimitTests.sleep(executor, scope)
            async let third = LimitTests.sleep(executor, other)
            try await executor.sleep(until: executor.now + .seconds(1), scope: nil)
            scope.cancel()
            scope.cancel()
            #expect(await first == .cancelled)
            #expect(await second == .cancelled)
            #expect(await LimitTests.sleep(executor, scope) == .cancelled)
            #expect(await third == nil)
        }
    }

    @Test("a cancelled scope ends those within it, however deep, and what they start later")
    func scopesWithinScopes() async throws {
        try await KernelTests.run(.simulation) { executor in
            let outer = CancellationScope(on: executor)
            let middle = CancellationScope(on: executor, within: outer)
            let inner = CancellationScope(on: executor, within: middle)
            let beside = CancellationScope(on: executor, within: outer)
            async let first = LimitTests.sleep(executor, inner)
            async let second = LimitTests.sleep(executor, beside)
            try await executor.sleep(until: executor.now + .seconds(1), scope: nil)
            middle.cancel()
            #expect(await first == .cancelled)
            #expect(await LimitTests.sleep(executor, inner) == .cancelled)
            #expect(!beside.isCancelled && !outer.isCancelled)
            outer.cancel()
            #expect(await second == .cancelled)
        }
    }

    private static func sleep(_ executor: RingExecutor, _ scope: CancellationScope) async -> IOError? {
        do throws(IOError) {
            try await executor.sleep(until: executor.now + .seconds(60), scope: scope)
            return nil
        } catch {
            return error
        }
    }

    /// Keeps the pool's thread busy until it is opened.
    private final class Gate: Sendable {
        let isOpen = Mutex(false)
    }

    @Test("a full queue refuses at once; what was taken in is done")
    func blockingPool() async {
        let pool = BlockingPool(threads: 1, queueMaximum: 2)
        let gate = Gate()
        let results = await withTaskGroup(of: Int?.self) { group in
            group.addTask {
                await pool.run {
                    while !gate.isOpen.withLock({ $0 }) { sched_yield() }
                    return 0
                }
            }
            // Whether the first was taken from the queue yet or not, of ten more eight at least find no room.
            for number in 1...10 { group.addTask { await pool.run { number } } }
            var results: [Int?] = []
            for await result in group {
                results.append(result)
                if results.count == 8 { gate.isOpen.withLock { $0 = true } }
            }
            return results
        }
        #expect(results.count == 11)
        #expect(results.prefix(8).allSatisfy { $0 == nil })
        #expect((1...3).contains(results.count { $0 != nil }))
        #expect(await pool.run { 42 } == 42)
    }
}
