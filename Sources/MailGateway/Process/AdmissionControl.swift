import AsyncIO
import MailSessions

/// Decides who may come in: finds the server for a new connection and a place for its client.
///
/// Whoever finds none gets the protocol's busy line at once; nothing of a refused client lasts.
actor AdmissionControl {
    nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe executor.asUnownedSerialExecutor() }
    private let executor: RingExecutor
    /// Of all sessions.
    private let scope: CancellationScope
    private let connections: ConnectionBudget
    /// By the serial number of the listener. One that the newest configuration does not have keeps its
    /// assignment until it is closed: a client may have been accepted before.
    private var assignments: [Int: Assignment] = [:]
    /// Sessions begun, which numbers them.
    private var count: UInt64 = 0

    /// Where the clients of one listener belong.
    struct Assignment: Sendable {
        let socket: PlannedSocket
        /// The servers that the socket's routes speak of.
        let servers: ServerSet
        /// By address, where several servers share one.
        private let named: [SocketAddress: NamedServers]

        init(socket: PlannedSocket, servers: ServerSet) {
            self.socket = socket
            self.servers = servers
            named = socket.routes.filter { !$0.value.named.isEmpty }
                .mapValues { route in NamedServers(([route.server] + route.named).map { servers.servers[$0] }) }
        }

        /// The servers that clients of a route may ask for; nil for one alone.
        func named(at route: PlannedSocket.Route) -> NamedServers? { named[route.listen.address] }
    }

    /// - Parameters:
    ///   - connections: the worker's budget (`worker_connections`).
    ///   - scope: cancelled to end every session.
    init(connections: ConnectionBudget, scope: CancellationScope) {
        self.connections = connections
        self.scope = scope
        executor = scope.executor
    }

    /// From now on clients of this listener belong to `assignment`; nil when it is closed.
    func assign(_ assignment: Assignment?, to listener: Int) { assignments[listener] = assignment }

    /// A session for the accepted `descriptor`, which it owns then; nil when the client was sent away. Called on the
    /// executor's thread.
    nonisolated func admit(_ descriptor: Int32, from listener: Int) -> MailSession? {
        assumeIsolated { $0.session(for: descriptor, from: listener) }
    }

    private func session(for descriptor: Int32, from listener: Int) -> MailSession? {
        guard let assignment = assignments[listener],
            let route = assignment.socket.route(for: address(of: descriptor, from: assignment.socket))
        else {
            executor.kernel.close(descriptor)
            return nil
        }
        let server = assignment.servers.servers[route.server]
        count += 1
        guard server.clients.take() else {
            refuse(descriptor, of: server, assignment.servers.logs[route.server], inClear: !route.listen.options.hasTLS)
            return nil
        }
        let connection = Descriptor(adopting: descriptor, of: executor, place: server.clients)
        return MailSession(
            number: count, connection: connection, listener: route.listen.address,
            expectsProxyHeader: route.listen.options.hasProxyHeaders,
            beginsWithTLS: route.listen.options.hasTLS, server: server,
            named: assignment.named(at: route), scope: scope)
    }

    /// The address a client came to; asked for only where it chooses between servers.
    private func address(of descriptor: Int32, from socket: PlannedSocket) -> SocketAddress {
        guard socket.routes.count > 1 else { return socket.listen.address }
        return executor.kernel.localAddress(of: descriptor) ?? socket.listen.address
    }

    private func refuse(_ descriptor: Int32, of server: MailServer, _ log: SessionLog, inClear: Bool) {
        if inClear { executor.kernel.sendAtOnce(server.farewell(.busy), on: descriptor) }
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
