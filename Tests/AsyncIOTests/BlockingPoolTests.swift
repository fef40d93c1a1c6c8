import Glibc
import Synchronization
import TestSupport
import Testing

@testable import AsyncIO

/// Threads for what blocks, and those who wait for them until a deadline.
@Suite struct BlockingPoolTests {
    /// Holds threads until it is opened.
    private final class Gate: Sendable {
        private let state = Mutex((isOpen: false, inside: 0))

        /// Blocks the thread it is called on.
        func pass() {
            state.withLock { $0.inside += 1 }
            while !state.withLock({ $0.isOpen }) { _ = sched_yield() }
        }

        func open() { state.withLock { $0.isOpen = true } }

        var inside: Int { state.withLock { $0.inside } }
    }

    /// How many threads may still be started.
    private final class Allowance: Sendable {
        private let count = Mutex(0)

        func add() { count.withLock { $0 += 1 } }

        func take() -> Bool {
            count.withLock {
                guard $0 > 0 else { return false }
                $0 -= 1
                return true
            }
        }
    }

    /// Gives the executor turns until `condition` holds, which must come true.
    private func wait(on executor: RingExecutor, _ condition: () -> Bool) async throws {
        let deadline = executor.now + .seconds(10)
        while !condition(), executor.now < deadline {
            try await executor.sleep(until: executor.now + .milliseconds(2), scope: nil)
        }
        #expect(condition())
    }

    private func start<Value: Sendable>(
        _ pool: BlockingPool, _ executor: RingExecutor, _ work: @escaping @Sendable () -> Value,
        completion: @escaping @Sendable (Value) -> Void
    ) {
        let isStarted = pool.start(on: executor, work, completion: completion)
        #expect(isStarted)
    }

    private func failure(
        of promise: Promise<Int>, by deadline: Instant, _ scope: CancellationScope
    ) async -> IOError? {
        do throws(IOError) {
            _ = try await promise.value(by: deadline, scope: scope)
            return nil
        } catch {
            return error
        }
    }

    @Test func `work that blocks does not hold up work for which there may be another thread`() async throws {
        try await KernelTests.run(.epoll) { executor in
            let pool = BlockingPool(threads: 2, queueMaximum: 4)
            // Leaves one idle thread behind, which is to take the first and not the second as well.
            #expect(await pool.run { 1 } == 1)
            let gate = Gate()
            for _ in 0..<2 { self.start(pool, executor, { gate.pass() }) { _ in } }
            try await self.wait(on: executor) { gate.inside == 2 }
            gate.open()
            pool.retire()
        }
    }

    @Test func `retired threads end, and what still comes is done`() async throws {
        try await KernelTests.run(.epoll) { executor in
            weak var weakPool: BlockingPool?
            do {
                let pool = BlockingPool(threads: 2, queueMaximum: 4)
                weakPool = pool
                #expect(await pool.run { 1 } == 1)
                pool.retire()
                #expect(await pool.run { 2 } == 2)
                #expect(await pool.run { 3 } == 3)
            }
            // Each thread holds its pool until it ends.
            try await self.wait(on: executor) { weakPool == nil }
        }
    }

    @Test func `where no thread can be started work is refused, or waits for those that there are`() async throws {
        try await KernelTests.run(.epoll) { executor in
            let scope = CancellationScope(on: executor)
            let allowance = Allowance()
            let pool = BlockingPool(threads: 2, queueMaximum: 4, starter: { allowance.take() && $0.startThread() })
            #expect(await pool.run { 1 } == nil)
            #expect(!pool.start {})
            allowance.add()
            #expect(await pool.run { 2 } == 2, "nothing of the refused work is in its way")
            let gate = Gate()
            self.start(pool, executor, { gate.pass() }) { _ in }
            try await self.wait(on: executor) { gate.inside == 1 }
            let promise = Promise<Int>(on: executor)
            let box = Unchecked(promise)
            self.start(pool, executor, { 3 }) { box.value.fulfil($0) }
            gate.open()
            let value = try await promise.value(by: executor.now + .seconds(10), scope: scope)
            #expect(value == 3, "the only thread does it in its turn")
            pool.retire()
        }
    }

    @Test func `a value that comes in time, and one that is there already`() async throws {
        try await KernelTests.run(.epoll) { executor in
            let scope = CancellationScope(on: executor)
            let pool = BlockingPool(threads: 1, queueMaximum: 4)
            let promise = Promise<Int>(on: executor)
            let box = Unchecked(promise)
            self.start(pool, executor, { 7 }) { box.value.fulfil($0) }
            let value = try await promise.value(by: executor.now + .seconds(10), scope: scope)
            #expect(value == 7)
            promise.fulfil(8)
            let again = try await promise.value(by: executor.now, scope: scope)
            #expect(again == 7, "only the first counts")
            pool.retire()
        }
    }

    @Test func `whoever waits gives up at the deadline, whatever the thread does`() async throws {
        try await KernelTests.run(.epoll) { executor in
            let scope = CancellationScope(on: executor)
            let pool = BlockingPool(threads: 1, queueMaximum: 4)
            let gate = Gate()
            let promise = Promise<Int>(on: executor)
            let box = Unchecked(promise)
            self.start(
                pool, executor,
                {
                    gate.pass(); return 7
                }
            ) { box.value.fulfil($0) }
            #expect(
                await self.failure(of: promise, by: executor.now + .milliseconds(20), scope) == IOError.timedOut)
            scope.cancel()
            #expect(await self.failure(of: promise, by: executor.now + .seconds(10), scope) == IOError.cancelled)
            gate.open()
            pool.retire()
        }
    }

    @Test func `cancelling ends the wait at once`() async throws {
        try await KernelTests.run(.epoll) { executor in
            let scope = CancellationScope(on: executor)
            let promise = Promise<Int>(on: executor)
            let start = executor.now
            let pool = BlockingPool(threads: 1, queueMaximum: 1)
            self.start(pool, executor, { 0 }) { _ in scope.cancel() }
            #expect(await self.failure(of: promise, by: start + .seconds(10), scope) == IOError.cancelled)
            #expect(executor.now - start < .seconds(9))
            pool.retire()
        }
    }
}

/// Carries what belongs to the executor's thread through a closure that runs there.
// Safety: made and used on the executor's thread only.
private struct Unchecked<Value>: @unchecked Sendable {
    let value: Value

    init(_ value: Value) { self.value = value }
}
