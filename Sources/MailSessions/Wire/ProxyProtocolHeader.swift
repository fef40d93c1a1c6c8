import AsyncIO

/// The header that tells a back-end where its client came from (the PROXY protocol, versions 1 and 2).
package enum ProxyProtocolHeader {
    /// How a header of version 2 begins: no line of any text protocol.
    static let signature: [UInt8] = [0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A]

    /// The bytes to send before anything else.
    /// - Parameter client: its address is the source, the address it connected to the destination.
    @inline(never)
    package static func bytes(_ version: ProxyProtocolVersion, for client: ClientFacts) -> [UInt8] {
        let addresses = Addresses(client.address, client.localAddress)
        return switch version {
        case .v1: text(addresses)
        case .v2: binary(addresses, tls: client.tls)
        }
    }

    /// Both addresses in one family: a mixed pair as IPv6, mapped IPv4 as itself.
    private enum Addresses {
        case ipv4(IPv4Address, UInt16, IPv4Address, UInt16)
        case ipv6(IPv6Address, UInt16, IPv6Address, UInt16)
        case unknown

        init(_ source: SocketAddress, _ destination: SocketAddress) {
            guard let from = source.asIPv6, let to = destination.asIPv6 else {
                self = .unknown
                return
            }
            if let from = from.mappedIPv4, let to = to.mappedIPv4 {
                self = .ipv4(from, source.port, to, destination.port)
            } else {
                self = .ipv6(from, source.port, to, destination.port)
            }
        }
    }

    private static func text(_ addresses: Addresses) -> [UInt8] {
        switch addresses {
        case .ipv4(let from, let port, let to, let toPort):
            Array("PROXY TCP4 \(from) \(to) \(port) \(toPort)\r\n".utf8)
        case .ipv6(let from, let port, let to, let toPort):
            Array("PROXY TCP6 \(from) \(to) \(port) \(toPort)\r\n".utf8)
        case .unknown: Array("PROXY UNKNOWN\r\n".utf8)
        }
    }

    private static func binary(_ addresses: Addresses, tls: ClientTLS?) -> [UInt8] {
        var body: [UInt8] = []
        let commandAndFamily: [UInt8]
        switch addresses {
        case .ipv4(let from, let port, let to, let toPort):
            commandAndFamily = [0x21, 0x11]
            for part in [from, to] { for index in 0..<4 { body.append(part.bytes[index]) } }
            body += bigEndian(port) + bigEndian(toPort)
        case .ipv6(let from, let port, let to, let toPort):
            commandAndFamily = [0x21, 0x21]
            for part in [from, to] { for index in 0..<16 { body.append(part.bytes[index]) } }
            body += bigEndian(port) + bigEndian(toPort)
        case .unknown:
            commandAndFamily = [0x20, 0x00]
        }
        if let tls { body += fields(of: tls) }
        let checksumField = field(0x03, [0, 0, 0, 0])
        let length = UInt16(truncatingIfNeeded: body.count + checksumField.count)
        var header = signature + commandAndFamily + bigEndian(length) + body + checksumField
        // The checksum covers the whole header, itself counted as zeros.
        header.replaceSubrange(header.count - 4..<header.count, with: bigEndian(crc32c(header)))
        return header
    }

    private static func fields(of tls: ClientTLS) -> [UInt8] {
        var fields: [UInt8] = []
        if let name = tls.serverName { fields += field(0x02, Array(name.utf8)) }
        if let name = tls.applicationProtocol { fields += field(0x01, Array(name.utf8)) }
        var flags: UInt8 = 0x01
        if let certificate = tls.certificate { flags |= certificate.isFromThisConnection ? 0x06 : 0x04 }
        var value = [flags] + bigEndian(tls.verificationCode) + field(0x21, Array(tls.version.utf8))
        if let name = tls.certificate?.commonName { value += field(0x22, Array(name.utf8)) }
        value += field(0x23, Array(tls.cipher.utf8))
        if let name = tls.signatureAlgorithm { value += field(0x24, Array(name.utf8)) }
        if let name = tls.keyAlgorithm { value += field(0x25, Array(name.utf8)) }
        return fields + field(0x20, value)
    }

    /// A type, a length and a value. Names from TLS are at most 255 bytes, a common name 64
    /// (RFC 5280); what is longer is cut, so that the header's own length never overflows.
    private static func field(_ type: UInt8, _ value: [UInt8]) -> [UInt8] {
        let value = value.prefix(1024)
        return [type] + bigEndian(UInt16(value.count)) + value
    }

    private static func bigEndian(_ value: some FixedWidthInteger) -> [UInt8] {
        stride(from: value.bitWidth - 8, through: 0, by: -8).map { UInt8(truncatingIfNeeded: value >> $0) }
    }

    /// CRC-32C (RFC 3385), bit by bit: some hundred bytes once per session.
    static func crc32c(_ bytes: [UInt8]) -> UInt32 {
        var crc = UInt32.max
        for byte in bytes {
            crc ^= UInt32(byte)
            for _ in 0..<8 { crc = crc & 1 == 1 ? (crc >> 1) ^ 0x82F6_3B78 : crc >> 1 }
        }
        return ~crc
    }
}
