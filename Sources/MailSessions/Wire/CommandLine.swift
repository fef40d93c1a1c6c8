import AsyncIO

/// A command of POP3 or SMTP: a verb and arguments divided by spaces, from one line.
///
/// Every part that may be a password is a `Secret` from the beginning. What arguments a verb takes is
/// the front-end's business; a verb it does not know is answered by it as well.
package struct CommandLine: Sendable {
    /// In capitals; empty where the line does not begin with a letter.
    package let verb: String
    /// The words behind the verb.
    package let arguments: [Secret]
    /// Everything behind the verb and the spaces after it, further spaces included.
    package let remainder: Secret
    /// The whole line without spaces at its end.
    package let text: Secret

    /// Reads the first `length` bytes of `input`, a line without its end.
    package init(_ input: ByteQueue, length: Int) {
        var words: [Range<Int>] = []
        var offset = 0
        while offset < length {
            let start = offset
            while offset < length, input[offset] != ASCII.space { offset += 1 }
            // A line that begins with a space has an empty verb, which nobody knows.
            if offset > start || words.isEmpty { words.append(start..<offset) }
            while offset < length, input[offset] == ASCII.space { offset += 1 }
        }
        let verbRange = words.first ?? 0..<0
        let isWord = verbRange.allSatisfy { input[$0].isLetter }
        verb = isWord ? input[verbRange].asciiUppercased : ""
        arguments = words.dropFirst().map { input.secret(in: $0) }
        var remainderStart = verbRange.upperBound
        while remainderStart < length, input[remainderStart] == ASCII.space { remainderStart += 1 }
        remainder = input.secret(in: remainderStart..<length)
        text = input.secret(in: 0..<(words.last?.upperBound ?? 0))
    }
}
