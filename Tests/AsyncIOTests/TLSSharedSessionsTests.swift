import TestSupport
import Testing

@testable import AsyncIO

/// TLS sessions in shared memory: kept by one worker, gone on with at another.
@Suite("TLS sessions in shared memory") struct TLSSharedSessionsTests {
    private static func caches(
        bytes: Int = 16384, workers: Int = 2
    ) throws -> (caches: [TLSSharedSessions], zones: [SharedZone]) {
        let (_, zones) = try SharedZoneTests.zone(bytes: bytes, slot: TLSSharedSessions.slotBytes, workers: workers)
        return (zones.map { TLSSharedSessions($0) }, zones)
    }

    private static func id(_ number: Int) -> [UInt8] {
        Hashing.sha256(Array("\(number)".utf8))
    }

    /// A cell holds 216 bytes: one less, as many, one more, and the longest there is.
    @Test(arguments: [1, 215, 216, 217, 432, 1000, 4096])
    func `a session of any length is what it was`(_ count: Int) throws {
        let (caches, _) = try Self.caches(bytes: 65536)
        let session = (0..<count).map { UInt8(truncatingIfNeeded: $0 * 7) }
        caches[0].keep(session, id: Self.id(1), until: 100, now: 1)
        for cache in caches {
            let isSame = cache.session(id: Self.id(1), now: 99) == session
            #expect(isSame)
            #expect(cache.session(id: Self.id(1), now: 100) == nil, "its time is over")
            #expect(cache.session(id: Self.id(2), now: 99) == nil)
        }
    }

    @Test("one byte too long is not kept, nor what has no identifier")
    func bounds() throws {
        let (caches, _) = try Self.caches(bytes: 65536)
        caches[0].keep(Array(repeating: 1, count: 4097), id: Self.id(1), until: 100, now: 1)
        #expect(caches[0].session(id: Self.id(1), now: 1) == nil)
        caches[0].keep([1], id: [1, 2, 3], until: 100, now: 1)
        #expect(caches[0].session(id: [1, 2, 3], now: 1) == nil)
    }

    @Test("the name of a further cell is no session's")
    func madeUpIdentifier() throws {
        let (caches, _) = try Self.caches(bytes: 65536)
        caches[0].keep(Array(repeating: 1, count: 500), id: Self.id(1), until: 100, now: 1)
        var next = Self.id(1)
        // Keys of cells count up from the identifier's first eight bytes, the lowest first.
        let (sum, carry) = next[0].addingReportingOverflow(1)
        next[0] = sum
        if carry { next[1] &+= 1 }
        #expect(caches[0].session(id: next, now: 1) == nil)
        #expect(caches[0].session(id: Self.id(1), now: 1)?.count == 500)
    }

    @Test("the session that expires first makes way, and nothing of it stays")
    func eviction() throws {
        let (caches, zones) = try Self.caches(bytes: 8192, workers: 1)
        let own = try #require(zones[0].own)
        // Two cells each, more than fit.
        for number in 0..<200 {
            caches[0].keep(
                Array(repeating: UInt8(number), count: 300), id: Self.id(number), until: UInt64(1000 + number), now: 1)
        }
        let alive = (0..<200).filter { caches[0].session(id: Self.id($0), now: 1) != nil }
        #expect(alive.contains(199) && !alive.contains(0) && alive.count > 8)
        for number in alive {
            #expect(caches[0].session(id: Self.id(number), now: 1)?.allSatisfy { $0 == number } == true)
        }
        let cells = (0..<own.slotCount).compactMap { own.entry(in: $0) }
        #expect(cells.count == 2 * alive.count, "no half of a session is left")
        let expired = (0..<own.slotCount / 4 + 1).map { 1000 + $0 }
        for number in expired { caches[0].keep([1], id: Self.id(number), until: 90_000, now: 80_000) }
        #expect(own.entry(in: 0).map { $0.payload[0] == 90_000 } ?? true, "what has expired is swept out")
        #expect((0..<own.slotCount).compactMap { own.entry(in: $0) }.allSatisfy { $0.payload[0] == 90_000 })
    }

