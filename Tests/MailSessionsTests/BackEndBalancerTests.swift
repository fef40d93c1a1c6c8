import AsyncIO
import TestSupport
import Testing

@testable import MailSessions

/// Which back-end of a group is chosen, against sequences worked out by hand from nginx's algorithms.
@Suite struct BackEndBalancerTests {
    /// A group whose members are called a, b, c … and listen on 192.0.2.1, 192.0.2.2 …
    final class Group {
        var balancer: BackEndBalancer
        var now = Instant(nanoseconds: 1_000_000_000_000)
        var random: any RandomNumberGenerator = SeededRandom(seed: 1)

        init(
            _ balancing: BackEndGroupSettings.Balancing = .roundRobin, weights: [Int],
            adjust: (inout BackEndGroupSettings) -> Void = { _ in }
        ) {
            var settings = BackEndGroupSettings(name: "group")
            settings.balancing = balancing
            for (number, weight) in weights.enumerated() {
                let address = SocketAddress.ipv4(IPv4Address(192, 0, 2, UInt8(number + 1)), port: 143)
                var member = BackEndGroupSettings.Member(
                    label: "\(address)", host: address.hostText, addresses: [address])
                member.weight = weight
                settings.members.append(member)
            }
            adjust(&settings)
            balancer = BackEndBalancer(settings)
        }

        /// The next one for a new session, or for one that has tried others.
        func choose(_ walk: inout BackEndWalk) -> String? {
            choosePeer(&walk).map { Group.name($0.member) }
        }

        func choosePeer(_ walk: inout BackEndWalk) -> BackEndBalancer.Peer? {
            var chance = AnyRandom(base: random)
            defer { random = chance.base }
            return balancer.choose(&walk, at: now, random: &chance)
        }

        func choose(key: String = "") -> String? {
            var walk = BackEndWalk(key: Array(key.utf8))
            return choose(&walk)
        }

        /// What so many new sessions get.
        func sequence(_ count: Int) -> String {
            (0..<count).map { _ in choose() ?? "-" }.joined()
        }

        /// All that one session would try.
        func walk(key: String = "") -> String {
            var walk = BackEndWalk(key: Array(key.utf8))
            var names = ""
            while let name = choose(&walk) { names += name }
            return names
        }

        func fail(_ name: String) -> Bool { fail(peer(name).id) }
        func fail(_ id: Int) -> Bool { balancer.failed(id, at: now) }
        func serve(_ name: String) { balancer.served(peer(name).id, at: now) }
        func pass(_ duration: Duration) { now = now + duration }

        func peer(_ name: String) -> BackEndBalancer.Peer {
            guard let peer = balancer.peers.first(where: { Group.name($0.member) == name }) else {
                preconditionFailure("no peer \(name)")
            }
            return peer
        }

        /// Takes connections, as sessions that stay.
        func occupy(_ name: String, _ count: Int) {
            for _ in 0..<count { #expect(peer(name).connections.take()) }
        }

        private static func name(_ member: Int) -> String { String("abcdefghijkl".dropFirst(member).prefix(1)) }
    }

    /// Numbers that a test has thought of.
    struct Scripted: RandomNumberGenerator {
        var numbers: [UInt64]
        mutating func next() -> UInt64 { numbers.isEmpty ? 0 : numbers.removeFirst() }
    }

    struct AnyRandom: RandomNumberGenerator {
        var base: any RandomNumberGenerator
        mutating func next() -> UInt64 { base.next() }
    }

    // MARK: Round robin

    @Test(arguments: [
        ([1, 1, 1], "abcabcabc", "equal weights take turns"),
        // nginx's own example (commit 52327e0627f4): 5, 1, 1.
        ([5, 1, 1], "aabacaa", "the heavy one is spread"),
        ([3, 1], "aabaaaba", "3 to 1"),
        // (2 3)b (4 1)a (1 4)b (3 2)a (0 5)b, and all begins anew.
        ([2, 3], "babab", "2 to 3"),
        ([1], "aaa", "one is always chosen"),
    ])
    func `smooth weighted round robin`(_ weights: [Int], _ expected: String, _ why: String) {
        let group = Group(weights: weights)
        #expect(group.sequence(expected.count) == expected, "\(why)")
    }

    @Test func `a session tries each once, and then the backups`() {
        let group = Group(weights: [1, 1, 1, 1]) {
            $0.members[2].isBackup = true
            $0.members[3].isBackup = true
        }
        #expect(group.walk() == "abcd")
        #expect(group.walk() == "badc")
        #expect(group.sequence(4) == "abab", "no backup while others serve")
    }

    @Test func `down is never chosen`() {
        let group = Group(weights: [1, 1, 1]) { $0.members[1].isDown = true }
        #expect(group.walk() == "ac")
        let none = Group(weights: [1]) { $0.members[0].isDown = true }
        #expect(none.walk().isEmpty)
    }

    // MARK: Health

