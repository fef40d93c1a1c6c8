import AsyncIO
import Testing

@testable import MailSessions

/// Users and their back-ends, with `hash $auth_user`; the expected ones are those of a separate implementation of
/// nginx's description (zlib's CRC-32), not of the code under test.
@Suite struct BackEndHashTests {
    private static let labels: [(label: String, weight: Int)] = [
        ("192.0.2.1:143", 1), ("192.0.2.2:143", 2), ("mail.example", 1),
    ]

    private static func balancer(
        isConsistent: Bool, _ labels: [(label: String, weight: Int)] = labels,
        adjust: (inout BackEndGroupSettings) -> Void = { _ in }
    ) -> BackEndBalancer {
        var settings = BackEndGroupSettings(name: "group")
        settings.balancing = .hash(isConsistent: isConsistent)
        for (number, (label, weight)) in labels.enumerated() {
            var member = BackEndGroupSettings.Member(
                label: label, host: label, addresses: [.ipv4(IPv4Address(192, 0, 2, UInt8(number + 1)), port: 143)])
            member.weight = weight
            settings.members.append(member)
        }
        adjust(&settings)
        return BackEndBalancer(settings)
    }

    private static func choose(_ balancer: inout BackEndBalancer, _ user: String) -> Int? {
        var walk = BackEndWalk(key: Array(user.utf8))
        return choose(&balancer, &walk)
    }

    private static func choose(_ balancer: inout BackEndBalancer, _ walk: inout BackEndWalk) -> Int? {
        var random = SystemRandomNumberGenerator()
        return balancer.choose(&walk, at: Instant(nanoseconds: 1), random: &random)?.member
    }

    @Test func `CRC-32 has its check value`() {
        var crc = CRC32()
        crc.add("12345".utf8)
        crc.add("6789".utf8)
        #expect(crc.value == 0xCBF4_3926)
    }

    @Test func `160 points for each unit of weight`() {
        #expect(ConsistentHash(Self.labels).count == 640)
        #expect(ConsistentHash([("unix:/run/a", 1), ("[2001:db8::1]:143", 1)]).count == 320)
    }

    @Test(arguments: [
        ("ann", 0), ("bob", 1), ("eve@example.org", 1), ("u1", 0), ("u2", 1), ("u3", 1), ("u4", 1), ("u5", 1),
    ])
    func `consistent, as nginx has it`(_ user: String, _ expected: Int) {
        var balancer = Self.balancer(isConsistent: true)
        for _ in 0..<3 { #expect(Self.choose(&balancer, user) == expected) }
    }

    @Test(arguments: [
        ("ann", 0), ("bob", 2), ("eve@example.org", 1), ("u1", 2), ("u2", 1), ("u3", 1), ("u4", 1), ("u5", 1),
    ])
    func `plain, as nginx has it`(_ user: String, _ expected: Int) {
        var balancer = Self.balancer(isConsistent: false)
        for _ in 0..<3 { #expect(Self.choose(&balancer, user) == expected) }
    }

    @Test func `another takes over, and the same one for the same user`() {
        for isConsistent in [false, true] {
            var balancer = Self.balancer(isConsistent: isConsistent)
            var walks: Set<[Int?]> = []
            for _ in 0..<5 {
                var walk = BackEndWalk(key: Array("ann".utf8))
                walks.insert((0..<4).map { _ in Self.choose(&balancer, &walk) })
            }
            #expect(walks.count == 1)
            let first = walks.first ?? []
            #expect(first.last == .some(nil), "each once: \(walks)")
            #expect(Set(first).count == 4)
        }
        // zlib says of "ann": 1 2 2 1 1 1 when it is asked on and on.
        var plain = Self.balancer(isConsistent: false)
        var walk = BackEndWalk(key: Array("ann".utf8))
        #expect(Self.choose(&plain, &walk) == 0)
        #expect(Self.choose(&plain, &walk) == 1)
        #expect(Self.choose(&plain, &walk) == 2, "found by round robin at the latest")
    }

    @Test func `nobody's key goes by turns`() {
        var balancer = Self.balancer(isConsistent: true)
        #expect(Set((0..<4).compactMap { _ in Self.choose(&balancer, "") }) == [0, 1, 2])
    }

    @Test(arguments: [3, 5, 10])
    func `one of n that goes moves one in n users when consistent, most of them when not`(_ count: Int) {
        let labels = (1...count).map { ("192.0.2.\($0):143", 1) }
        let users = (0..<10_000).map { "user\($0)@example.org" }
        func moved(isConsistent: Bool, isDownOnly: Bool) -> Double {
            var before = Self.balancer(isConsistent: isConsistent, labels)
            var after =
                isDownOnly
                ? Self.balancer(isConsistent: isConsistent, labels) { $0.members[count - 1].isDown = true }
                : Self.balancer(isConsistent: isConsistent, Array(labels.dropLast()))
            let changed = users.count { Self.choose(&before, $0) != Self.choose(&after, $0) }
            return Double(changed) / Double(users.count)
        }
        let consistent = moved(isConsistent: true, isDownOnly: false)
        #expect(consistent <= 1 / Double(count) + 0.03, "\(consistent)")
        #expect(consistent >= 1 / Double(count) - 0.05, "somebody must move: \(consistent)")
        #expect(moved(isConsistent: true, isDownOnly: true) == consistent, "down moves no more than gone")
        #expect(moved(isConsistent: false, isDownOnly: false) > 0.6, "plain")
        #expect(moved(isConsistent: false, isDownOnly: true) < 1 / Double(count) + 0.1, "plain, but only down")
    }

    @Test func `one that comes takes its share and no more`() {
        let labels = (1...6).map { ("192.0.2.\($0):143", 1) }
        var before = Self.balancer(isConsistent: true, Array(labels.dropLast()))
        var after = Self.balancer(isConsistent: true, labels)
        let users = (0..<10_000).map { "user\($0)@example.org" }
        for user in users {
            let (old, new) = (Self.choose(&before, user), Self.choose(&after, user))
            #expect(old == new || new == 5, "nobody moves between those who stay")
        }
    }
}
