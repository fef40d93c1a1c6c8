import AsyncIO
import MailSessions
import Testing

@testable import MailGateway

/// The zones of a configuration, in the master and in its workers.
@Suite("Zones of a configuration") struct SharedZonesTests {
    private static let sessions = ZoneSettings(name: "tls", use: .sessions, size: 65536)
    private static let connections = ZoneSettings(name: "conn", use: .connections(.address), size: 65536)
    private static let logins = ZoneSettings(name: "login", use: .failedLogins(.user), size: 65536)

    private static func made(
        _ planned: [ZoneSettings], workers: Int = 2, keeping old: SharedZones? = nil
    ) throws -> SharedZones {
        try SharedZones(planned, workers: workers, isAlone: false, keeping: old)
    }

    /// As the worker with this region maps them.
    private static func mapped(_ zones: SharedZones, region: Int) throws -> SharedZones {
        try SharedZones(
            mapping: zones.descriptors, zones.all.map(\.settings), serials: zones.all.map(\.serial), region: region)
    }

    @Test("one whose name, use and size are the same stays, any other begins anew")
    func reload() throws {
        let first = try Self.made([Self.connections, Self.logins, Self.sessions])
        #expect(first.all.map(\.serial) == [0, 1, 2])
        let larger = ZoneSettings(name: "login", use: .failedLogins(.user), size: 131_072)
        let rekeyed = ZoneSettings(name: "conn", use: .connections(.user), size: 65536)
        let second = try Self.made([Self.sessions, larger, rekeyed], keeping: first)
        #expect(second.all.map(\.serial) == [2, 3, 4])
        #expect(second["tls"] === first["tls"] && second["login"] !== first["login"])
        #expect(try Self.made([Self.logins], keeping: second).all.map(\.serial) == [5], "no number is given twice")
        #expect(second["gone"] == nil)
    }

    @Test("there is a region for twice the workers, and 64 at least; more workers than that begin anew")
    func regions() throws {
        let few = try Self.made([Self.logins])
        #expect(few.regionCount == 64)
        #expect(try Self.made([Self.logins], workers: 32, keeping: few)["login"] === few["login"])
        let many = try Self.made([Self.logins], workers: 33, keeping: few)
        #expect(many.regionCount == 66 && many["login"] !== few["login"])
        let fewAgain = try Self.made([Self.connections], workers: 1, keeping: many)
        #expect(fewAgain.regionCount == 66, "a worker may have any of the numbers before")
    }

    @Test("what a dead worker counted of sessions goes, its failed logins and TLS sessions stay")
    func death() throws {
        let master = try Self.made([Self.connections, Self.logins, Self.sessions])
        for region in 0...1 { master.open(region) }
        let workers = try (0...1).map { try Self.mapped(master, region: $0) }
        let attempt = LoginAttempt(method: .plain, login: [1], password: Secret([2]), number: 1)
        var places: [SharedPlace] = []
        for zones in workers {
            places.append(try SharedCounts(try #require(zones["conn"])).take([1], maximum: 9))
            let failures = FailedLogins(try #require(zones["login"]))
            _ = failures.count(attempt, of: [1], window: .seconds(60), at: Instant(nanoseconds: 1_000_000_000))
            let id = [UInt8](repeating: 7, count: 32)
            TLSSharedSessions(try #require(zones["tls"])).keep([1, 2, 3], id: id, until: 100, now: 1)
        }
        master.close(0)
        let counts = SharedCounts(try #require(workers[1]["conn"]))
        #expect(counts.count(of: [1]) == 1)
        let failures = FailedLogins(try #require(workers[1]["login"]))
        #expect(failures.count(of: [1], window: .seconds(60), at: Instant(nanoseconds: 2_000_000_000)) == 1)
        let own = try #require(master["login"]).region(0)
        #expect((0..<own.slotCount).count { own.entry(in: $0) != nil } == 1, "in the dead worker's region, too")
        let kept = TLSSharedSessions(try #require(workers[1]["tls"]))
        #expect(kept.session(id: [UInt8](repeating: 7, count: 32), now: 2) == [1, 2, 3])
        // The dead worker's place has gone with it; here its object is still there.
        let zone = try #require(workers[0]["conn"])
        let key = zone.key(of: [1])
        zone.own?.write(key, [1], in: try #require(zone.own?.vacancy(for: key)))
        places = []
        #expect(counts.count(of: [1]) == 0)
    }

    @Test("a worker goes on with the mapping that it has of a zone that stays")
    func takingOver() throws {
        let master = try Self.made([Self.connections, Self.logins])
        let first = try Self.mapped(master, region: 3).takingOver(from: nil)
        let next = try Self.made([Self.logins, Self.sessions], keeping: master)
        let second = try Self.mapped(next, region: 3).takingOver(from: first)
        #expect(second["login"] === first["login"] && second["conn"] == nil && second["tls"] != nil)
        #expect(second.byName.count == 2)
    }

    @Test("a handover that does not fit the configuration is refused")
    func malformed() throws {
        let master = try Self.made([Self.connections])
        #expect(throws: StartFailure.self) {
            try SharedZones(mapping: master.descriptors, [Self.connections, Self.logins], serials: [0], region: 0)
        }
        #expect(throws: StartFailure.self) {
            try SharedZones(mapping: master.descriptors, [Self.connections], serials: [0], region: 64)
        }
    }

    @Test("alone, the process writes the only region itself")
    func alone() throws {
        let zones = try SharedZones([Self.connections], workers: 1, isAlone: true)
        #expect(zones["conn"]?.own != nil && zones["conn"]?.regionsUsed == 1)
        #expect(try Self.made([Self.connections])["conn"]?.own == nil)
    }
}
