import AsyncIO
import Testing

@testable import MailSessions

/// Failed logins, as two workers count them.
@Suite("Failed logins") struct FailedLoginsTests {
    private let master: SharedZone
    private let zones: [SharedZone]
    private let workers: [FailedLogins]
    private let ann = Array("ann".utf8)
    private static let minute = Duration.seconds(60)

    init() throws {
        master = try SharedZone(
            name: "test", regionCount: 3, regionBytes: 4096, slotBytes: FailedLogins.slotBytes)
        let descriptor = try #require(master.descriptor)
        master.open(1)
        zones = [
            try SharedZone(mapping: descriptor, own: 0), try SharedZone(mapping: descriptor, own: 1),
        ]
        workers = zones.map { FailedLogins($0) }
    }

    private static func attempt(_ password: String) -> LoginAttempt {
        LoginAttempt(method: .plain, login: Array("ann".utf8), password: Secret(Array(password.utf8)), number: 1)
    }

    private static func at(_ seconds: Int) -> Instant { Instant(nanoseconds: 1_000_000_000 * UInt64(1000 + seconds)) }

    private func fail(_ worker: Int, _ password: String, at seconds: Int) -> Int {
        workers[worker].count(Self.attempt(password), of: ann, window: Self.minute, at: Self.at(seconds))
    }

    private func count(_ worker: Int = 0, at seconds: Int) -> Int {
        workers[worker].count(of: ann, window: Self.minute, at: Self.at(seconds))
    }

