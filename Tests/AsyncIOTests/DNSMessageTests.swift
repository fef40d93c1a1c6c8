import TestSupport
import Testing

@testable import AsyncIO

/// Answers of name servers as bytes, good and evil (security-checklist F).
@Suite struct DNSMessageTests {
    private static let question = DNSQuestion("mx.example", .ipv4)

    private func answer(_ reply: DNSReply, to question: DNSQuestion = Self.question) throws -> DNSAnswer {
        try DNSMessage(reply.bytes).answer(to: question)
    }

    private static func ipv4(_ name: String, _ last: UInt8, lifetime: UInt32 = 60) -> DNSReply.Record {
        DNSReply.Record(name, 1, lifetime: lifetime, [192, 0, 2, last])
    }

    @Test func `addresses, and the shortest of their times`() throws {
        let found = try answer(
            DNSReply(
                "mx.example", 1, [Self.ipv4("mx.example", 1, lifetime: 90), Self.ipv4("MX.Example", 2, lifetime: 30)]))
        #expect(found.addresses.map(\.hostText) == ["192.0.2.1", "192.0.2.2"])
        #expect(found.lifetime == .seconds(30))
    }

    @Test func `IPv6 addresses`() throws {
        let data: [UInt8] = [0x20, 1, 0x0D, 0xB8] + [UInt8](repeating: 0, count: 11) + [1]
        let found = try answer(
            DNSReply("mx.example", 28, [DNSReply.Record("mx.example", 28, data)]), to: DNSQuestion("mx.example", .ipv6))
        #expect(found.addresses.map(\.hostText) == ["2001:db8::1"])
    }

    @Test func `names, whatever bytes they are of`() throws {
        let question = DNSQuestion("7.2.0.192.in-addr.arpa", .pointer)
        let odd: [UInt8] = [3] + Array("a\r\n".utf8) + [1, 0] + DNSReply.wire("example")
        let found = try answer(
            DNSReply(
                question.name, 12,
                [
                    DNSReply.Record(question.name, 12, DNSReply.wire("first.example")),
                    DNSReply.Record(question.name, 12, odd), DNSReply.Record(question.name, 12, [0]),
                ]), to: question)
        #expect(found.names == [Array("first.example".utf8), Array("a\r\n.\0.example".utf8), []])
    }

    @Test func `aliases are followed in any order, and a circle of them ends`() throws {
        let first = DNSReply.Record("mx.example", 5, lifetime: 10, DNSReply.wire("b.example"))
        let second = DNSReply.Record("B.example", 5, lifetime: 20, DNSReply.wire("c.example"))
        let end = Self.ipv4("c.example", 9)
        for records in [[first, second, end], [end, second, first]] {
            let found = try answer(DNSReply("mx.example", 1, records))
            #expect(found.addresses.map(\.hostText) == ["192.0.2.9"])
            #expect(found.lifetime == .seconds(10))
        }
        let back = DNSReply.Record("b.example", 5, DNSReply.wire("mx.example"))
        #expect(throws: DNSFailure.notFound) { try answer(DNSReply("mx.example", 1, [first, back])) }
    }

    @Test func `what is about somebody else does not count`() {
        var foreign = Self.ipv4("mx.example", 1)
        foreign.recordClass = 3
        let records = [Self.ipv4("evil.example", 1), foreign, DNSReply.Record("mx.example", 16, [1, 65])]
        #expect(throws: DNSFailure.notFound) { try answer(DNSReply("mx.example", 1, records)) }
        #expect(throws: DNSFailure.notFound) { try answer(DNSReply("mx.example", 1)) }
    }

    @Test(
        arguments: [(0, 0), (86_400, 86_400), (86_401, 86_400), (0x7FFF_FFFF, 86_400), (0x8000_0000, 0)]
            as [(UInt32, Int64)])
    func `a time is at most a day, and none with the highest bit`(_ lifetime: UInt32, _ expected: Int64) throws {
        let found = try answer(DNSReply("mx.example", 1, [Self.ipv4("mx.example", 1, lifetime: lifetime)]))
        #expect(found.lifetime == .seconds(expected))
    }

