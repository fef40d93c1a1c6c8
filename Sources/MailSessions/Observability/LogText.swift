/// Bytes from outside as text that cannot forge or break a log line (nginx-mail.md §13 row 22).
package enum LogText {
    /// The longest excerpt, in bytes of the original.
    package static let excerptMaximum = 256

    /// In double quotes; control bytes, quotes, backslashes and what is not UTF-8 as `\xNN`; bounded.
    package static func quoted(_ bytes: [UInt8]) -> String {
        let excerpt = bytes.prefix(excerptMaximum)
        let isText = String(validating: excerpt, as: UTF8.self) != nil
        var text: [UInt8] = [UInt8(ascii: "\"")]
        for byte in excerpt {
            let isPlain = byte >= 0x20 && byte != 0x7F && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\")
            if isPlain && (isText || byte < 0x80) {
                text.append(byte)
            } else {
                text += "\\x".utf8
                text += [byte >> 4, byte & 15].map { $0 < 10 ? UInt8(ascii: "0") + $0 : UInt8(ascii: "A") + $0 - 10 }
            }
        }
        text.append(UInt8(ascii: "\""))
        return String(decoding: text, as: UTF8.self) + (bytes.count > excerptMaximum ? "..." : "")
    }

    /// The same for what is a string already.
    package static func quoted(_ text: String) -> String { quoted(Array(text.utf8)) }
}
