import AsyncIO

/// Chooses among the back-ends of a group: no clock, no chance and no sockets of its own.
///
/// A peer is one address of one member; a name with three addresses is three peers, as in nginx. A choice goes
/// through these until there is one:
///
/// ```
/// healthy members, by the group's method → healthy backups → failing members → failing backups
/// ```
/// The last two are not nginx's, which gives up before them: trying what failed a moment ago costs a refused client
/// nothing. What is down, full, or refused by a check is never chosen.
package struct BackEndBalancer: Sendable {
    /// One address of a member.
    package struct Peer: Sendable {
        /// Its name within the group for as long as it is known.
        package let id: Int
        /// The place of its member in the settings.
        package let member: Int
        package let address: SocketAddress
        /// Its places, `max_conns`; a connection holds one until its descriptor is closed.
        package let connections: ConnectionBudget
        package fileprivate(set) var health = BackEndHealth()
        /// In units of a thousandth; nginx's `current_weight` and `effective_weight`.
        fileprivate var currentWeight = 0
        fileprivate var effectiveWeight: Int
    }

    /// Thousandths of a weight, so that `slow_start` has something between nothing and 1.
    private static let unit = 1000
    /// How often `hash` and `random` look for another peer before round robin decides (nginx).
    private static let looksMaximum = 20

    package let settings: BackEndGroupSettings
    /// In the order of their members.
    package private(set) var peers: [Peer] = []
    private var peersKnown = 0
    private let worker: ConnectionBudget?
    private let circle: ConsistentHash?

    /// - Parameters:
    ///   - worker: all connections of the worker, whose number is bounded too.
    ///   - previous: the same group as it was configured before; what is unchanged stays as it is.
    package init(
        _ settings: BackEndGroupSettings, within worker: ConnectionBudget? = nil, previous: BackEndBalancer? = nil
    ) {
        self.settings = settings
        self.worker = worker
        circle =
            settings.balancing == .hash(isConsistent: true)
            ? ConsistentHash(settings.members.map { ($0.label, $0.weight) }) : nil
        for (number, member) in settings.members.enumerated() {
            let former = previous.flatMap { previous in
                previous.settings.members.firstIndex(of: member).map { place in
                    previous.peers.filter { $0.member == place }
                }
            }
            for address in former?.map(\.address) ?? member.addresses {
                add(address, to: number, as: former?.first { $0.address == address })
            }
        }
    }

    private mutating func add(_ address: SocketAddress, to member: Int, as former: Peer? = nil) {
        let settings = settings.members[member]
        peersKnown += 1
        var peer = Peer(
            id: peersKnown, member: member, address: address,
            connections: former?.connections
                ?? ConnectionBudget(maximum: settings.connectionsMaximum ?? .max, within: worker),
            effectiveWeight: settings.weight * BackEndBalancer.unit)
        if let former { peer.health = former.health }
        // Nobody would ever take back what checks have said.
        if self.settings.check == nil { peer.health.forgetChecks() }
        let place = peers.firstIndex { $0.member > member } ?? peers.endIndex
        peers.insert(peer, at: place)
    }

    /// A member's name stands for these addresses now; peers of addresses that stay are as they were.
    package mutating func update(member: Int, to addresses: [SocketAddress], at now: Instant) {
        let isFirst = !peers.contains { $0.member == member }
        peers.removeAll { $0.member == member && !addresses.contains($0.address) }
        for address in addresses where !peers.contains(where: { $0.member == member && $0.address == address }) {
            add(address, to: member)
            guard !isFirst, let place = peers.lastIndex(where: { $0.id == peersKnown }) else { continue }
            peers[place].health.arrives(at: now)
        }
    }

    // MARK: A choice

    /// The next peer for a session; nil when none is left. The session then takes a place of `connections`.
    @inline(never)
    package mutating func choose(
        _ walk: inout BackEndWalk, at now: Instant, random: inout some RandomNumberGenerator
    ) -> Peer? {
        let candidates = peers.indices.filter { isCandidate($0, walk) }
        let healthy = candidates.filter { !isFailing($0, at: now) }
        let chosen =
            chooseByMethod(among: healthy.filter { !isBackup($0) }, &walk, at: now, random: &random)
            ?? chooseAmongBackups(healthy.filter(isBackup), at: now)
            ?? roundRobin(among: candidates.filter { !isBackup($0) }, at: now)
            ?? roundRobin(among: candidates.filter(isBackup), at: now)
        guard let chosen else { return nil }
        walk.tried.append(peers[chosen].id)
        peers[chosen].health.isChosen(member(of: chosen), at: now)
        return peers[chosen]
    }

    /// Where a user is on the circle of `hash … consistent`: the hash of its name, and the number of the first point
    /// behind it among all points; nil with other methods.
    package func point(of key: [UInt8]) -> (hash: UInt32, point: Int, count: Int)? {
        guard let circle else { return nil }
        var hash = CRC32()
        hash.add(key)
        return (hash.value, circle.point(for: hash.value), circle.count)
    }

    /// How many peers a session may still try.
    package func remaining(_ walk: BackEndWalk) -> Int { peers.indices.count { isCandidate($0, walk) } }

    /// A peer did not serve a client; whether that takes it out for a while.
    package mutating func failed(_ id: Int, at now: Instant) -> Bool {
        guard let index = peers.firstIndex(where: { $0.id == id }) else { return false }
        let member = member(of: index)
        if member.failsMaximum > 0 {
            let loss = member.weight / member.failsMaximum * BackEndBalancer.unit
            peers[index].effectiveWeight = max(0, peers[index].effectiveWeight - loss)
        }
        return peers[index].health.failed(member, at: now)
    }

    /// A peer served a client.
    package mutating func served(_ id: Int, at now: Instant) {
        guard let index = peers.firstIndex(where: { $0.id == id }) else { return }
        peers[index].health.served(member(of: index), at: now)
    }

    /// A check of a peer ended; whether that changes what the checks say of it.
    package mutating func take(check passed: Bool, of id: Int, at now: Instant) -> Bool {
        guard let check = settings.check, let index = peers.firstIndex(where: { $0.id == id }) else { return false }
        return peers[index].health.take(check: passed, check, at: now)
    }

    /// Whether clients found a peer not serving lately.
    package func isFailing(_ peer: Peer, at now: Instant) -> Bool {
        peer.health.isFailing(settings.members[peer.member], at: now)
    }

    private func member(of index: Int) -> BackEndGroupSettings.Member { settings.members[peers[index].member] }

    private func isBackup(_ index: Int) -> Bool { member(of: index).isBackup }

    private func isFailing(_ index: Int, at now: Instant) -> Bool { isFailing(peers[index], at: now) }

    private func isCandidate(_ index: Int, _ walk: BackEndWalk) -> Bool {
        let peer = peers[index]
        return !walk.tried.contains(peer.id) && !settings.members[peer.member].isDown && peer.health.passesChecks
            && peer.connections.count < peer.connections.maximum
    }

    /// The weight with which a peer counts, in thousandths: less than its own while it starts slowly.
    private func weight(of index: Int, at now: Instant) -> Int {
        let member = member(of: index)
        let full = member.weight * BackEndBalancer.unit
        guard member.slowStart > .zero, let returned = peers[index].health.returned else { return full }
        let part = (now - returned) / member.slowStart
        return part < 1 ? max(1, Int(Double(full) * part)) : full
    }

    // MARK: Methods

    private mutating func chooseByMethod(
        among candidates: [Int], _ walk: inout BackEndWalk, at now: Instant, random: inout some RandomNumberGenerator
    ) -> Int? {
        guard !candidates.isEmpty else { return nil }
        let hasChoice = peers.indices.count { !isBackup($0) } > 1
        switch settings.balancing {
        case .leastConnections: return leastConnections(among: candidates, at: now)
        case .hash(let isConsistent) where hasChoice && !walk.key.isEmpty:
            let found = isConsistent ? onCircle(candidates, &walk, at: now) : byHash(candidates, &walk)
            return found ?? roundRobin(among: candidates, at: now)
        case .random where hasChoice, .randomOfTwo where hasChoice:
            let found = byChance(candidates, &walk, at: now, random: &random)
            return found ?? roundRobin(among: candidates, at: now)
        case .roundRobin, .hash, .random, .randomOfTwo: return roundRobin(among: candidates, at: now)
        }
    }

    private mutating func chooseAmongBackups(_ candidates: [Int], at now: Instant) -> Int? {
        settings.balancing == .leastConnections
            ? leastConnections(among: candidates, at: now) : roundRobin(among: candidates, at: now)
    }

    /// Smooth weighted round robin: each gains its weight, the richest is chosen and pays what all have gained.
    private mutating func roundRobin(among candidates: [Int], at now: Instant) -> Int? {
        var best: Int?
        var total = 0
        for index in candidates {
            let gain = min(peers[index].effectiveWeight, weight(of: index, at: now))
            peers[index].currentWeight += gain
            total += gain
            // What failures took away comes back step by step.
            let full = member(of: index).weight * BackEndBalancer.unit
            peers[index].effectiveWeight = min(full, peers[index].effectiveWeight + BackEndBalancer.unit)
            if let richest = best, peers[index].currentWeight <= peers[richest].currentWeight { continue }
            best = index
        }
        if let best { peers[best].currentWeight -= total }
        return best
    }

    private mutating func leastConnections(among candidates: [Int], at now: Instant) -> Int? {
        guard let first = candidates.first else { return nil }
        let best = candidates.dropFirst().reduce(first) { isLess($1, than: $0, at: now) ? $1 : $0 }
        let equals = candidates.filter { !isLess(best, than: $0, at: now) }
        return equals.count == 1 ? best : roundRobin(among: equals, at: now)
    }

    /// Whether a peer has fewer connections than another in proportion to their weights.
    private func isLess(_ one: Int, than other: Int, at now: Instant) -> Bool {
        peers[one].connections.count * weight(of: other, at: now)
            < peers[other].connections.count * weight(of: one, at: now)
    }

    /// nginx's `hash` without `consistent`, which is Cache::Memcached's.
    private func byHash(_ candidates: [Int], _ walk: inout BackEndWalk) -> Int? {
        let all = peers.indices.filter { !isBackup($0) }
        let total = all.reduce(0) { $0 + member(of: $1).weight }
        while walk.looks <= BackEndBalancer.looksMaximum {
            var hash = CRC32()
            if walk.rehashes > 0 { hash.add("\(walk.rehashes)".utf8) }
            hash.add(walk.key)
            walk.hash &+= (hash.value >> 16) & 0x7FFF
            walk.rehashes += 1
            let found = place(Int(walk.hash) % total, in: all)
            if candidates.contains(found) { return found }
            walk.looks += 1
        }
        return nil
    }

    /// `hash … consistent`: the first point behind the user's that leads to somebody.
    private mutating func onCircle(_ candidates: [Int], _ walk: inout BackEndWalk, at now: Instant) -> Int? {
        guard let circle else { return nil }
        if walk.rehashes == 0 {
            walk.hash = UInt32(point(of: walk.key)?.point ?? 0)
            walk.rehashes = 1
        }
        while walk.looks <= BackEndBalancer.looksMaximum {
            let label = settings.members[circle.member(at: Int(walk.hash))].label
            let found = candidates.filter { member(of: $0).label == label }
            if !found.isEmpty { return roundRobin(among: found, at: now) }
            walk.hash &+= 1
            walk.looks += 1
        }
        return nil
    }

    private func byChance(
        _ candidates: [Int], _ walk: inout BackEndWalk, at now: Instant, random: inout some RandomNumberGenerator
    ) -> Int? {
        let all = peers.indices.filter { !isBackup($0) }
        let total = all.reduce(0) { $0 + member(of: $1).weight }
        var first: Int?
        while walk.looks <= BackEndBalancer.looksMaximum {
            let found = place(Int(random.next() % UInt64(total)), in: all)
            if found != first, candidates.contains(found) {
                guard settings.balancing == .randomOfTwo else { return found }
                if let first { return isLess(first, than: found, at: now) ? first : found }
                first = found
            } else {
                walk.looks += 1
            }
        }
        return nil
    }

    /// Whose `number` is when each has as many as its weight, in their order.
    private func place(_ number: Int, in all: [Int]) -> Int {
        var number = number
        for index in all {
            number -= member(of: index).weight
            if number < 0 { return index }
        }
        preconditionFailure("a number below the sum of the weights")
    }
}

/// One session's way through the peers of a group: each is tried once.
package struct BackEndWalk: Sendable {
    /// Who logs in, for `hash`.
    package let key: [UInt8]
    /// The peers tried.
    fileprivate(set) var tried: [Int] = []
    fileprivate var hash: UInt32 = 0
    fileprivate var rehashes = 0
    fileprivate var looks = 0

    package init(key: [UInt8]) { self.key = key }
}
