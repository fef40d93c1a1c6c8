import AsyncIO

/// Idle connections to one service, kept for the next question (`auth_http_keepalive`).
///
/// Newest first, so that those beyond the usual demand grow old; whoever takes one must be ready to
/// find it closed by the service, and then opens a new one.
package actor KeptConnections {
    package nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe executor.asUnownedSerialExecutor() }
    private let executor: RingExecutor
    private var maximum: Int
    private var idle: [(connection: Descriptor, address: SocketAddress)] = []

    /// Keeps at most `maximum` connections.
    package init(maximum: Int, on executor: RingExecutor) {
        self.maximum = maximum
        self.executor = executor
    }

    /// How many are kept at present.
    package nonisolated var count: Int { assumeIsolated { $0.idle.count } }

    /// Hands out the connection to one of `addresses` that was used last; nil when there is none. Those to
    /// where the service is no more are closed. As with all that is here, whoever asks is on the executor's thread.
    package nonisolated func take(
        to addresses: [SocketAddress]
    ) -> (connection: Descriptor, address: SocketAddress)? {
        assumeIsolated { kept in
            while let newest = kept.idle.popLast() {
                if addresses.contains(newest.address) { return newest }
            }
            return nil
        }
    }

    /// Keeps `connection`, which leads to `address`, unless there are enough; then it is closed.
    package nonisolated func keep(_ connection: Descriptor, to address: SocketAddress) {
        assumeIsolated { if $0.idle.count < $0.maximum { $0.idle.append((connection, address)) } }
    }

    /// Closes all, and keeps none from now on: the service is not asked any more, but by those who ask already.
    package nonisolated func retire() {
        assumeIsolated { kept in
            kept.maximum = 0
            kept.idle.removeAll()
        }
    }
}
