import AsyncIO

/// Accepts and serves the clients of one worker.
final class Supervisor: Sendable {
    private let executor: RingExecutor
    private let scope: CancellationScope

    /// `descriptors` are the listening descriptors of `configuration.sockets`, in the same order.
    init(configuration: Configuration, descriptors: [Int32], log: Log, executor: RingExecutor) {
        self.executor = executor
        scope = CancellationScope(on: executor)
    }

    /// Serves until drained or cancelled: returns when the last session has ended.
    func run() async {
        do throws(IOError) {
            try await executor.sleep(until: .never, scope: scope)
        } catch {
            // Cancelled, which is the only way out.
        }
    }

    /// Stops accepting; sessions go on. `run` returns after the last one. (QUIT) Any thread.
    func drain() { scope.cancel() }

    /// Ends every session now. (TERM, worker_shutdown_timeout) Any thread.
    func cancel() { scope.cancel() }
}
