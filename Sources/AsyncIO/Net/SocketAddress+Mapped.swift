extension SocketAddress {
    /// The host as IPv6, IPv4 mapped (RFC 4291 §2.5.5.2); nil for unix sockets.
    package var asIPv6: IPv6Address? {
        switch self {
        case .ipv6(let host, _): return host
        case .unix: return nil
        case .ipv4(let host, _):
            var bytes = SIMD16<UInt8>(repeating: 0)
            bytes[10] = 0xFF
            bytes[11] = 0xFF
            for index in 0..<4 { bytes[12 + index] = host.bytes[index] }
            return IPv6Address(bytes)
        }
    }

    /// Whether both name one host, whatever the ports; IPv4 mapped into IPv6 is that IPv4 address.
    package func isSameHost(as other: SocketAddress) -> Bool {
        guard let ours = asIPv6, let theirs = other.asIPv6 else { return false }
        return ours == theirs
    }
}

extension IPv6Address {
    /// The IPv4 address mapped into this one, or nil.
    package var mappedIPv4: IPv4Address? {
        for index in 0..<12 where bytes[index] != (index < 10 ? 0 : 0xFF) { return nil }
        return IPv4Address(bytes[12], bytes[13], bytes[14], bytes[15])
    }
}
