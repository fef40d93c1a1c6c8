/// Bytes from outside as text that cannot forge or break a log line (nginx-mail.md §13 row 22).
package enum LogText {
    /// The longest excerpt, in bytes of the original.
    package static let excerptMaximum = 256

    /// In double quotes; control bytes, quotes, backslashes and what is not UTF-8 as `\xNN`; bounded.
    package static func quoted(_ bytes: [UInt8]) -> String {
        let excerpt = bytes.prefix(excerptMaximum)
        var text: [UInt8] = []
        text.reserveCapacity(excerpt.count + 2)
        text.append(UInt8(ascii: "\""))
        if excerpt.allSatisfy({ $0 < 0x80 && isPlain($0) }) {
            text += excerpt
        } else {
            appendEscaped(excerpt, to: &text)
        }
        text.append(UInt8(ascii: "\""))
        return String(decoding: text, as: UTF8.self) + (bytes.count > excerptMaximum ? "..." : "")
    }

    /// The same for what is a string already.
    package static func quoted(_ text: String) -> String { quoted(Array(text.utf8)) }

    private static func appendEscaped(_ excerpt: ArraySlice<UInt8>, to text: inout [UInt8]) {
        let isText = String(validating: excerpt, as: UTF8.self) != nil
        for byte in excerpt {
            if isPlain(byte) && (isText || byte < 0x80) {
                text.append(byte)
            } else {
                text += "\\x".utf8
                text.appendHexadecimal(byte)
            }
        }
    }

    /// Neither a control byte nor one that means something within quotes.
    private static func isPlain(_ byte: UInt8) -> Bool {
        byte >= 0x20 && byte != 0x7F && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\")
    }
}