    @Test func `pointers in names lead backwards only`() throws {
        // The question's name begins at 12.
        var record = Self.ipv4("mx.example", 1)
        record.name = [0xC0, 12]
        #expect(try answer(DNSReply("mx.example", 1, [record])).addresses.count == 1)
        record.name = [2] + Array("mx".utf8) + [0xC0, 15]
        #expect(try answer(DNSReply("mx.example", 1, [record])).addresses.count == 1)
        let start = UInt8(DNSReply("mx.example", 1).bytes.count)
        for evil: [UInt8] in [
            [0xC0, start], [0xC0, start + 1], [0xFF, 0xFF], [1, 65, 0xC0, start], [0x40, 0], [0x80],
        ] {
            record.name = evil
            #expect(throws: DNSFailure.format, "\(evil)") { try answer(DNSReply("mx.example", 1, [record])) }
        }
    }

    @Test func `names have a longest length`() throws {
        let question = DNSQuestion("7.2.0.192.in-addr.arpa", .pointer)
        let label = String(repeating: "x", count: 63)
        let longest = [label, label, label, String(repeating: "y", count: 61)].joined(separator: ".")
        #expect(longest.utf8.count == DNSMessage.nameMaximum)
        func ask(_ name: String) throws -> DNSAnswer {
            try answer(
                DNSReply(question.name, 12, [DNSReply.Record(question.name, 12, DNSReply.wire(name))]), to: question)
        }
        #expect(try ask(longest).names == [Array(longest.utf8)])
        #expect(throws: DNSFailure.format) { try ask(longest + "y") }
    }

    @Test(arguments: [3, 5, 0, 17]) func `an address of another length is malformed`(count: Int) {
        let record = DNSReply.Record("mx.example", 1, [UInt8](repeating: 1, count: count))
        #expect(throws: DNSFailure.format) { try answer(DNSReply("mx.example", 1, [record])) }
    }

    @Test func `cut anywhere it is malformed, and nothing is read beyond`() {
        let bytes = DNSReply("mx.example", 1, [Self.ipv4("mx.example", 1), Self.ipv4("mx.example", 2)]).bytes
        for count in bytes.indices {
            #expect(throws: DNSFailure.format, "\(count) bytes") {
                try DNSMessage(Array(bytes.prefix(count))).answer(to: Self.question)
            }
        }
        var lying = DNSReply("mx.example", 1, [Self.ipv4("mx.example", 1)])
        lying.claimedRecords = 65535
        #expect(throws: DNSFailure.format) { try answer(lying) }
    }

    @Test func `random bytes end in an answer or a failure`() {
        let good = DNSReply("mx.example", 1, [Self.ipv4("mx.example", 1), Self.ipv4("b.example", 2)]).bytes
        for seed in 0..<2000 {
            var random = SeededRandom(seed: UInt64(seed))
            var bytes = good
            for _ in 0..<Int.random(in: 1...8, using: &random) {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            do throws(DNSFailure) {
                let found = try DNSMessage(bytes).answer(to: Self.question)
                #expect(!found.addresses.isEmpty, "seed \(seed)")
            } catch {
                #expect([.format, .notFound].contains(error), "seed \(seed)")
            }
        }
    }

    @Test(arguments: [
        ("192.0.2.7", "7.2.0.192.in-addr.arpa"), ("::ffff:192.0.2.7", "7.2.0.192.in-addr.arpa"),
        ("2001:db8::1", "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"),
    ])
    func `the question for a host's name`(_ host: String, _ name: String) throws {
        let address = try #require(SocketAddress(literal: host, port: 25))
        #expect(DNSQuestion(nameOf: address)?.name == name)
        #expect(DNSQuestion(nameOf: .unix("/x")) == nil)
    }

    @Test func `questions know no case and no dot at the end`() {
        #expect(DNSQuestion("MX.Example.", .ipv4) == DNSQuestion("mx.example", .ipv4))
        #expect(DNSQuestion("mx.example", .ipv4) != DNSQuestion("mx.example", .ipv6))
    }
}
