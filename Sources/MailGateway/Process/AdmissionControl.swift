import AsyncIO
import MailSessions

/// Decides who may come in: finds the server for a new connection and a place for its client.
///
/// Whoever finds none gets the protocol's own busy line at once; nothing of a refused client lasts.
actor AdmissionControl {
    nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe executor.asUnownedSerialExecutor() }
    private let executor: RingExecutor
    private let connections: ConnectionBudget
    private let servers: [MailServer]
    private let logs: [SessionLog]
    /// Sessions begun, which numbers them.
    private var count: UInt64 = 0

    /// - Parameters:
    ///   - connections: the worker's budget (`worker_connections`).
    ///   - servers: in the configuration's order, like their `logs`.
    init(servers: [MailServer], logs: [SessionLog], connections: ConnectionBudget, executor: RingExecutor) {
        self.servers = servers
        self.logs = logs
        self.connections = connections
        self.executor = executor
    }

    /// A session for the accepted `descriptor`, which it owns then; nil when the client was sent away.
    func admit(_ descriptor: Int32, from socket: PlannedSocket) -> MailSession? {
        let listener = address(of: descriptor, from: socket)
        guard let route = socket.route(for: listener) else {
            executor.kernel.close(descriptor)
            return nil
        }
        let server = servers[route.server]
        count += 1
        guard server.clients.take() else {
            refuse(descriptor, of: server, logs[route.server])
            return nil
        }
        let connection = Descriptor(adopting: descriptor, of: executor, place: server.clients)
        return MailSession(
            number: count, connection: connection, listener: route.listen.address,
            expectsProxyHeader: route.listen.options.hasProxyHeaders, server: server, executor: executor)
    }

    /// The address a client came to; asked for only where it chooses between servers.
    private func address(of descriptor: Int32, from socket: PlannedSocket) -> SocketAddress {
        guard socket.routes.count > 1 else { return socket.listen.address }
        return executor.kernel.localAddress(of: descriptor) ?? socket.listen.address
    }

    private func refuse(_ descriptor: Int32, of server: MailServer, _ log: SessionLog) {
        executor.kernel.sendAtOnce(server.farewell(.busy), on: descriptor)
        executor.kernel.close(descriptor)
        // As nginx words it, so that watchers of its log find it; it is the worker's budget unless the
        // server's own is what is full.
        if server.clients === connections || connections.count >= connections.maximum {
            log.refused(count, "\(connections.maximum) worker_connections are not enough")
        } else {
            log.refused(count, "\(server.clients.maximum) max_connections are not enough")
        }
    }
}
