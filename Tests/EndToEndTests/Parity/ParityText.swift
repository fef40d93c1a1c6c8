import Foundation

/// The notation of bytes in the Parity tables.
///
/// ```
/// \r \n \t \0 \\ \xHH    single bytes
/// \p                     a bar, which otherwise separates
/// \{text*N}              text, N times
/// \b{text}               text in base64; escapes are read first
/// ```
enum ParityText {
    /// The bytes that `text` stands for.
    static func bytes(_ text: some StringProtocol) -> [UInt8] {
        var rest = Array(text.utf8)[...]
        var bytes: [UInt8] = []
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "\\"), let escape = rest.popFirst() else {
                bytes.append(byte)
                continue
            }
            switch escape {
            case UInt8(ascii: "r"): bytes.append(13)
            case UInt8(ascii: "n"): bytes.append(10)
            case UInt8(ascii: "t"): bytes.append(9)
            case UInt8(ascii: "0"): bytes.append(0)
            case UInt8(ascii: "p"): bytes.append(UInt8(ascii: "|"))
            case UInt8(ascii: "x"):
                bytes.append(UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) ?? 0)
                rest = rest.dropFirst(2)
            case UInt8(ascii: "{"): bytes += repeated(take(&rest))
            case UInt8(ascii: "b"):
                rest = rest.dropFirst()
                bytes += Data(self.bytes(take(&rest))).base64EncodedString().utf8
            default: bytes.append(escape)
            }
        }
        return bytes
    }

    /// What stands before the closing brace, which is taken as well.
    private static func take(_ rest: inout ArraySlice<UInt8>) -> String {
        let inner = rest.prefix { $0 != UInt8(ascii: "}") }
        rest = rest.dropFirst(inner.count + 1)
        return String(decoding: inner, as: UTF8.self)
    }

    private static func repeated(_ text: String) -> [UInt8] {
        let parts = text.split(separator: "*")
        let count = parts.last.flatMap { Int($0) } ?? 0
        return Array(repeatElement(bytes(parts.first ?? ""), count: count).joined())
    }

    /// Bytes as a reader of a failure wants them: one line, other than printable ASCII escaped.
    static func shown(_ bytes: some Sequence<UInt8>) -> String {
        bytes.map { byte in
            switch byte {
            case 13: "\\r"
            case 10: "\\n"
            case 0x20...0x7E: String(UnicodeScalar(byte))
            default: "\\x" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }.joined()
    }
}
