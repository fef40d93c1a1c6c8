import AsyncIO

/// A command of POP3 or SMTP: a verb and arguments divided by spaces, from one line.
///
/// Every part that may be a password is a `Secret` from the beginning. What arguments a verb takes is
/// the front-end's business; a verb it does not know is answered by it as well.
package struct CommandLine: Sendable {
    /// In capitals; empty where the line does not begin with a letter.
    package let verb: String
    /// The whole line, spaces at its end included.
    private let line: Secret
    /// Where the words behind the verb are.
    private var words: [Range<Int>] = []
    private let verbEnd: Int

    /// Reads the first `length` bytes of `input`, a line without its end.
    package init(_ input: ByteQueue, length: Int) {
        line = input.secret(in: 0..<length)
        // A line that begins with a space has an empty verb, which nobody knows.
        verbEnd = CommandLine.endOfWord(in: input, from: 0, length)
        verb = unsafe input.withBytes(in: 0..<verbEnd) { word in
            unsafe word.allSatisfy(\.isLetter) ? word.asciiUppercased : ""
        }
        // As many as most commands have.
        words.reserveCapacity(2)
        var offset = verbEnd
        while true {
            while offset < length, input[offset] == ASCII.space { offset += 1 }
            guard offset < length else { break }
            let end = CommandLine.endOfWord(in: input, from: offset, length)
            words.append(offset..<end)
            offset = end
        }
    }

    private static func endOfWord(in input: ByteQueue, from offset: Int, _ length: Int) -> Int {
        input.firstIndex(of: ASCII.space, from: offset, to: length) ?? length
    }

    /// How many words stand behind the verb.
    package var argumentCount: Int { words.count }

    /// The words behind the verb.
    package var arguments: [Secret] { words.map { line.part($0) } }

    /// Everything behind the verb and the spaces after it, further spaces included.
    package var remainder: Secret { line.part((words.first?.lowerBound ?? line.count)..<line.count) }

    /// The whole line without spaces at its end.
    package var text: Secret { line.part(0..<(words.last?.upperBound ?? verbEnd)) }
}
