import AsyncIO
import Testing

@Suite struct SocketAddressTests {
    @Test(
        "text forms, there and back",
        arguments: [
            ("192.0.2.1:143", "192.0.2.1", 143), ("0.0.0.0:0", "0.0.0.0", 0), ("[2001:db8::1]:993", "2001:db8::1", 993),
            ("[::]:65535", "::", 65535), ("[::ffff:192.0.2.1]:25", "::ffff:192.0.2.1", 25),
            ("unix:/run/auth", "unix:", 0),
        ] as [(String, String, UInt16)])
    func forms(_ text: String, _ host: String, _ port: UInt16) throws {
        let address = try #require(SocketAddress(text))
        #expect(address.description == text)
        #expect(address.hostText == host)
        #expect(address.port == port)
    }

    @Test func textIsWrittenInOneForm() {
        #expect(SocketAddress("[2001:DB8:0:0:0:0:0:1]:25")?.description == "[2001:db8::1]:25")
    }

    @Test(
        "what is no address",
        arguments: [
            "", ":", "192.0.2.1", "192.0.2.1:", "192.0.2.1:65536", "192.0.2.1:-1", "192.0.2:1", "192.0.2.01:25",
            "256.0.0.1:25", "::1:25", "[::1]", "[::1:25", "[192.0.2.1]:25", "[fe80::1%eth0]:25", "localhost:25",
            "unix:",
            "unix:" + String(repeating: "x", count: 108),
        ])
    func noAddress(_ text: String) {
        #expect(SocketAddress(text) == nil)
    }

    @Test func unixPathsHaveAMaximum() {
        #expect(SocketAddress("unix:" + String(repeating: "x", count: SocketAddress.unixPathMaximum)) != nil)
    }

    @Test func literals() {
        #expect(SocketAddress(literal: "::1", port: 25) == .ipv6(.loopback, port: 25))
        #expect(SocketAddress(literal: "127.0.0.1", port: 25) == .ipv4(.loopback, port: 25))
        #expect(SocketAddress(literal: "[::1]", port: 25) == nil)
        #expect(SocketAddress(literal: "example.com", port: 25) == nil)
    }

    @Test func portsAreReplaced() {
        #expect(SocketAddress.ipv4(.any, port: 1).withPort(2) == .ipv4(.any, port: 2))
        #expect(SocketAddress.ipv6(.any, port: 1).withPort(2) == .ipv6(.any, port: 2))
        #expect(SocketAddress.unix("/x").withPort(2) == .unix("/x"))
    }
}
