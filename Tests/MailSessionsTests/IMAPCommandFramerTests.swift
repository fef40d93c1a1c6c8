import AsyncIO
import MailSessions
import Testing

@Suite("IMAPCommandFramer")
struct IMAPCommandFramerTests {
    /// Bytes and the events in them.
    struct Row: Sendable, CustomTestStringConvertible {
        let text: String
        let events: [String]
        let reason: String

        init(_ text: String, _ events: [String], _ reason: String) {
            self.text = text
            self.events = events
            self.reason = reason
        }

        var testDescription: String { reason }
    }

    @Test(
        "commands do not depend on cuts",
        arguments: [
            Row("a NOOP\r\n", ["a NOOP"], "a plain line"),
            Row("a LOGIN {1}\r\nu {1}\r\np\r\n", ["+", "+", "a LOGIN u p"], "two literals in one command"),
            Row("a LOGIN {1+}\r\nu {1+}\r\np\r\nb NOOP\r\n", ["a LOGIN u p", "b NOOP"], "literals without waiting"),
            Row("a LOGIN {9999}\r\nb NOOP\r\n", ["reject a", "b NOOP"], "over the limit before login"),
            Row("a LOGIN {9999+}\r\nb NOOP\r\n", ["too long a"], "over the limit and on its way"),
            Row("a SELECT {1+}\r\nb NOOP\r\n", ["end a"], "an unknown command with a literal on its way"),
            Row("a LOGIN {0+}\r\n{0+}\r\n", ["end a"], "no space between literals"),
            Row("a LOGIN {0+}\r\n {0+}\r\n\r\n", ["a LOGIN  "], "two empty literals"),
            Row("a LOGIN {2+}\r\n\r\n {2+}\r\n\r\n\r\n", ["a LOGIN \r\n \r\n"], "literals of line ends"),
            Row("a LOGIN \"{1}\" {1+}\r\nx\r\n", ["a LOGIN {1} x"], "what looks like a literal in quotes"),
            Row("a LOGIN \"x {1}\r\nb NOOP\r\n", ["reject a", "b NOOP"], "what looks like a literal in an open quote"),
            Row(
                "a NOOP 1 2 3\r\na NOOP 1 2 3 4\r\n", ["a NOOP 1 2 3", "reject a"], "arguments at the limit, and past"),
            Row("a LOGIN u p\n", ["a LOGIN u p"], "a bare LF"),
            Row("\r\n", ["reject *"], "an empty line"),
            Row("a ID (\"{\" {1+}\r\n( {1+}\r\n))\r\n", ["a ID"], "literals in a list"),
            Row("a ID (NIL x \"y\")\r\nb ID ((\r\n", ["a ID", "reject b"], "lists"),
            Row("a AUTHENTICATE {5+}\r\nPLAIN =\r\n", ["a AUTHENTICATE PLAIN ="], "a mechanism as a literal"),
            Row("GET / HTTP/1.1\r\n", ["foreign"], "an HTTP request"),
            Row("GET / HTTP\r\n", ["reject GET"], "not quite an HTTP request"),
        ])
    func events(_ row: Row) {
        let bytes = Array(row.text.utf8)
        #expect(events(of: [bytes]) == row.events)
        #expect(events(of: bytes.map { [$0] }) == row.events)
        for cut in 0...bytes.count {
            #expect(events(of: [Array(bytes[..<cut]), Array(bytes[cut...])]) == row.events)
        }
    }

    private func events(of pieces: [[UInt8]]) -> [String] {
        var framer = IMAPCommandFramer(maximum: 64, bareLineFeed: .accept)
        var input = ByteQueue()
        var events: [String] = []
        for piece in pieces {
            input.append(contentsOf: piece)
            while let event = framer.next(from: &input) {
                switch event {
                case .command(let command):
                    let words = [command.tag, Array(command.verb.rawValue.utf8)] + command.arguments.map(\.bytes)
                    events.append(words.map { String(decoding: $0, as: UTF8.self) }.joined(separator: " "))
                case .continuation(_): events.append("+")
                case .rejected(let tag, false): events.append("reject \(name(tag))")
                case .rejected(let tag, true): return events + ["end \(name(tag))"]
                case .tooLong(let tag, _): return events + ["too long \(name(tag))"]
                case .foreign: return events + ["foreign"]
                }
            }
        }
        return events
    }

    private func name(_ tag: [UInt8]?) -> String { tag.map { String(decoding: $0, as: UTF8.self) } ?? "*" }
}
