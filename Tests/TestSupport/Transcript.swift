import AsyncIO

/// A conversation with a dialogue, written down line by line.
///
/// ```
/// S: +OK ready             the dialogue sends this and CRLF     s: the same without CRLF
/// C: USER ann              the peer's bytes and CRLF            c: the same without CRLF
/// ? plain ann -> accept    the dialogue asks; the answer it gets
/// ! tooManyErrors          the dialogue notes something
/// ~ 3s                     it pauses; `~ 3s unless input` where a byte ends the pause
/// startTLS                 it wants the handshake and has forgotten its input
/// = quit                   it finishes
/// L: a NOOP                left unread at the end, with CRLF    l: the same without CRLF
/// # why                    a comment
/// ```
/// Neighbouring peer lines arrive together, so pipelining is written by putting them so. In bytes,
/// `\r \n \t \0 \s \\ \xHH` are escapes (`\s` is a space at the end of a line). A transcript that
/// does not end with `=` expects the dialogue to wait for input at its end.
package struct Transcript: Sendable {
    let exchanges: [Exchange]
    let leftover: Leftover?

    /// Bytes that arrive together, and what they lead to.
    struct Exchange: Sendable {
        var feed: [UInt8] = []
        var expectations: [Expectation] = []
    }

    /// One thing the dialogue has to do, and the line that says so.
    struct Expectation: Sendable {
        var event: Event
        var line: Line
    }

    /// What a dialogue does, in the words of the transcript.
    enum Event: Sendable, Equatable {
        case send([UInt8])
        case question(String, answer: String)
        case note(String)
        case pause(Duration, endsOnInput: Bool)
        case startTLS
        case finish(String)
    }

    /// The input nobody consumed, and the line that says so.
    struct Leftover: Sendable {
        var bytes: [UInt8]
        var line: Line
    }

    /// A line as written, counted from 1.
    struct Line: Sendable, CustomStringConvertible {
        var number: Int
        var text: String
        var description: String { "line \(number) `\(text)`" }
    }

    /// Reads a transcript; throws where a line has no meaning.
    package init(_ text: String) throws(TranscriptFailure) {
        var exchanges = [Exchange()]
        var leftover: Leftover?
        var lineBefore = Substring()
        for (index, raw) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let trimmed = raw.drop { $0 == " " }
            let line = Line(number: index + 1, text: String(trimmed))
            guard !trimmed.isEmpty, !trimmed.hasPrefix("#") else { continue }
            if let fed = try Transcript.bytes(of: line, upper: "C:", lower: "c:") {
                let continues = lineBefore.hasPrefix("C:") || lineBefore.hasPrefix("c:")
                if !continues { exchanges.append(Exchange()) }
                exchanges[exchanges.count - 1].feed += fed
            } else if let bytes = try Transcript.bytes(of: line, upper: "L:", lower: "l:") {
                leftover = Leftover(bytes: (leftover?.bytes ?? []) + bytes, line: line)
            } else {
                let expectation = Expectation(event: try Transcript.event(of: line), line: line)
                exchanges[exchanges.count - 1].expectations.append(expectation)
            }
            lineBefore = trimmed
        }
        self.exchanges = exchanges
        self.leftover = leftover
    }

    /// How many bytes the peer says in all; each of them is a place to cut.
    var feedCount: Int { exchanges.reduce(0) { $0 + $1.feed.count } }

    private static func event(of line: Line) throws(TranscriptFailure) -> Event {
        if let sent = try bytes(of: line, upper: "S:", lower: "s:") { return .send(sent) }
        if line.text == "startTLS" { return .startTLS }
        let rest = String(line.text.dropFirst().drop { $0 == " " })
        switch line.text.first {
        case "?":
            guard let arrow = rest.firstRange(of: " -> ") else {
                throw TranscriptFailure("a question needs ` -> answer`", at: line)
            }
            return .question(String(rest[..<arrow.lowerBound]), answer: String(rest[arrow.upperBound...]))
        case "!": return .note(rest)
        case "=": return .finish(rest)
        case "~":
            let words = rest.split(separator: " ").map(String.init)
            guard let first = words.first, let duration = duration(first) else { break }
            if words.count == 1 { return .pause(duration, endsOnInput: false) }
            if words.dropFirst() == ["unless", "input"] { return .pause(duration, endsOnInput: true) }
        default: break
        }
        throw TranscriptFailure("a line without meaning", at: line)
    }

    private static func duration(_ text: String) -> Duration? {
        if text.hasSuffix("ms") { return Int(text.dropLast(2)).map { .milliseconds($0) } }
        if text.hasSuffix("s") { return Int(text.dropLast()).map { .seconds($0) } }
        return nil
    }

    private static func bytes(
        of line: Line, upper: String, lower: String
    ) throws(TranscriptFailure) -> [UInt8]? {
        guard line.text.hasPrefix(upper) || line.text.hasPrefix(lower) else { return nil }
        let rest = line.text.dropFirst(upper.count)
        let text = try unescape(rest.hasPrefix(" ") ? rest.dropFirst() : rest, at: line)
        return line.text.hasPrefix(upper) ? text + [13, 10] : text
    }

    private static func unescape(_ text: Substring, at line: Line) throws(TranscriptFailure) -> [UInt8] {
        var result: [UInt8] = []
        var rest = ArraySlice(text.utf8)
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "\\") else {
                result.append(byte)
                continue
            }
            switch rest.popFirst() {
            case UInt8(ascii: "r"): result.append(13)
            case UInt8(ascii: "n"): result.append(10)
            case UInt8(ascii: "t"): result.append(9)
            case UInt8(ascii: "0"): result.append(0)
            case UInt8(ascii: "s"): result.append(32)
            case UInt8(ascii: "\\"): result.append(UInt8(ascii: "\\"))
            case UInt8(ascii: "x"):
                guard let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) else {
                    throw TranscriptFailure(#"\x wants two hexadecimal digits"#, at: line)
                }
                result.append(value)
                rest = rest.dropFirst(2)
            default: throw TranscriptFailure("an unknown escape", at: line)
            }
        }
        return result
    }
}

/// Why a dialogue and its transcript disagree.
package struct TranscriptFailure: Error, CustomStringConvertible {
    package let description: String

    init(_ reason: String, at line: Transcript.Line) {
        description = "\(line): \(reason)"
    }

    /// The same disagreement, with the way the bytes were cut.
    init(_ failure: TranscriptFailure, cut: String) {
        description = "\(failure.description) (\(cut))"
    }
}
