import MailSessions
import Testing

@Suite("Base64")
struct Base64Tests {
    /// A text and what it stands for; nil where it is none.
    struct Row: Sendable, CustomTestStringConvertible {
        let text: String
        let bytes: [UInt8]?
        let reason: String

        init(_ text: String, _ bytes: [UInt8]?, _ reason: String) {
            self.text = text
            self.bytes = bytes
            self.reason = reason
        }

        var testDescription: String { reason }
    }

    @Test(
        "decoding",
        arguments: [
            Row("", [], "nothing"),
            Row("Zg==", Array("f".utf8), "one byte"),
            Row("Zm8=", Array("fo".utf8), "two bytes"),
            Row("Zm9v", Array("foo".utf8), "three bytes"),
            Row("Zm9vYmFy", Array("foobar".utf8), "six bytes"),
            Row("AAAA", [0, 0, 0], "zeros"),
            Row("+/+/", [0xFB, 0xFF, 0xBF], "the last two of the alphabet"),
            Row("/w==", [0xFF], "all bits of one byte"),
            Row("Zg", Array("f".utf8), "padding missing, one byte"),
            Row("Zm8", Array("fo".utf8), "padding missing, two bytes"),
            Row("Zm9vZ", nil, "B5: a character too many"),
            Row("Zh", nil, "padding missing, and unused bits that are set"),
            Row("Zg=", nil, "B5: padding incomplete"),
            Row("Zg===", nil, "B5: padding beyond"),
            Row("Zg==Zg==", nil, "B5: bytes behind the padding"),
            Row("Z===", nil, "three of padding"),
            Row("====", nil, "only padding"),
            Row("=", nil, "the empty initial response is not base64"),
            Row("*", nil, "the cancelling mark is not base64"),
            Row("Zh==", nil, "unused bits that are set"),
            Row("Zm9=", nil, "unused bits that are set, two bytes"),
            Row("Zm9\u{e4}", nil, "8-bit"),
            Row("Zm 9", nil, "a space"),
            Row("Zm-_", nil, "the alphabet for URLs"),
            Row("Z=9v", nil, "padding inside"),
        ])
    func decoding(_ row: Row) {
        #expect(Base64.decode(Array(row.text.utf8)) == row.bytes)
    }

    @Test("encoding is what decoding reads, at every length")
    func roundTrip() {
        for length in 0..<70 {
            let bytes = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ length) }
            let text = Base64.encode(bytes)
            #expect(text.count == (length + 2) / 3 * 4)
            #expect(Base64.decode(text) == bytes)
        }
    }
}