    @Test func `one failure takes out for ten seconds, then one client is the probe`() {
        let group = Group(weights: [1, 1])
        #expect(group.sequence(2) == "ab")
        #expect(group.fail("a"), "max_fails=1")
        #expect(group.sequence(3) == "bbb")
        group.pass(.seconds(10))
        #expect(group.sequence(2) == "bb", "still within fail_timeout")
        group.pass(.nanoseconds(1))
        // The failure took all of a's weight, which comes back after the first choice: (0 1)b (1 1)a, and b alone.
        #expect(group.sequence(3) == "bab", "one probe, and nobody else until it has an answer")
        group.serve("a")
        // (0 2)b (1 1)a, and so on.
        #expect(group.sequence(4) == "baba")
    }

    @Test func `a probe that fails takes out anew`() {
        let group = Group(weights: [1, 1])
        _ = group.fail("a")
        group.pass(.seconds(11))
        #expect(group.sequence(2) == "ba")
        _ = group.fail("a")
        group.pass(.seconds(9))
        #expect(group.sequence(3) == "bbb")
    }

    @Test func `max_fails counts failures, and success within fail_timeout does not undo them`() {
        let group = Group(weights: [1, 1]) {
            for index in 0..<2 {
                $0.members[index].failsMaximum = 3
                $0.members[index].failTimeout = .seconds(30)
            }
        }
        #expect(!group.fail("a"))
        group.serve("a")
        #expect(!group.fail("a"))
        #expect(group.sequence(4).contains("a"))
        #expect(group.fail("a"), "the third takes it out")
        #expect(!group.sequence(4).contains("a"))
        #expect(!group.fail("a"), "it is out already")
    }

    @Test func `failures that are long ago are forgotten`() {
        let group = Group(weights: [1, 1]) { $0.members[0].failsMaximum = 2 }
        #expect(!group.fail("a"))
        group.pass(.seconds(11))
        #expect(group.sequence(2).contains("a"))
        group.serve("a")
        #expect(!group.fail("a"), "counted from one again")
    }

