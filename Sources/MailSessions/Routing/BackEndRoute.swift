import AsyncIO

/// One session's way to a back-end: who may serve it, one after the other.
struct BackEndRoute: Sendable {
    /// A back-end to try, with a place taken in `places`.
    struct Candidate: Sendable {
        let address: SocketAddress
        /// The name of its host, whom its certificate must be for; nil where it is known by its address.
        let host: String?
        let places: ConnectionBudget
        /// Its name in the group.
        fileprivate let peer: Int?
    }

    private enum Source: Sendable {
        /// Those left.
        case addresses(ArraySlice<SocketAddress>, host: String?)
        case group(BackEndGroup, BackEndWalk)
    }

    private var source: Source
    /// The worker's.
    private let connections: ConnectionBudget
    /// Where an address has no port.
    private let port: UInt16

    /// A way to one of some addresses.
    /// - Parameter host: their name, if they have one.
    init(_ addresses: [SocketAddress], host: String?, port: UInt16, connections: ConnectionBudget) {
        source = .addresses(addresses[...], host: host)
        self.port = port
        self.connections = connections
    }

    /// A way to one of a group.
    init(_ group: BackEndGroup, key: [UInt8], port: UInt16, connections: ConnectionBudget) {
        source = .group(group, BackEndWalk(key: key))
        self.port = port
        self.connections = connections
    }

    /// The candidates are of a group, which has to be told how it went with each.
    var isOfGroup: Bool { if case .group = source { true } else { false } }

    /// How many may be tried yet.
    var remaining: Int {
        @inline(__always) get async {
            switch source {
            case .addresses(let left, _): left.count
            case .group(let group, let walk): await group.remaining(walk)
            }
        }
    }

    /// The next back-end; nil when there is none. Throws `noPlace` when the worker has no connection left.
    @inline(__always)
    mutating func next() async throws(IOError) -> Candidate? {
        guard case .group(let group, var walk) = source else { return try nextAddress() }
        guard let peer = try await group.next(&walk) else { return nil }
        source = .group(group, walk)
        return Candidate(
            address: withPort(peer.address),
            host: group.settings.members[peer.member].hostName,
            places: peer.connections, peer: peer.id)
    }

    private mutating func nextAddress() throws(IOError) -> Candidate? {
        guard case .addresses(let left, let host) = source, let address = left.first else { return nil }
        guard connections.take() else { throw .noPlace }
        source = .addresses(left.dropFirst(), host: host)
        return Candidate(address: withPort(address), host: host, places: connections, peer: nil)
    }

    /// The candidate did not serve a client; whether its group leaves it alone for a while.
    func failed(_ candidate: Candidate) async -> Bool {
        guard case .group(let group, _) = source, let peer = candidate.peer else { return false }
        return await group.failed(peer)
    }

    /// The candidate served a client.
    func served(_ candidate: Candidate) async {
        guard case .group(let group, _) = source, let peer = candidate.peer else { return }
        await group.served(peer)
    }

    private func withPort(_ address: SocketAddress) -> SocketAddress {
        address.port == 0 ? address.withPort(port) : address
    }
}
