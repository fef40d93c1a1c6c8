import AsyncIO

/// The bytes that the mail protocols' grammars name.
package enum ASCII {
    package static let nul: UInt8 = 0
    package static let lf: UInt8 = 10
    package static let cr: UInt8 = 13
    package static let space: UInt8 = 32
    package static let quote = UInt8(ascii: "\"")
    package static let backslash = UInt8(ascii: "\\")
    package static let openBrace = UInt8(ascii: "{")
    package static let closeBrace = UInt8(ascii: "}")
    package static let openParenthesis = UInt8(ascii: "(")
    package static let closeParenthesis = UInt8(ascii: ")")
    package static let plus = UInt8(ascii: "+")
}

extension UInt8 {
    /// 0–9.
    package var isDigit: Bool { self >= UInt8(ascii: "0") && self <= UInt8(ascii: "9") }

    /// A–Z and a–z.
    package var isLetter: Bool { (self | 0x20) >= UInt8(ascii: "a") && (self | 0x20) <= UInt8(ascii: "z") }

    /// 0–9, A–F and a–f.
    package var isHexDigit: Bool {
        isDigit || (self | 0x20) >= UInt8(ascii: "a") && (self | 0x20) <= UInt8(ascii: "f")
    }

    /// 00–1F and 7F: never part of a name, and never shown raw to anybody.
    package var isControl: Bool { self < 32 || self == 127 }
}

extension Collection<UInt8> {
    /// The text with a–z made A–Z: how verbs and mechanisms, which know no case, are looked up.
    package var asciiUppercased: String {
        String(decoding: map { $0.isLetter ? $0 & 0xDF : $0 }, as: UTF8.self)
    }

    /// The same with each control byte replaced by a space, fit to stand in one line of a reply.
    package var withoutControls: [UInt8] { map { $0.isControl ? ASCII.space : $0 } }
}

extension [UInt8] {
    /// `text` in UTF-8 with CRLF behind it.
    package static func line(_ text: String) -> [UInt8] { line(text.utf8) }

    /// `text` with CRLF behind it.
    package static func line(_ text: some Sequence<UInt8>) -> [UInt8] { Array(text) + [ASCII.cr, ASCII.lf] }
}

extension ByteQueue {
    /// What is readable in `range` as a secret; the copy made on the way is wiped.
    package func secret(in range: Range<Int>) -> Secret {
        var copy = self[range]
        defer { wipe(&copy) }
        return Secret(copy)
    }
}
