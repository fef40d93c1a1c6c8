import AsyncIO

/// Splits a text into statements by the rules of nginx (nginx-mail.md §1.1).
///
/// | at the start of a word | meaning |
/// |---|---|
/// | space, TAB, CR, LF | separates words |
/// | `#` | comment to the end of the line |
/// | `;` `{` | end a statement, which must have a word |
/// | `}` | ends a block, where a statement could begin |
/// | `"` `'` | a word up to the same quote |
/// | anything else | a word up to white space, `;` or `{` |
///
/// Two deviations: nginx refuses a comment longer than its read buffer, which is an accident of
/// that buffer; comments here have any length. And words are UTF-8.
struct Lexer {
    /// One thing read.
    enum Item: Sendable, Hashable {
        /// Words ended by `;`.
        case statement(Statement)
        /// Words ended by `{`.
        case block(Statement)
        /// `}`.
        case blockEnd
        /// The text is over.
        case end
    }

    /// A word, as written, is shorter than nginx's read buffer of 4096 bytes.
    static let wordMaximum = 4095

    private var bytes: [UInt8]
    /// nil for the text of `-g`, which has no lines.
    private let path: String?
    private var index = 0
    private var line = 1

    /// A lexer of a file's text.
    init(_ bytes: [UInt8], path: String) {
        self.bytes = bytes
        self.path = path
    }

    /// A lexer of the directives given on the command line.
    init(commandLine text: String) {
        bytes = Array(text.utf8)
        path = nil
    }

    /// Overwrites the text, which may hold what services are told in secret; nothing is read afterwards.
    mutating func forget() {
        wipe(&bytes)
        index = 0
    }

    /// Whether this is the text of `-g`, where blocks are not allowed.
    var isCommandLine: Bool { path == nil }

    /// What has been read so far ends here.
    var position: Position { position(line: line) }

    private func position(line: Int) -> Position {
        guard let path else { return .commandLine }
        return .file(path, line: line)
    }

    /// The next item; after `.end` always `.end`.
    mutating func next() throws(ConfigurationError) -> Item {
        var words: [String] = []
        while let byte = nextOfInterest() {
            switch byte {
            case UInt8(ascii: ";"), UInt8(ascii: "{"):
                index += 1
                guard let name = words.first else { throw unexpected(byte) }
                let statement = Statement(name: name, arguments: Array(words.dropFirst()), position: position)
                return byte == UInt8(ascii: ";") ? .statement(statement) : .block(statement)
            case UInt8(ascii: "}"):
                index += 1
                guard words.isEmpty else { throw unexpected(byte) }
                return .blockEnd
            case UInt8(ascii: "\""), UInt8(ascii: "'"):
                words.append(try quotedWord(byte))
            default:
                words.append(try bareWord())
            }
        }
        guard words.isEmpty else { throw endInsideStatement }
        return .end
    }

    /// Skips white space and comments; the byte behind them stays unread.
    private mutating func nextOfInterest() -> UInt8? {
        var isComment = false
        while index < bytes.count {
            let byte = bytes[index]
            if byte == lineFeed {
                line += 1
                isComment = false
            } else if !isComment {
                if byte == UInt8(ascii: "#") {
                    isComment = true
                } else if !isWhiteSpace(byte) {
                    return byte
                }
            }
            index += 1
        }
        return nil
    }

    /// A word that begins with its quote; what may follow it is checked here.
    private mutating func quotedWord(_ quote: UInt8) throws(ConfigurationError) -> String {
        index += 1
        let start = index
        let startLine = line
        while index < bytes.count {
            guard index - start <= Lexer.wordMaximum else {
                throw ConfigurationError(
                    "too long parameter, probably missing terminating \"\(character(quote))\" character",
                    at: position(line: startLine), accepted: Lexer.wordHint)
            }
            let byte = bytes[index]
            if byte == quote {
                let word = try text(start..<index, from: startLine)
                index += 1
                try checkBehindQuote()
                return word
            }
            step(over: byte)
        }
        throw endInsideStatement
    }

