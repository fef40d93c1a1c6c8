import AsyncIO

/// Base64 as RFC 4648 §4 writes it, and nothing else.
///
/// Strict on purpose: nothing follows the padding, it is whole or, as some clients have it, missing, and
/// the unused bits of the last character are zero, so that one text has one meaning for us and for
/// whoever decodes it next (nginx-mail.md §4.1, §13 row 25).
package enum Base64 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    private static let padding = UInt8(ascii: "=")

    /// `bytes` encoded, with padding.
    package static func encode(_ bytes: some Collection<UInt8>) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity((bytes.count + 2) / 3 * 4)
        var bits: UInt32 = 0
        var held = 0
        for byte in bytes {
            bits = bits << 8 | UInt32(byte)
            held += 8
            while held >= 6 {
                held -= 6
                result.append(alphabet[Int(bits >> UInt32(held) & 63)])
            }
        }
        if held > 0 { result.append(alphabet[Int(bits << UInt32(6 - held) & 63)]) }
        while result.count % 4 != 0 { result.append(padding) }
        return result
    }

    /// What `text` stands for, or nil if it is not exactly base64. The caller wipes secrets.
    package static func decode(_ text: some RandomAccessCollection<UInt8>) -> [UInt8]? {
        let padded = text.suffix(2).count { $0 == padding }
        guard padded == 0 ? text.count % 4 != 1 : text.count % 4 == 0 else { return nil }
        var result: [UInt8] = []
        // Grown once, so that no half of a secret stays behind in memory given back.
        result.reserveCapacity((text.count + 3) / 4 * 3)
        var bits: UInt32 = 0
        var held = 0
        for byte in text.dropLast(padded) {
            guard let value = value(of: byte) else {
                wipe(&result)
                return nil
            }
            bits = bits << 6 | value
            held += 6
            if held >= 8 {
                held -= 8
                result.append(UInt8(truncatingIfNeeded: bits >> UInt32(held)))
            }
        }
        guard bits & (1 << UInt32(held) - 1) == 0 else {
            wipe(&result)
            return nil
        }
        return result
    }

    private static func value(of byte: UInt8) -> UInt32? {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): UInt32(byte - UInt8(ascii: "A"))
        case UInt8(ascii: "a")...UInt8(ascii: "z"): UInt32(byte - UInt8(ascii: "a") + 26)
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(byte - UInt8(ascii: "0") + 52)
        case UInt8(ascii: "+"): 62
        case UInt8(ascii: "/"): 63
        default: nil
        }
    }
}