    @Test("are counted together, whichever worker saw them")
    func together() {
        #expect(fail(0, "a", at: 0) == 1)
        #expect(fail(1, "b", at: 1) == 2)
        #expect(fail(0, "c", at: 2) == 3)
        for worker in workers.indices { #expect(count(worker, at: 2) == 3) }
        #expect(workers[0].count(of: Array("ben".utf8), window: Self.minute, at: Self.at(2)) == 0)
    }

    @Test("with the same wrong password again count once, at another worker too")
    func repeated() {
        #expect(fail(0, "old", at: 0) == 1)
        #expect(fail(0, "old", at: 1) == 1)
        #expect(fail(1, "old", at: 2) == 1)
        #expect(fail(1, "older", at: 3) == 2)
        #expect(fail(0, "older", at: 4) == 2)
    }

    @Test("the last four credentials of a worker are known; a fifth makes the first count again")
    func credentials() {
        for (index, password) in ["1", "2", "3", "4"].enumerated() {
            #expect(fail(0, password, at: index) == index + 1)
        }
        #expect(fail(0, "1", at: 5) == 4)
        #expect(fail(0, "5", at: 6) == 5)
        #expect(fail(0, "1", at: 7) == 6)
    }

    @Test("are forgotten when the window has passed without one, and all at once")
    func window() {
        for second in [0, 30, 60] { _ = fail(0, "\(second)", at: second) }
        _ = fail(1, "other", at: 110)
        #expect(count(at: 169) == 4, "each is within a minute of the next")
        #expect(count(at: 170) == 0)
        #expect(fail(0, "new", at: 171) == 1, "what was before does not come back")
        #expect(count(1, at: 171) == 1)
    }

    @Test("of long ago at one worker do not add to those of now at another")
    func gap() {
        for second in 0..<4 { _ = fail(0, "\(second)", at: second) }
        #expect(fail(1, "x", at: 100) == 1)
        #expect(fail(0, "0", at: 101) == 2, "its credentials are forgotten as well")
    }

    @Test("are forgiven for good, and later ones count anew")
    func forgiven() {
        for second in 0..<3 { _ = fail(second % 2, "\(second)", at: second) }
        workers[1].forgive(ann, window: Self.minute, at: Self.at(3))
        for worker in workers.indices { #expect(count(worker, at: 3) == 0) }
        #expect(fail(0, "4", at: 4) == 1)
        #expect(fail(1, "5", at: 5) == 2)
        #expect(count(at: 5) == 2)
    }

    @Test("stay when their worker dies: its region is not cleared, and the next one goes on with it")
    func death() throws {
        for second in 0..<3 { _ = fail(0, "\(second)", at: second) }
        let successor = FailedLogins(try SharedZone(mapping: try #require(master.descriptor), own: 0))
        #expect(successor.count(of: ann, window: Self.minute, at: Self.at(3)) == 3)
        #expect(successor.count(Self.attempt("2"), of: ann, window: Self.minute, at: Self.at(4)) == 3, "known")
        #expect(successor.count(Self.attempt("4"), of: ann, window: Self.minute, at: Self.at(4)) == 4)
    }

    @Test("where there is no room, who has failed least and longest ago makes way")
    func eviction() {
        for second in 0..<3 { _ = fail(0, "\(second)", at: second) }
        for number in 0..<200 {
            let subject = Array("\(number)".utf8)
            let now = Self.at(10) + .milliseconds(number)
            _ = workers[0].count(Self.attempt("x"), of: subject, window: Self.minute, at: now)
        }
        #expect(count(at: 11) == 3, "a flood displaces itself")
        #expect(workers[0].count(of: Array("199".utf8), window: Self.minute, at: Self.at(11)) == 1)
        #expect(workers[0].count(of: Array("0".utf8), window: Self.minute, at: Self.at(11)) == 0)
    }

    @Test("no password is in the memory, nor a hash that says which it is elsewhere (security-checklist G1)")
    func secrecy() throws {
        _ = fail(0, "canary-password", at: 0)
        let other = try SharedZone(
            name: "other", regionCount: 1, regionBytes: 4096, slotBytes: FailedLogins.slotBytes, own: 0)
        _ = FailedLogins(other).count(Self.attempt("canary-password"), of: ann, window: Self.minute, at: Self.at(0))
        let payloads = [zones[0], other].map { zone in zone.entries(zone.key(of: ann))[0].payload }
        #expect(payloads[0][3] != payloads[1][3])
        for payload in payloads { #expect(payload[3] > 0 && payload[3] <= UInt64(UInt32.max) && payload[4] == 0) }
    }
}

/// Who is counted as whom.
@Suite("Keys of limits") struct LimitKeyTests {
    private static func address(_ text: String) throws -> SocketAddress {
        try #require(SocketAddress(literal: text, port: 1))
    }

    @Test("IPv4 mapped into IPv6 is IPv4, IPv6 counts by its network of 64 bits (security-checklist D3)")
    func addresses() throws {
        func subject(_ text: String) throws -> [UInt8]? { LimitKey.address.subject(try Self.address(text), user: nil) }
        #expect(try subject("192.0.2.1") == subject("::ffff:192.0.2.1"))
        #expect(try subject("192.0.2.1") != subject("192.0.2.2"))
        #expect(try subject("2001:db8::1") == subject("2001:db8::ffff:0:0:2"))
        #expect(try subject("2001:db8::1") != subject("2001:db8:0:1::1"))
        #expect(try subject("::1") != subject("::ffff:0.0.0.1"))
        #expect(LimitKey.address.subject(.unix("/run/x"), user: nil) == nil)
    }

    @Test("users count by their names, letters of either case alike, and only once they are known")
    func users() throws {
        let (here, there) = (try Self.address("192.0.2.1"), try Self.address("192.0.2.2"))
        #expect(LimitKey.user.subject(here, user: nil) == nil && LimitKey.addressAndUser.subject(here, user: []) == nil)
        #expect(
            LimitKey.user.subject(here, user: Array("Ann".utf8))
                == LimitKey.user.subject(there, user: Array("ann".utf8)))
        #expect(LimitKey.user.subject(.unix(""), user: Array("ann".utf8)) != nil)
        let pair = LimitKey.addressAndUser.subject(here, user: Array("ann".utf8))
        #expect(pair != LimitKey.addressAndUser.subject(there, user: Array("ann".utf8)))
        #expect(pair != LimitKey.addressAndUser.subject(here, user: Array("ben".utf8)))
        #expect(pair != LimitKey.address.subject(here, user: Array("ann".utf8)))
    }

    @Test("the answer takes twice as long each time, up to 15 seconds")
    func delays() {
        var limit = LoginLimit(zone: "", key: .user)
        #expect(
            [1, 2, 3, 4, 5, 1000].map { limit.delay(afterFailures: $0) } == [1, 2, 4, 8, 15, 15].map { .seconds($0) })
        limit.delay = .zero
        #expect(limit.delay(afterFailures: 1_000_000) == .zero)
        limit.delay = .seconds(60)
        #expect(limit.delay(afterFailures: 1) == .seconds(15))
    }
}
