import COpenSSL
import TestSupport
import Testing

@testable import AsyncIO

/// Sessions gone on with.
@Suite struct TLSResumptionTests {
    private func isResumed(
        _ fixture: TLSFixture, _ other: TLSFixture? = nil, seeds: (TLSTicketSeed, TLSTicketSeed)? = nil
    ) throws -> Bool {
        let seed = TLSTicketSeed()
        let first = try fixture.serverContext(seed: seeds?.0 ?? seed)
        let second = try (other ?? fixture).serverContext(seed: seeds?.1 ?? seed)
        // In one process: not the ticket but the cache could be what serves.
        return TLSPair.isResumed(first, second, client: try fixture.clientContext())
    }

    @Test("by tickets, also at another worker with the same seed", arguments: [TLSVersions.v1_2, .v1_3])
    func tickets(_ version: TLSVersions) throws {
        var fixture = TLSFixture()
        fixture.server.common.versions = version
        #expect(try isResumed(fixture))
        #expect(try !isResumed(fixture, seeds: (TLSTicketSeed(), TLSTicketSeed())))
        fixture.server.usesTickets = false
        #expect(try !isResumed(fixture))
    }

    @Test("by the server's cache where it keeps one", arguments: [TLSVersions.v1_2, .v1_3])
    func cache(_ version: TLSVersions) throws {
        var fixture = TLSFixture()
        fixture.server.common.versions = version
        fixture.server.usesTickets = false
        for (cache, expected) in [(TLSSessionCache.kept(10), true), (.none, false), (.off, false)] {
            fixture.server.cache = cache
            let server = try fixture.serverContext()
            #expect(TLSPair.isResumed(server, server, client: try fixture.clientContext()) == expected, "\(cache)")
        }
    }

    @Test("not where another server's label says that it is another (security-checklist A8)")
    func labels() throws {
        let fixture = TLSFixture()
        var other = fixture
        other.server.label = "other"
        #expect(try !isResumed(fixture, other))
    }

    @Test("a client that reuses nothing makes full handshakes")
    func clientsWithoutReuse() throws {
        var fixture = TLSFixture()
        fixture.client.reusesSessions = false
        #expect(try !isResumed(fixture))
    }

    @Test("with key files: the first encrypts, all decrypt", arguments: [48, 80])
    func keyFiles(_ size: Int) throws {
        let old = TLSText(name: "old", content: Secret([UInt8](repeating: 1, count: size)))
        let new = TLSText(name: "new", content: Secret([UInt8](repeating: 2, count: 80)))
        var first = TLSFixture()
        first.server.ticketKeys = [old]
        var second = first
        second.server.ticketKeys = [new, old]
        #expect(try isResumed(first, second, seeds: (TLSTicketSeed(), TLSTicketSeed())))
        second.server.ticketKeys = [new]
        #expect(try !isResumed(first, second, seeds: (TLSTicketSeed(), TLSTicketSeed())))
        first.server.ticketKeys = [TLSText(name: "short", content: Secret([UInt8](repeating: 1, count: 47)))]
        #expect(throws: TLSSettingsError("\"short\" must be 48 or 80 bytes")) { try first.serverContext() }
    }

    @Test("so many servers are remembered, and one more makes all forgotten")
    func clientSessions() {
        let sessions = TLSClientSessions()
        for number in 1...TLSClientSessions.maximum { unsafe sessions.keep(SSL_SESSION_new(), for: "\(number)") }
        unsafe sessions.keep(SSL_SESSION_new(), for: "1")
        #expect(unsafe sessions.session(for: "1") != nil && sessions.session(for: "2") != nil)
        unsafe sessions.keep(SSL_SESSION_new(), for: "another")
        #expect(unsafe sessions.session(for: "another") != nil && sessions.session(for: "1") == nil)
    }

    @Test("seeds move on by the hour, forget after a day, and agree between processes")
    func seeds() throws {
        let hour = TLSTicketSeed.epochSeconds
        var seed = TLSTicketSeed(now: 1000 * hour)
        let first = seed.secrets[0]
        var other = seed
        seed.advance(to: 1001 * hour)
        #expect(seed.secrets.count == 2 && seed.secrets[0] == first && seed.secrets[1] != first)
        seed.advance(to: 1000 * hour)
        #expect(seed.secrets.count == 2)
        let day = UInt64(TLSTicketSeed.kept)
        seed.advance(to: (1000 + day - 1) * hour)
        #expect(seed.secrets.count == TLSTicketSeed.kept && seed.secrets[0] == first)
        seed.advance(to: (1000 + day) * hour)
        #expect(seed.secrets.count == TLSTicketSeed.kept && seed.secrets[0] != first)
        other.advance(to: (1000 + day) * hour)
        #expect(other == seed)
        #expect(TLSTicketSeed(epoch: seed.epoch, secrets: seed.secrets) == seed)
        #expect(TLSTicketSeed(epoch: 1, secrets: []) == nil)
        #expect(TLSTicketSeed(epoch: 1, secrets: [Secret([1])]) == nil)
        #expect(TLSTicketSeed(epoch: 1, secrets: Array(repeating: first, count: TLSTicketSeed.kept + 1)) == nil)
    }
}
