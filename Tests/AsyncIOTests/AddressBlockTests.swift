import AsyncIO
import Testing

@Suite struct AddressBlockTests {
    private func address(_ host: String) throws -> SocketAddress {
        try #require(SocketAddress(literal: host, port: 143))
    }

    @Test(
        "the first and last address of a block are in it, their neighbours are not",
        arguments: [
            ("192.0.2.0/24", ["192.0.2.0", "192.0.2.255", "::ffff:192.0.2.9"], ["192.0.1.255", "192.0.3.0"]),
            ("192.0.2.7", ["192.0.2.7", "::ffff:192.0.2.7"], ["192.0.2.6", "192.0.2.8", "::c000:207"]),
            ("192.0.2.128/25", ["192.0.2.128", "192.0.2.255"], ["192.0.2.127"]),
            ("192.0.2.4/31", ["192.0.2.4", "192.0.2.5"], ["192.0.2.3", "192.0.2.6"]),
            ("0.0.0.0/0", ["0.0.0.0", "255.255.255.255", "::ffff:1.2.3.4"], ["::", "::1", "2001:db8::1"]),
            ("::ffff:192.0.2.0/120", ["192.0.2.0", "192.0.2.255", "::ffff:192.0.2.1"], ["192.0.3.0"]),
            ("::/0", ["::1", "2001:db8::1", "ffff::"], ["192.0.2.1", "::ffff:192.0.2.1"]),
            (
                "2001:db8::/32", ["2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"],
                ["2001:db7:ffff::", "2001:db9::"]
            ),
            ("2001:db8::1/128", ["2001:db8::1"], ["2001:db8::", "2001:db8::2"]),
            ("2001:db8::/33", ["2001:db8:7fff::"], ["2001:db8:8000::"]),
        ] as [(String, [String], [String])])
    func bounds(_ text: String, _ inside: [String], _ outside: [String]) throws {
        let (block, hasLowBits) = try #require(AddressBlock.parse(text))
        #expect(!hasLowBits)
        for host in inside { #expect(block.contains(try address(host)), "\(host)") }
        for host in outside { #expect(!block.contains(try address(host)), "\(host)") }
        #expect(!block.contains(.unix("/run/x")))
    }

    @Test(arguments: [
        ("192.0.2.1/24", "192.0.2.0/24"), ("2001:db8::1/64", "2001:db8::/64"), ("1.2.3.4/0", "0.0.0.0/0"),
        ("::1/127", "::/127"),
    ])
    func `bits behind the prefix are noticed and mean nothing`(_ text: String, _ meaning: String) throws {
        let (block, hasLowBits) = try #require(AddressBlock.parse(text))
        #expect(hasLowBits)
        #expect(block.description == meaning)
        #expect(block == AddressBlock.parse(meaning)?.block)
    }

    @Test(arguments: [
        "", "/", "192.0.2.0/33", "192.0.2.0/", "192.0.2.0/-1", "192.0.2.0/+8", "192.0.2.0/8/8", "192.0.2.0/0008",
        "192.0.2/24", "2001:db8::/129", "[::1]/128", "host.example", "host.example/24", "192.0.2.0/24 ", "unix:",
        "192.0.2.1\0",
    ])
    func `what is no block`(_ text: String) {
        #expect(AddressBlock.parse(text) == nil)
    }

    @Test func `a set has blocks and perhaps all unix sockets`() throws {
        var set = AddressSet()
        #expect(set.isEmpty)
        #expect(!set.contains(.unix("")))
        set.includesUnix = true
        #expect(set.contains(.unix("")))
        #expect(set.contains(.unix("/x")))
        #expect(!set.contains(try address("192.0.2.1")))
        for host in ["192.0.2.1", "::1"] { set.blocks.append(try #require(AddressBlock(try address(host)))) }
        for host in ["::ffff:192.0.2.1", "::1"] { #expect(set.contains(try address(host))) }
        #expect(!set.contains(try address("192.0.2.2")))
        #expect(!set.isEmpty)
        #expect(AddressBlock(.unix("/x")) == nil)
    }

    @Test(arguments: [
        ("192.0.2.1", "::ffff:192.0.2.1", true), ("192.0.2.1", "192.0.2.1", true), ("192.0.2.1", "192.0.2.2", false),
        ("::1", "::1", true), ("::1", "0.0.0.1", false),
    ])
    func `hosts are compared without ports, mapped IPv4 as IPv4`(_ one: String, _ other: String, _ isSame: Bool) throws
    {
        let first = try address(one)
        let second = try address(other).withPort(9)
        #expect(first.isSameHost(as: second) == isSame)
        #expect(!first.isSameHost(as: .unix("/x")))
    }
}