    @Test func `max_fails=0 is never taken out`() {
        let group = Group(weights: [1, 1]) { $0.members[0].failsMaximum = 0 }
        for _ in 0..<10 { #expect(!group.fail("a")) }
        #expect(group.sequence(2) == "ab")
    }

    @Test func `when all have failed they are tried all the same`() {
        let group = Group(weights: [1, 1, 1]) { $0.members[2].isBackup = true }
        for name in ["a", "b", "c"] { #expect(group.fail(name)) }
        #expect(group.walk() == "abc")
    }

    @Test func `checks take out and bring back, and are believed`() {
        let group = Group(weights: [1, 1]) {
            $0.check = HealthCheckSettings()
            $0.check?.failsMaximum = 2
            $0.check?.passesMinimum = 3
        }
        let (a, b) = (group.peer("a").id, group.peer("b").id)
        func take(_ passed: Bool, _ id: Int) -> Bool { group.balancer.take(check: passed, of: id, at: group.now) }
        #expect(!take(false, a))
        #expect(!take(true, a), "not in a row")
        #expect(!take(false, a))
        #expect(take(false, a))
        #expect(group.walk() == "b")
        for expected in [false, false, true] { #expect(take(true, a) == expected) }
        #expect(group.walk().count == 2)
        for id in [a, b] { for _ in 0..<2 { _ = take(false, id) } }
        #expect(group.walk().isEmpty, "not even as the last resort")
    }

    @Test func `the share of who failed comes back step by step`() {
        // nginx: weight 4, max_fails 2: each failure takes half of it, each choice among others gives one back.
        let group = Group(weights: [4, 4]) { for index in 0..<2 { $0.members[index].failsMaximum = 2 } }
        _ = group.fail("a")
        // Effective weights of a: 2, 3, 4: current a, b after each round (2 4)b (5 2)a (2 6)b (6 2)a …
        #expect(group.sequence(6) == "bababa")
        let heavy = Group(weights: [6, 2]) { $0.members[0].failsMaximum = 2 }
        _ = heavy.fail("a")
        // (3 2)a-5 → (-2 2); (+4 +2) = (2 4)b-6 → (2 -2); (+5 +2) = (7 0)a-7 → (0 0); (+6 +2) = (6 2)a-8 → (-2 2).
        #expect(heavy.sequence(4) == "abaa")
    }

    @Test func `slow_start lets the share grow`() {
        let group = Group(weights: [1, 1]) { $0.members[0].slowStart = .seconds(100) }
        _ = group.fail("a")
        group.pass(.seconds(11))
        #expect(group.sequence(2) == "ba", "the probe")
        group.serve("a")
        group.pass(.seconds(10))
        let early = group.sequence(110).count { $0 == "a" }
        #expect((9...11).contains(early), "a tenth of b's share, so one of eleven: \(early)")
        group.pass(.seconds(100))
        let late = group.sequence(100).count { $0 == "a" }
        #expect((49...51).contains(late), "\(late)")
    }

    // MARK: Limits

    @Test func `max_conns at the limit and one past it`() {
        let group = Group(weights: [1, 1]) { $0.members[0].connectionsMaximum = 2 }
        group.occupy("a", 1)
        #expect(group.walk().contains("a"))
        group.occupy("a", 1)
        #expect(group.walk() == "b")
        #expect(!group.peer("a").connections.take(), "one past it")
        group.peer("a").connections.giveBack()
        #expect(group.walk().contains("a"))
    }

    @Test func `places of a member are places of the worker`() {
        let worker = ConnectionBudget(maximum: 2)
        let balancer = BackEndBalancer(Group(weights: [1, 1]).balancer.settings, within: worker)
        #expect(balancer.peers[0].connections.take())
        #expect(balancer.peers[1].connections.take())
        #expect(!balancer.peers[0].connections.take(), "the worker has no third")
        #expect(worker.count == 2)
    }

    // MARK: Least connections

    @Test func `the fewest connections in proportion to the weight`() {
        let group = Group(.leastConnections, weights: [1, 1, 1])
        group.occupy("a", 2)
        group.occupy("b", 1)
        group.occupy("c", 3)
        #expect(group.walk() == "bac")
        let weighted = Group(.leastConnections, weights: [3, 1])
        weighted.occupy("a", 5)
        weighted.occupy("b", 2)
        #expect(weighted.choose() == "a", "5/3 is less than 2")
        weighted.occupy("a", 1)
        // Both have two for each unit of weight: round robin by weight.
        #expect(weighted.sequence(4) == "aaba")
    }

    @Test func `among equals least_conn takes turns`() {
        let group = Group(.leastConnections, weights: [1, 1, 1])
        #expect(group.sequence(6) == "abcabc")
    }

    // MARK: Chance

    @Test func `random goes by weights`() {
        // Numbers modulo the sum 6: 0 is a's, 1 and 2 are b's, 3 to 5 are c's.
        let group = Group(.random, weights: [1, 2, 3])
        group.random = Scripted(numbers: [0, 1, 2, 3, 4, 5, 6, 13])
        #expect(group.sequence(8) == "abbcccab")
    }

    @Test func `random looks again for one that serves`() {
        let group = Group(.random, weights: [1, 1, 1])
        _ = group.fail("a")
        group.random = Scripted(numbers: [0, 0, 2])
        #expect(group.choose() == "c")
        // After 21 looks in vain round robin decides.
        group.random = Scripted(numbers: Array(repeating: 0, count: 30))
        #expect(group.choose() == "b")
    }

    @Test func `two by chance, the one with fewer connections`() {
        let group = Group(.randomOfTwo, weights: [1, 1, 1])
        group.occupy("a", 2)
        group.occupy("b", 1)
        group.random = Scripted(numbers: [0, 1])
        #expect(group.choose() == "b")
        group.random = Scripted(numbers: [1, 0])
        #expect(group.choose() == "b")
        group.random = Scripted(numbers: [0, 0, 2])
        #expect(group.choose() == "c", "the same one twice is no choice")
        group.occupy("b", 1)
        group.random = Scripted(numbers: [0, 1])
        #expect(group.choose() == "b", "the second of equals, as in nginx")
    }

    // MARK: Names

    @Test func `addresses of a name come and go, and who stays keeps its health`() {
        let group = Group(weights: [1, 1]) { $0.members[1].slowStart = .seconds(10) }
        let addresses = [7, 8, 9].map { SocketAddress.ipv4(IPv4Address(192, 0, 2, $0), port: 143) }
        group.balancer.update(member: 0, to: [addresses[0], addresses[1]], at: group.now)
        #expect(group.balancer.peers.map(\.address.hostText) == ["192.0.2.7", "192.0.2.8", "192.0.2.2"])
        let kept = group.balancer.peers[1]
        #expect(group.fail(kept.id))
        group.balancer.update(member: 0, to: [addresses[1], addresses[2]], at: group.now)
        #expect(group.balancer.peers.map(\.address.hostText) == ["192.0.2.8", "192.0.2.9", "192.0.2.2"])
        #expect(group.balancer.peers[0].id == kept.id)
        #expect(group.balancer.isFailing(group.balancer.peers[0], at: group.now))
        #expect(group.balancer.peers[0].connections === kept.connections)
    }

    @Test func `a reload keeps what is known of members that are the same`() {
        let group = Group(weights: [1, 1, 1])
        group.occupy("b", 1)
        #expect(group.fail("b"))
        var settings = group.balancer.settings
        settings.members[0].weight = 2
        settings.members.swapAt(1, 2)
        let renewed = BackEndBalancer(settings, previous: group.balancer)
        #expect(renewed.isFailing(renewed.peers[2], at: group.now))
        #expect(renewed.peers[2].connections.count == 1)
        #expect(!renewed.isFailing(renewed.peers[0], at: group.now))
    }
}
