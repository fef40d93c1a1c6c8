/// A range of addresses with a common prefix, as configurations write it: `192.0.2.0/24`, `2001:db8::/32`.
///
/// IPv4 mapped into IPv6 is IPv4, in blocks as in the addresses asked about: a listener that takes both
/// families sees the same client by either name. So `::/0` is every IPv6 address and no IPv4 one.
package struct AddressBlock: Sendable, Hashable {
    /// All bits behind the prefix are zero; an IPv4 block is the mapped one.
    private let network: IPv6Address
    /// In bits of the mapped form: 96 more than written for IPv4.
    private let prefixLength: UInt8

    /// The block of one address; nil for unix sockets, which are in no block.
    package init?(_ address: SocketAddress) {
        guard let host = address.asIPv6 else { return nil }
        self.init(host, prefixLength: 128)
    }

    private init(_ host: IPv6Address, prefixLength: Int) {
        network = IPv6Address(host.bytes & AddressBlock.mask(prefixLength))
        self.prefixLength = UInt8(prefixLength)
    }

    /// Reads an address, or an address, `/` and the length of the prefix in decimal digits; nil for anything else.
    ///
    /// `hasLowBits`: bits behind the prefix were set and mean nothing.
    package static func parse(_ text: String) -> (block: AddressBlock, hasLowBits: Bool)? {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        // A NUL would end the text early for the parser behind `literal`.
        guard let first = parts.first, !text.utf8.contains(0),
            let address = SocketAddress(literal: String(first), port: 0),
            let host = address.asIPv6
        else { return nil }
        var length = 128
        if parts.count == 2 {
            let digits = parts[1]
            guard (1...3).contains(digits.utf8.count),
                digits.utf8.allSatisfy({ $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }), let number = Int(digits)
            else { return nil }
            // The mapped form of IPv4 has 96 bits before the address.
            if case .ipv4 = address { length = 96 + number } else { length = number }
        }
        guard length <= 128 else { return nil }
        let block = AddressBlock(host, prefixLength: length)
        return (block, block.network != host)
    }

    /// Whether `address` is in the block; never for unix sockets.
    package func contains(_ address: SocketAddress) -> Bool {
        guard let host = address.asIPv6, (host.mappedIPv4 != nil) == isIPv4 else { return false }
        return host.bytes & AddressBlock.mask(Int(prefixLength)) == network.bytes
    }

    private var isIPv4: Bool { prefixLength >= 96 && network.mappedIPv4 != nil }

    private static func mask(_ length: Int) -> SIMD16<UInt8> {
        var mask = SIMD16<UInt8>(repeating: 0)
        for index in 0..<16 {
            let bits = min(8, max(0, length - 8 * index))
            mask[index] = bits == 0 ? 0 : UInt8.max << UInt8(8 - bits)
        }
        return mask
    }
}

extension AddressBlock: CustomStringConvertible {
    /// As written, with the bits behind the prefix zero: `192.0.2.0/24`.
    package var description: String {
        if isIPv4, let address = network.mappedIPv4 { return "\(address)/\(prefixLength - 96)" }
        return "\(network)/\(prefixLength)"
    }
}

/// Addresses that have something in common, such as being trusted: blocks, and perhaps all unix sockets.
package struct AddressSet: Sendable, Hashable {
    package var blocks: [AddressBlock] = []
    package var includesUnix = false

    package init() {}

    package var isEmpty: Bool { blocks.isEmpty && !includesUnix }

    /// Whether `address` is in one of the blocks, or is a unix socket and those are included.
    package func contains(_ address: SocketAddress) -> Bool {
        if case .unix = address { return includesUnix }
        return blocks.contains { $0.contains(address) }
    }
}
