import AsyncIO
import MailSessions
import Testing

@Suite("LineFramer")
struct LineFramerTests {
    /// Bytes and the frames in them: `L` a line, `M` a malformed one, `T` too long.
    struct Row: Sendable, CustomTestStringConvertible {
        let text: String
        let frames: [String]
        let policy: BareLineFeedPolicy
        let reason: String

        init(_ text: String, _ frames: [String], _ reason: String, policy: BareLineFeedPolicy = .accept) {
            self.text = text
            self.frames = frames
            self.policy = policy
            self.reason = reason
        }

        var testDescription: String { reason }
    }

    @Test(
        "frames do not depend on cuts",
        arguments: [
            Row("", [], "nothing"),
            Row("NOOP", [], "no end yet"),
            Row("NOOP\r", [], "half an end"),
            Row("NOOP\r\n", ["L NOOP"], "a line"),
            Row("\r\n\n", ["L ", "L "], "empty lines"),
            Row("a\r\nb\nc\r\n", ["L a", "L b", "L c"], "a bare LF accepted"),
            Row("a\r\nb\nc\r\n", ["L a", "M b", "L c"], "a bare LF refused", policy: .refuse),
            Row("\n", ["M "], "an empty line by bare LF refused", policy: .refuse),
            Row("a\rb\r\nc\r\n", ["M a\rb", "L c"], "a bare CR"),
            Row("a\r\r\nc\r\n", ["M a\r", "L c"], "two CR"),
            Row("a\0b\r\nc\r\n", ["M a\0b", "L c"], "NUL"),
            Row("12345678\r\n", ["L 12345678"], "exactly the maximum"),
            Row("123456789\r\n", ["T"], "one past"),
            Row("123456789\n", ["L 123456789"], "exactly the maximum, by bare LF"),
            Row("1234567890\n", ["T"], "one past, by bare LF"),
            Row("1234567890", ["T"], "no end within the maximum"),
            Row("a\r\n1234567890", ["L a", "T"], "a line in front of one too long"),
        ])
    func frames(_ row: Row) {
        let bytes = Array(row.text.utf8)
        #expect(frames(of: [bytes], row.policy) == row.frames)
        #expect(frames(of: bytes.map { [$0] }, row.policy) == row.frames)
        for cut in 0...bytes.count {
            #expect(frames(of: [Array(bytes[..<cut]), Array(bytes[cut...])], row.policy) == row.frames)
        }
    }

    private func frames(of pieces: [[UInt8]], _ policy: BareLineFeedPolicy) -> [String] {
        var framer = LineFramer(bareLineFeed: policy)
        var input = ByteQueue()
        var frames: [String] = []
        for piece in pieces {
            input.append(contentsOf: piece)
            reading: while let frame = framer.next(in: input, maximum: 10) {
                switch frame {
                case .line(let content, let length):
                    frames.append("L " + String(decoding: input[0..<content], as: UTF8.self))
                    input.consume(length)
                case .malformed(let content, let length):
                    frames.append("M " + String(decoding: input[0..<content], as: UTF8.self))
                    input.consume(length)
                case .tooLong:
                    return frames + ["T"]
                }
            }
        }
        return frames
    }

    @Test("a command line's verb, arguments and the text behind the verb")
    func commandLine() {
        let text = "rcPt  TO:<a@b>   X=1  "
        let command = CommandLine(ByteQueue(text.utf8), length: text.utf8.count)
        #expect(command.verb == "RCPT")
        #expect(command.arguments.map(\.bytes) == [Array("TO:<a@b>".utf8), Array("X=1".utf8)])
        #expect(command.remainder.bytes == Array("TO:<a@b>   X=1  ".utf8))
        #expect(command.text.bytes == Array("rcPt  TO:<a@b>   X=1".utf8))
    }

    @Test("lines without a verb", arguments: ["", " NOOP", "4TH", "-", "NO\u{e4}P x"])
    func noVerb(_ text: String) {
        #expect(CommandLine(ByteQueue(text.utf8), length: text.utf8.count).verb.isEmpty)
    }
}
