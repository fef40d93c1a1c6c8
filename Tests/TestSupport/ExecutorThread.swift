import AsyncIO
import Foundation

/// Runs `body` on an executor of its own thread and returns what it returns.
///
/// The kernel is made on that thread, because a ring belongs to the thread that set it up.
package func onExecutor<Value: Sendable>(
    _ make: @escaping @Sendable () throws -> any Kernel,
    _ body: @escaping @Sendable (RingExecutor) async throws -> Value
) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
        let thread = Thread {
            do {
                let executor = RingExecutor(kernel: try make())
                let box = ResultBox<Value>()
                executor.run {
                    do { await box.set(.success(try await body(executor))) } catch { await box.set(.failure(error)) }
                }
                box.resume(continuation)
            } catch {
                continuation.resume(throwing: error)
            }
        }
        thread.stackSize = 4 << 20
        thread.start()
    }
}

/// Carries the result from the executor's task to its thread, which is the same one.
// Safety: written by the task that `run` waits for, read after `run` returned, on one thread.
private final class ResultBox<Value: Sendable>: @unchecked Sendable {
    private var result: Result<Value, any Error>?

    func set(_ result: Result<Value, any Error>) async { self.result = result }

    func resume(_ continuation: CheckedContinuation<Value, any Error>) {
        guard let result else { preconditionFailure("the executor stopped before its root task ended") }
        continuation.resume(with: result)
    }
}
