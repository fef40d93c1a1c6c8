/// What is asked of the DNS: a name, and the kind of record.
package struct DNSQuestion: Sendable, Hashable {
    /// Kinds of records by their numbers (RFC 1035 §3.2.2, RFC 3596).
    package enum Kind: UInt16, Sendable, Hashable {
        case ipv4 = 1
        case pointer = 12
        case ipv6 = 28
    }

    /// In lower case, without a dot at its end.
    package let name: String
    package let kind: Kind

    /// A question about `name`, whose case does not matter.
    package init(_ name: String, _ kind: Kind) {
        let name = name.hasSuffix(".") ? name.dropLast() : name[...]
        self.name = name.lowercased()
        self.kind = kind
    }

    /// The question for the name of a host (RFC 1035 §3.5, RFC 3596 §2.5); nil for unix sockets.
    package init?(nameOf address: SocketAddress) {
        guard let host = address.asIPv6 else { return nil }
        if let host = host.mappedIPv4 {
            let bytes = host.bytes
            self.init("\(bytes[3]).\(bytes[2]).\(bytes[1]).\(bytes[0]).in-addr.arpa", .pointer)
        } else {
            let digits = (0..<16).reversed().flatMap { index in
                [host.bytes[index] & 15, host.bytes[index] >> 4].map { String($0, radix: 16) }
            }
            self.init(digits.joined(separator: ".") + ".ip6.arpa", .pointer)
        }
    }
}

/// What the DNS says.
package struct DNSAnswer: Sendable, Hashable {
    /// With port 0, in the order of the answer.
    package var addresses: [SocketAddress] = []
    /// Names that an address points to, their labels joined by dots; any bytes may be in them.
    package var names: [[UInt8]] = []
    /// How long it may be kept: the shortest time of the records used.
    package var lifetime = Duration.zero

    package init() {}
}