    @Test("what is forgotten is forgotten by all, whoever kept it")
    func forgetting() throws {
        let (caches, zones) = try Self.caches()
        for forgetter in caches {
            caches[0].keep(Array(repeating: 5, count: 500), id: Self.id(1), until: 100, now: 1)
            #expect(caches[1].session(id: Self.id(1), now: 1) != nil)
            forgetter.forget(id: Self.id(1))
            for cache in caches { #expect(cache.session(id: Self.id(1), now: 1) == nil) }
        }
        let first = try #require(zones[0].own)
        caches[0].forget(id: Self.id(1))
        #expect((0..<first.slotCount).allSatisfy { first.entry(in: $0) == nil }, "and wiped by who kept it")
    }

    private func contexts(
        _ fixture: TLSFixture, labels: [String] = ["", ""], kept: Int? = nil
    ) throws -> [TLSContext] {
        let (caches, _) = try Self.caches(bytes: 65536)
        return try zip(caches, labels).map { cache, label in
            var fixture = fixture
            fixture.server.usesTickets = false
            fixture.server.label = label
            fixture.server.cache = .shared(zone: "one", kept: kept)
            let context = try fixture.serverContext()
            #expect(context.sharedZone == "one")
            context.sharedSessions = cache
            return context
        }
    }

    @Test("another worker goes on with a session, without tickets", arguments: [TLSVersions.v1_2, .v1_3], [nil, 10])
    func resumption(_ version: TLSVersions, kept: Int?) throws {
        var fixture = TLSFixture()
        fixture.server.common.versions = version
        let servers = try contexts(fixture, kept: kept)
        #expect(TLSPair.isResumed(servers[0], servers[1], client: try fixture.clientContext()))
        #expect(TLSPair.isResumed(servers[1], servers[1], client: try fixture.clientContext()))
        // The memory makes the difference.
        servers[1].sharedSessions = nil
        #expect(!TLSPair.isResumed(servers[0], servers[1], client: try fixture.clientContext()))
    }

    @Test(
        "a server does not go on with another's session (security-checklist A8)", arguments: [TLSVersions.v1_2, .v1_3])
    func labels(_ version: TLSVersions) throws {
        var fixture = TLSFixture()
        fixture.server.common.versions = version
        let servers = try contexts(fixture, labels: ["one", "other"])
        #expect(!TLSPair.isResumed(servers[0], servers[1], client: try fixture.clientContext()))
    }

    @Test("a session that was given up is not gone on with")
    func givenUp() throws {
        var fixture = TLSFixture()
        fixture.server.common.versions = .v1_2
        let servers = try contexts(fixture)
        let client = try fixture.clientContext()
        let first = TLSPair(servers[0], client).settle()
        #expect(first.isOpen)
        first.server.forgetSession()
        #expect(TLSPair(servers[1], client).settle().server.facts.isResumed == false)
    }

    /// OpenSSL tells the context that a connection began with of the alert, and a reload lets go of that.
    @Test("behind SNI a bad record ends the session of the server that was named, also when the other is gone")
    func badRecordBehindName() throws {
        var fixture = TLSFixture()
        fixture.server.common.versions = .v1_2
        let client = try fixture.clientContext()
        let named = try contexts(fixture)
        var names = TLSServerNames()
        names.add("mail.test", named[0])
        var first: TLSContext? = try contexts(fixture)[0]
        weak var remaining: TLSContext?
        remaining = first
        let pair = TLSPair(try #require(first), client, names: names).settle()
        #expect(pair.isOpen && pair.server.context === named[0])
        pair.server.beginRelay()
        first = nil
        #expect(remaining == nil)
        #expect(TLSPair(named[1], client).settle().server.facts.isResumed)
        var heard = ByteQueue()
        // The client does not hear of it, and offers the session again.
        _ = pair.server.receive([23, 3, 3, 0, 32] + [UInt8](repeating: 1, count: 32), into: &heard)
        guard case .failed = pair.server.state else { return #expect(Bool(false), "\(pair.server.state)") }
        #expect(!TLSPair(named[1], client).settle().server.facts.isResumed)
    }

    @Test("behind SNI a session that was given up is not gone on with", arguments: [true, false])
    func givenUpBehindName(isShared: Bool) throws {
        var fixture = TLSFixture()
        fixture.server.common.versions = .v1_2
        fixture.server.usesTickets = false
        fixture.server.cache = .kept(10)
        let client = try fixture.clientContext()
        let servers = isShared ? try contexts(fixture) : [try fixture.serverContext(), try fixture.serverContext()]
        var names = TLSServerNames()
        names.add("mail.test", servers[1])
        func connect() -> TLSEngine { TLSPair(servers[0], client, names: names).settle().server }
        let first = connect()
        #expect(connect().facts.isResumed)
        first.forgetSession()
        #expect(!connect().facts.isResumed)
    }
}
