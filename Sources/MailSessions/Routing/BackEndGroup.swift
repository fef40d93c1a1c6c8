import AsyncIO

/// An `upstream {}` at work in one worker: the health of its members, their connections, and where their names lead.
///
/// Servers of one protocol share it. Each worker has its own, as nginx has without `zone`.
package actor BackEndGroup {
    package nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe executor.asUnownedSerialExecutor() }

    package nonisolated let settings: BackEndGroupSettings
    private let executor: RingExecutor
    private let lookup: HostLookup
    private var balancer: BackEndBalancer
    private var chance = SystemRandomNumberGenerator()
    /// When members that are looked up are to be looked up again; absent for at once.
    private var expirations: [Int: Instant] = [:]
    private var isAsking: Set<Int> = []
    /// Somebody has been sent here, or will be.
    package private(set) var isInUse = false

    /// - Parameters:
    ///   - connections: the worker's; a connection to a member takes a place there too.
    ///   - previous: the group of this name that was configured before; members that are the same keep their health.
    package init(
        _ settings: BackEndGroupSettings, lookup: HostLookup, connections: ConnectionBudget,
        on executor: RingExecutor, replacing previous: BackEndGroup? = nil
    ) {
        self.settings = settings
        self.lookup = lookup
        self.executor = executor
        balancer = BackEndBalancer(
            settings, within: connections, previous: previous?.assumeIsolated { $0.balancer })
    }

    /// Says that the group is somebody's `proxy_pass`, so that checks need not wait for the first client.
    package nonisolated func expectUse() { assumeIsolated { $0.isInUse = true } }

    /// The peers known at present.
    package var peers: [BackEndBalancer.Peer] { balancer.peers }

    /// The next back-end for a session, with a place taken in its connections; nil when none is left.
    ///
    /// Throws `noPlace` when the worker has none.
    package func next(_ walk: inout BackEndWalk) throws(IOError) -> BackEndBalancer.Peer? {
        isInUse = true
        guard let peer = balancer.choose(&walk, at: executor.now, random: &chance) else { return nil }
        guard peer.connections.take() else { throw .noPlace }
        return peer
    }

    /// Where a user is on the circle of `hash … consistent`; nil with other methods.
    package func point(of key: [UInt8]) -> (hash: UInt32, point: Int, count: Int)? { balancer.point(of: key) }

    /// How many back-ends a session may still try.
    func remaining(_ walk: BackEndWalk) -> Int { balancer.remaining(walk) }

    /// A back-end did not serve a client; whether that takes it out for a while.
    func failed(_ id: Int) -> Bool { balancer.failed(id, at: executor.now) }

    /// A back-end served a client.
    func served(_ id: Int) { balancer.served(id, at: executor.now) }

    /// A check ended; whether that changes what the checks say of the back-end.
    func take(check passed: Bool, of id: Int) -> Bool { balancer.take(check: passed, of: id, at: executor.now) }

    // MARK: Names

    /// Looks up the members whose time is over; returns the names that could not be, once for each time.
    ///
    /// While others are known, it waits no longer than `HostAddresses.patience` for all of them.
    package func refresh(until deadline: Instant, in scope: CancellationScope) async -> [(
        name: String, failure: DNSFailure
    )] {
        var failures: [(name: String, failure: DNSFailure)] = []
        var limit: Instant?
        for (number, member) in settings.members.enumerated() where member.resolves {
            let isDue = expirations[number].map { executor.now >= $0 } ?? true
            guard isDue, balancer.peers.isEmpty || !isAsking.contains(number) else { continue }
            let wait = limit ?? (executor.now + HostAddresses.patience)
            limit = wait
            isAsking.insert(number)
            defer { isAsking.remove(number) }
            do throws(DNSFailure) {
                let answer = try await lookup.answer(
                    ofHost: member.host, deadline: balancer.peers.isEmpty ? deadline : min(deadline, wait), scope: scope
                )
                balancer.update(
                    member: number, to: answer.addresses.map { $0.withPort(member.port) }, at: executor.now)
                expirations[number] = executor.now + max(answer.lifetime, HostAddresses.pause)
            } catch {
                // Whoever is cancelled says nothing about the name.
                guard error != .cancelled else { return failures }
                expirations[number] = executor.now + HostAddresses.pause
                failures.append((member.host, error))
            }
        }
        return failures
    }
}
