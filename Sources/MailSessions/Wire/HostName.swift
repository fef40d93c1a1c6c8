/// What can be the name of a host, or of a group of back-ends.
package enum HostName {
    /// Letters, digits, hyphens, underscores and dots, 253 bytes at most (RFC 1035 §2.3.4). The last label is not
    /// all digits, for that would be a slip in an address, which resolvers read in strange ways.
    package static func isValid(_ name: some Collection<UInt8>) -> Bool {
        guard (1...253).contains(name.count),
            name.allSatisfy({ $0.isLetter || $0.isDigit || "-_.".utf8.contains($0) })
        else { return false }
        return name.split(separator: UInt8(ascii: ".")).last.map { !$0.allSatisfy(\.isDigit) } ?? false
    }
}
