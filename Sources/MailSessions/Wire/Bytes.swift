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
        // Safety: as many bytes are initialised as there are. Up to fifteen need no memory of their own.
        unsafe String(unsafeUninitializedCapacity: count) { text in
            var count = 0
            for byte in self {
                unsafe text.initializeElement(at: count, to: byte.isLetter ? byte & 0xDF : byte)
                count += 1
            }
            return count
        }
    }

    /// Whether the text begins with `prefix`, written in capitals; the text may use small letters.
    package func begins(with prefix: StaticString) -> Bool {
        var index = startIndex
        return prefix.withUTF8Buffer { prefix in
            for offset in 0..<prefix.count {
                guard index < endIndex else { return false }
                let (byte, expected) = unsafe (self[index], prefix[offset])
                guard byte == expected || byte.isLetter && byte & 0xDF == expected else { return false }
                formIndex(after: &index)
            }
            return true
        }
    }

    /// Whether the text is `word`, written in capitals; the text may use small letters.
    package func equals(_ word: StaticString) -> Bool { count == word.utf8CodeUnitCount && begins(with: word) }

    /// Whether the text is `word`, where capitals and small letters are told apart.
    package func isExactly(_ word: StaticString) -> Bool {
        count == word.utf8CodeUnitCount && word.withUTF8Buffer { unsafe elementsEqual($0) }
    }

    /// The same with each control byte replaced by a space, fit to stand in one line of a reply.
    package var withoutControls: [UInt8] { map { $0.isControl ? ASCII.space : $0 } }
}

/// A text that knows no case, to be compared with words in capitals by a `switch`.
struct CaselessText<Text: Collection<UInt8>> {
    private let text: Text

    init(_ text: Text) { self.text = text }

    static func ~= (word: StaticString, text: Self) -> Bool { text.text.equals(word) }
}

extension [UInt8] {
    /// `text` in UTF-8 with CRLF behind it.
    package static func line(_ text: String) -> [UInt8] { line(text.utf8) }

    /// `text` with CRLF behind it.
    package static func line(_ text: some Collection<UInt8>) -> [UInt8] { line("", text) }

    /// `verb`, `text` and CRLF.
    package static func line(_ verb: StaticString, _ text: some Collection<UInt8>) -> [UInt8] {
        var line: [UInt8] = []
        line.reserveCapacity(verb.utf8CodeUnitCount + text.count + 2)
        line.append(verb)
        line.append(contentsOf: text)
        line.endLine()
        return line
    }

    /// Appends a text of the program's own.
    mutating func append(_ text: StaticString) {
        text.withUTF8Buffer { unsafe append(contentsOf: $0) }
    }

    /// Appends a number that is not negative in decimal digits.
    mutating func append(decimal number: Int) {
        if number > 9 { append(decimal: number / 10) }
        append(UInt8(ascii: "0") + UInt8(number % 10))
    }

    /// Appends CRLF.
    mutating func endLine() {
        append(ASCII.cr)
        append(ASCII.lf)
    }
}
