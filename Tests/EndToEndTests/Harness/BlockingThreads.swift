import Dispatch
import Foundation
import Synchronization
import Testing

/// A few threads on which the end-to-end tests wait for sockets and processes.
///
/// These tests block by nature. On the concurrency runtime's own threads, one per core, they would
/// hold up every other test of the same run. The number of threads also bounds how many mail
/// systems run at once. The threads live as long as the process, which `RunningProcess` relies on.
final class BlockingThreads: TaskExecutor {
    static let shared = BlockingThreads(count: 3)

    private let jobs = Mutex<[UnownedJob]>([])
    private let available = DispatchSemaphore(value: 0)

    private init(count: Int) {
        for _ in 0..<count {
            Thread.detachNewThread { [self] in
                while true {
                    available.wait()
                    let job = jobs.withLock { $0.removeFirst() }
                    unsafe job.runSynchronously(on: asUnownedTaskExecutor())
                }
            }
        }
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        jobs.withLock { $0.append(job) }
        available.signal()
    }
}

/// Runs each test of a suite on `BlockingThreads`.
struct EndToEnd: SuiteTrait, TestTrait, TestScoping {
    var isRecursive: Bool { true }

    // `@concurrent` is the protocol's own convention; such a function runs on the preferred executor.
    @concurrent func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable @concurrent () async throws -> Void
    ) async throws {
        guard testCase != nil else { return try await function() }
        try await withTaskExecutorPreference(BlockingThreads.shared) { try await function() }
    }
}

extension Trait where Self == EndToEnd {
    /// The suite starts real programs and waits for them.
    static var endToEnd: EndToEnd { EndToEnd() }
}
