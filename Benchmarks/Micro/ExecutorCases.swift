import AsyncIO
import CYardstick
import Glibc
import Synchronization

extension MicroBenchmark {
    /// The executor on io_uring: what waiting costs.
    static let executor = [
        MicroBenchmark(
            name: "job", summary: "a task puts itself aside and goes on: one job of the executor", count: 200_000
        ) { count in
            try onRing { _ in for _ in 0..<count { await Task.yield() } }
        },
        MicroBenchmark(
            name: "turn",
            summary: "a receive from its submission to the task that goes on: one turn, one kernel call, and the "
                + "plain call that sends what is received",
            count: 50_000
        ) { count in
            try onRing { executor in try await receive(count, on: executor) }
        },
        MicroBenchmark(
            name: "operation", summary: "the same with 64 tasks at once, so that a turn serves many", count: 64 * 1500
        ) { count in
            try onRing { executor in
                try await withThrowingDiscardingTaskGroup { group in
                    for _ in 0..<64 { group.addTask { try await receive(count / 64 + 1, on: executor) } }
                }
            }
        },
    ]

    /// Receives 64 bytes so many times, over a pair of sockets of its own.
    private static func receive(_ count: Int, on executor: RingExecutor) async throws {
        var ends: [Int32] = [-1, -1]
        guard unsafe socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0 else {
            throw HarnessError.system("socketpair", errno)
        }
        defer { close(ends[1]) }
        let socket = Socket(adopting: ends[0], scope: CancellationScope(on: executor))
        let bytes = [UInt8](repeating: UInt8(ascii: "m"), count: 64)
        var queue = ByteQueue()
        for _ in 1...count {
            _ = unsafe send(ends[1], bytes, bytes.count, 0)
            _ = try await socket.receive(into: &queue, deadline: .never)
            queue.removeAll()
        }
    }

    /// Runs `body` on an executor of this thread.
    private static func onRing(_ body: @escaping @Sendable (RingExecutor) async throws -> Void) throws {
        let executor = RingExecutor(kernel: try Ring(buffers: BufferPool(count: 64, size: 16 << 10)))
        let failure = Failure()
        executor.run {
            do { try await body(executor) } catch { failure.error.withLock { $0 = error } }
        }
        if let error = failure.error.withLock({ $0 }) { throw error }
    }

    private final class Failure: Sendable {
        let error = Mutex<(any Error)?>(nil)
    }
}