    /// White space, `;`, `{` and `)` may follow a closing quote; there is no joining of words.
    private func checkBehindQuote() throws(ConfigurationError) {
        guard index < bytes.count else { throw endInsideStatement }
        let byte = bytes[index]
        guard isWhiteSpace(byte) || ";{)".utf8.contains(byte) else { throw unexpected(byte) }
    }

    private mutating func bareWord() throws(ConfigurationError) -> String {
        let start = index
        let startLine = line
        var followsDollar = false
        while index < bytes.count {
            guard index - start <= Lexer.wordMaximum else {
                let beginning = escaped(String(decoding: unescaped(start..<start + 10), as: UTF8.self))
                throw ConfigurationError(
                    "too long parameter \"\(beginning)...\" started",
                    at: position(line: startLine), accepted: Lexer.wordHint)
            }
            let byte = bytes[index]
            if byte == UInt8(ascii: "{"), followsDollar {
                index += 1
                continue
            }
            if isWhiteSpace(byte) || byte == UInt8(ascii: ";") || byte == UInt8(ascii: "{") {
                return try text(start..<index, from: startLine)
            }
            followsDollar = byte == UInt8(ascii: "$")
            step(over: byte)
        }
        throw endInsideStatement
    }

    /// Passes one byte, or a backslash and the byte it protects.
    private mutating func step(over byte: UInt8) {
        if byte == lineFeed { line += 1 }
        index += 1
        guard byte == UInt8(ascii: "\\"), index < bytes.count else { return }
        if bytes[index] == lineFeed { line += 1 }
        index += 1
    }

    /// The text of the word at `range`, which begins in line `line`.
    ///
    /// Bytes that are no UTF-8 would become another word in silence. The message does not show it: it may be secret.
    private func text(_ range: Range<Int>, from line: Int) throws(ConfigurationError) -> String {
        guard let word = String(validating: unescaped(range), as: UTF8.self) else {
            throw ConfigurationError(
                "parameter is not UTF-8", at: position(line: line),
                accepted: "The file must be written in UTF-8; only comments may hold other bytes.")
        }
        return word
    }

    /// The bytes with `\"`, `\'`, `\\`, `\t`, `\r` and `\n` replaced; any other backslash stays.
    private func unescaped(_ range: Range<Int>) -> [UInt8] {
        guard bytes[range].contains(UInt8(ascii: "\\")) else { return Array(bytes[range]) }
        var word: [UInt8] = []
        word.reserveCapacity(range.count)
        var index = range.lowerBound
        while index < range.upperBound {
            if bytes[index] == UInt8(ascii: "\\"), index + 1 < range.upperBound,
                let byte = Lexer.escapes[bytes[index + 1]]
            {
                word.append(byte)
                index += 2
            } else {
                word.append(bytes[index])
                index += 1
            }
        }
        return word
    }

    private static let escapes: [UInt8: UInt8] = [
        UInt8(ascii: "\""): UInt8(ascii: "\""),
        UInt8(ascii: "'"): UInt8(ascii: "'"),
        UInt8(ascii: "\\"): UInt8(ascii: "\\"),
        UInt8(ascii: "t"): 0x09,
        UInt8(ascii: "r"): 0x0D,
        UInt8(ascii: "n"): 0x0A,
    ]

    private static let wordHint = "A word has at most \(wordMaximum) bytes; is a quote or a \";\" missing?"

    private let lineFeed: UInt8 = 0x0A

    private func isWhiteSpace(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: " ") || byte == 0x09 || byte == 0x0D || byte == lineFeed
    }

    private func character(_ byte: UInt8) -> String { String(decoding: [byte], as: UTF8.self) }

    private func unexpected(_ byte: UInt8) -> ConfigurationError {
        ConfigurationError("unexpected \(quoted(character(byte)))", at: position)
    }

    private var endInsideStatement: ConfigurationError {
        ConfigurationError(
            path == nil
                ? "unexpected end of parameter, expecting \";\"" : "unexpected end of file, expecting \";\" or \"}\"",
            at: position)
    }
}
