/// Idle connections to one service, kept for the next question (`auth_http_keepalive`).
///
/// Newest first, so that those beyond the usual demand grow old; whoever takes one must be ready to
/// find it closed by the service, and then opens a new one. No actor, for whoever asks is on the executor's thread
/// already, and a hop there and back costs more than the answer.
// Safety: touched on the executor's thread only, which each method asserts.
package final class KeptConnections: @unchecked Sendable {
    private let executor: RingExecutor
    private var maximum: Int
    private var idle: [(connection: Descriptor, address: SocketAddress)] = []

    /// Keeps at most `maximum` connections.
    package init(maximum: Int, on executor: RingExecutor) {
        self.maximum = maximum
        self.executor = executor
    }

    /// How many are kept at present.
    package var count: Int {
        executor.checkIsolated()
        return idle.count
    }

    /// Hands out the connection to one of `addresses` that was used last; nil when there is none. Those to
    /// where the service is no more are closed.
    package func take(to addresses: [SocketAddress]) -> (connection: Descriptor, address: SocketAddress)? {
        executor.checkIsolated()
        while let newest = idle.popLast() {
            if addresses.contains(newest.address) { return newest }
        }
        return nil
    }

    /// Keeps `connection`, which leads to `address`, unless there are enough; then it is closed.
    package func keep(_ connection: Descriptor, to address: SocketAddress) {
        executor.checkIsolated()
        if idle.count < maximum { idle.append((connection, address)) }
    }

    /// Closes all, and keeps none from now on: the service is not asked any more, but by those who ask already.
    package func retire() {
        executor.checkIsolated()
        maximum = 0
        idle.removeAll()
    }
}
