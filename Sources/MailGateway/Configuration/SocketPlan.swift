import AsyncIO

/// One socket to bind, and where its clients belong.
struct PlannedSocket: Sendable, Hashable {
    /// What a client gets by the address it came to.
    struct Route: Sendable, Hashable {
        /// An index into `Configuration.servers`.
        let server: Int
        let listen: ListenSettings
        /// Further servers at the same address, for clients that ask for them by name (SNI).
        fileprivate(set) var named: [Int] = []
    }

    /// The address to bind, and the options of the socket.
    let listen: ListenSettings
    /// By local address: the socket's own, and those that share it because it is a wildcard.
    fileprivate(set) var routes: [SocketAddress: Route]

    /// Where a client belongs that came to `localAddress`; the address bound takes whatever has no route.
    func route(for localAddress: SocketAddress) -> Route? { routes[localAddress] ?? routes[listen.address] }
}

extension Configuration {
    /// The sockets to bind, in the order of the `listen` directives.
    ///
    /// As in nginx, a wildcard takes the clients of all addresses with the same family and port; the
    /// address a client came to then chooses the server. An address with `bind`, or an option that
    /// only a socket of its own can have, is bound beside the wildcard.
    var sockets: [PlannedSocket] {
        let routes = servers.indices.flatMap { server in
            servers[server].listeners.map { PlannedSocket.Route(server: server, listen: $0) }
        }
        let wildcards = Set(routes.map(\.listen.address).filter { $0 == $0.wildcard })
        var sockets: [PlannedSocket] = []
        var places: [SocketAddress: Int] = [:]
        var guests: [PlannedSocket.Route] = []
        for route in routes {
            let address = route.listen.address
            if let wildcard = address.wildcard, wildcard != address, wildcards.contains(wildcard),
                !route.listen.options.hasOwnSocket
            {
                guests.append(route)
            } else if let place = places[address] {
                sockets[place].routes[address]?.named.append(route.server)
            } else {
                places[address] = sockets.count
                sockets.append(PlannedSocket(listen: route.listen, routes: [address: route]))
            }
        }
        for guest in guests {
            guard let wildcard = guest.listen.address.wildcard, let place = places[wildcard] else { continue }
            if sockets[place].routes[guest.listen.address] == nil {
                sockets[place].routes[guest.listen.address] = guest
            } else {
                sockets[place].routes[guest.listen.address]?.named.append(guest.server)
            }
        }
        return sockets
    }
}

extension SocketAddress {
    /// The address that stands for all of its family, with the same port; nil for unix sockets.
    fileprivate var wildcard: SocketAddress? {
        switch self {
        case .ipv4(_, let port): .ipv4(.any, port: port)
        case .ipv6(_, let port): .ipv6(.any, port: port)
        case .unix: nil
        }
    }
}
