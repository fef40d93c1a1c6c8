/// What can be the name of a host, or of a group of back-ends.
package enum HostName {
    /// Letters, digits, hyphens, underscores and dots, 253 bytes at most (RFC 1035 §2.3.4). The last label is not
    /// all digits, for that would be a slip in an address, which resolvers read in strange ways.
    package static func isValid(_ name: some Collection<UInt8>) -> Bool {
        guard (1...253).contains(name.count) else { return false }
        var isAtLabel = true
        var isNumber = true
        for byte in name {
            if byte == UInt8(ascii: ".") {
                isAtLabel = true
                continue
            }
            guard byte.isLetter || byte.isDigit || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
            else { return false }
            if isAtLabel { isNumber = true }
            isAtLabel = false
            if !byte.isDigit { isNumber = false }
        }
        return !isNumber
    }
}
