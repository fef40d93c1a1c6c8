import AsyncIO
import TestSupport
import Testing

@testable import MailSessions

@Suite struct ProxyProtocolHeaderTests {
    private func client(_ source: String, _ destination: String) throws -> ClientFacts {
        ClientFacts(
            address: try #require(SocketAddress(source)), localAddress: try #require(SocketAddress(destination)))
    }

    private static let signature: [UInt8] = [13, 10, 13, 10, 0, 13, 10, 0x51, 0x55, 0x49, 0x54, 10]

    @Test(arguments: [
        ("192.0.2.7:40000", "198.51.100.1:143", "PROXY TCP4 192.0.2.7 198.51.100.1 40000 143\r\n"),
        ("[2001:db8::1]:5", "[2001:db8::2]:993", "PROXY TCP6 2001:db8::1 2001:db8::2 5 993\r\n"),
        ("192.0.2.7:1", "[2001:db8::2]:2", "PROXY TCP6 ::ffff:192.0.2.7 2001:db8::2 1 2\r\n"),
        ("[::ffff:192.0.2.7]:1", "[::ffff:192.0.2.8]:2", "PROXY TCP4 192.0.2.7 192.0.2.8 1 2\r\n"),
        ("unix:/run/a", "192.0.2.1:25", "PROXY UNKNOWN\r\n"), ("192.0.2.1:25", "unix:/run/a", "PROXY UNKNOWN\r\n"),
    ])
    func `version 1`(source: String, destination: String, header: String) throws {
        #expect(ProxyProtocolHeader.bytes(.v1, for: try client(source, destination)) == Array(header.utf8))
    }

    @Test func `CRC-32C of the check string`() {
        #expect(ProxyProtocolHeader.crc32c(Array("123456789".utf8)) == 0xE306_9283)
    }

    @Test func `version 2 of IPv4 ends with a checksum over itself`() throws {
        var header = ProxyProtocolHeader.bytes(.v2, for: try client("192.0.2.7:258", "198.51.100.1:143"))
        let addresses: [UInt8] = [192, 0, 2, 7, 198, 51, 100, 1, 1, 2, 0, 143]
        #expect(header.starts(with: Self.signature + [0x21, 0x11, 0, 19]))
        #expect(header[16..<31].elementsEqual(addresses + [0x03, 0, 4]))
        let checksum = header.suffix(4).reduce(0) { $0 << 8 | UInt32($1) }
        header.replaceSubrange(31..., with: [0, 0, 0, 0])
        #expect(checksum == ProxyProtocolHeader.crc32c(header))
    }

    @Test func `version 2 of IPv6 and of unix sockets`() throws {
        let header = ProxyProtocolHeader.bytes(.v2, for: try client("[2001:db8::1]:1", "192.0.2.9:2"))
        #expect(header.starts(with: Self.signature + [0x21, 0x21, 0, 43, 0x20, 0x01]))
        let mapped = [UInt8](repeating: 0, count: 10) + [0xFF, 0xFF, 192, 0, 2, 9]
        #expect(header[32..<48].elementsEqual(mapped))
        let local = ProxyProtocolHeader.bytes(.v2, for: try client("unix:/a", "192.0.2.9:2"))
        #expect(local.starts(with: Self.signature + [0x20, 0x00, 0, 7, 0x03, 0, 4]))
        #expect(local.count == 23)
    }

    @Test func `version 2 tells of TLS`() throws {
        var facts = try client("192.0.2.7:258", "198.51.100.1:143")
        var tls = ClientTLS(version: "TLSv1.3", cipher: "C")
        tls.serverName = "sni"
        tls.applicationProtocol = "imap"
        tls.verificationCode = 0
        tls.certificate = ClientCertificate(subject: "CN=x", issuer: "CN=y", serial: "1", fingerprint: "2")
        tls.certificate?.commonName = "x"
        facts.tls = tls
        let header = ProxyProtocolHeader.bytes(.v2, for: facts)
        let inner: [UInt8] = [0x07, 0, 0, 0, 0, 0x21, 0, 7] + "TLSv1.3".utf8 + [0x22, 0, 1, 0x78, 0x23, 0, 1, 0x43]
        var fields: [UInt8] = [0x02, 0, 3] + "sni".utf8
        fields += [0x01, 0, 4] + "imap".utf8
        fields += [0x20, 0, UInt8(inner.count)] + inner
        #expect(header[28...].dropLast(7).elementsEqual(fields))
    }
    @Test func `version 2 tells how our certificate is signed, and its key`() throws {
        var facts = try client("192.0.2.7:258", "198.51.100.1:143")
        var tls = ClientTLS(version: "V", cipher: "C")
        tls.signatureAlgorithm = "SHA256"
        tls.keyAlgorithm = "EC256"
        facts.tls = tls
        let header = ProxyProtocolHeader.bytes(.v2, for: facts)
        // Without a certificate of the client's, 1 stands for its verification.
        let version: [UInt8] = [0x01, 0, 0, 0, 1, 0x21, 0, 1, 0x56]
        let inner: [UInt8] = version + [0x23, 0, 1, 0x43, 0x24, 0, 6] + "SHA256".utf8 + [0x25, 0, 5] + "EC256".utf8
        #expect(header[28...].dropLast(7).elementsEqual([0x20, 0, UInt8(inner.count)] + inner))
    }

    @Test func `fields that are too long are cut, and the header holds its length`() throws {
        var facts = try client("192.0.2.7:258", "198.51.100.1:143")
        var tls = ClientTLS(version: "V", cipher: String(repeating: "c", count: 5000))
        tls.serverName = String(repeating: "s", count: 1025)
        facts.tls = tls
        let header = ProxyProtocolHeader.bytes(.v2, for: facts)
        #expect(header.count == 16 + (Int(header[14]) << 8 | Int(header[15])))
        #expect(header[28..<31].elementsEqual([0x02, 4, 0]))
    }
}
