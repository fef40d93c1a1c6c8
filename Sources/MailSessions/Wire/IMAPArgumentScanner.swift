import AsyncIO

/// Reads the arguments in one stretch of an IMAP command line, up to the line's end or the literal
/// that it announces (RFC 3501 §4.3, §9; RFC 7888).
///
/// Atoms are taken as they come, since clients send unquoted passwords; only what could be taken for
/// a literal by another server is refused. `ID` carries a list, whose strings are checked for form
/// and dropped. Its lists may nest, which RFC 2971 does not know and clients do; a count is all that a
/// flood of parentheses leaves behind.
struct IMAPArgumentScanner: Sendable {
    /// How a stretch ends.
    enum End: Equatable {
        case line
        case literal(Int, isSynchronizing: Bool)
        case malformed
    }

    /// How much of `ID`'s argument was seen (RFC 2971 §3.1): `NIL`, or one list.
    private enum List: Equatable {
        case missing
        /// In so many lists.
        case open(depth: Int)
        case complete
    }

    /// Most arguments of a command (nginx-mail.md §3.3).
    static let argumentsMaximum = 3
    /// A literal's length has at most as many digits; more would not fit in any buffer.
    private static let literalDigitsMaximum = 9

    private let expectsList: Bool
    private var list = List.missing
    private var followsLiteral = false
    private(set) var arguments: [Secret] = []

    /// A scanner for the arguments of `verb`.
    init(verb: IMAPCommand.Verb) {
        expectsList = verb == .id
    }

    /// Whether the command may end here.
    var isComplete: Bool { !expectsList || list == .complete }

    /// Adds the literal announced by the last stretch.
    mutating func append(literal: Secret) {
        followsLiteral = true
        if !expectsList { arguments.append(literal) }
    }

    /// Reads the bytes of `input` in `range`.
    mutating func scan(_ input: ByteQueue, _ range: Range<Int>) -> End {
        var offset = range.lowerBound
        // Behind a literal comes a space, the end, or the end of the list.
        if followsLiteral, offset < range.upperBound, input[offset] != ASCII.space,
            !(expectsList && input[offset] == ASCII.closeParenthesis)
        {
            return .malformed
        }
        followsLiteral = false
        while offset < range.upperBound {
            guard input[offset] != ASCII.space else {
                offset += 1
                continue
            }
            if expectsList, scanParenthesis(input[offset]) {
                offset += 1
                continue
            }
            guard arguments.count < IMAPArgumentScanner.argumentsMaximum, admitsString(input, offset..<range.upperBound)
            else { return .malformed }
            if input[offset] == ASCII.openBrace { return literal(input, offset..<range.upperBound) }
            let scanned =
                input[offset] == ASCII.quote
                ? quoted(input, offset..<range.upperBound) : atom(input, offset..<range.upperBound)
            guard let end = scanned else { return .malformed }
            offset = end
        }
        return isComplete ? .line : .malformed
    }

    /// Takes a parenthesis that may stand here; another is left to fail as a string.
    private mutating func scanParenthesis(_ byte: UInt8) -> Bool {
        switch (byte, list) {
        case (ASCII.openParenthesis, .missing): list = .open(depth: 1)
        case (ASCII.openParenthesis, .open(let depth)): list = .open(depth: depth + 1)
        case (ASCII.closeParenthesis, .open(let depth)): list = depth == 1 ? .complete : .open(depth: depth - 1)
        default: return false
        }
        return true
    }

    /// Whether a string may begin here; outside of a list `ID` takes only `NIL`.
    private mutating func admitsString(_ input: ByteQueue, _ range: Range<Int>) -> Bool {
        guard expectsList else { return true }
        switch list {
        case .open: return true
        case .complete: return false
        case .missing:
            let word = input[range].prefix { $0 != ASCII.space }
            guard word.count == 3, word.asciiUppercased == "NIL" else { return false }
            list = .complete
            return true
        }
    }

    /// `{n}` or `{n+}` at the end of the line; n without leading zeros, since servers differ on them.
    private func literal(_ input: ByteQueue, _ range: Range<Int>) -> End {
        let last = range.upperBound - 1
        guard range.count >= 3, input[last] == ASCII.closeBrace else { return .malformed }
        let isSynchronizing = input[last - 1] != ASCII.plus
        let digits = range.lowerBound + 1..<(isSynchronizing ? last : last - 1)
        let zero = UInt8(ascii: "0")
        guard !digits.isEmpty, digits.count <= IMAPArgumentScanner.literalDigitsMaximum,
            digits.allSatisfy({ input[$0].isDigit }), digits.count == 1 || input[digits.lowerBound] != zero
        else { return .malformed }
        let count = digits.reduce(0) { $0 * 10 + Int(input[$1] - zero) }
        return .literal(count, isSynchronizing: isSynchronizing)
    }

    /// A string in quotes, `\` taking the byte behind it as it is; nil if it does not end.
    private mutating func quoted(_ input: ByteQueue, _ range: Range<Int>) -> Int? {
        var value: [UInt8] = []
        defer { wipe(&value) }
        value.reserveCapacity(range.count)
        var offset = range.lowerBound + 1
        while offset < range.upperBound {
            switch input[offset] {
            case ASCII.quote:
                if !expectsList { arguments.append(Secret(value)) }
                return offset + 1
            case ASCII.backslash:
                guard offset + 1 < range.upperBound else { return nil }
                value.append(input[offset + 1])
                offset += 2
            case let byte:
                value.append(byte)
                offset += 1
            }
        }
        return nil
    }

    /// Everything up to a space; nil if it ends the line like a literal.
    private mutating func atom(_ input: ByteQueue, _ range: Range<Int>) -> Int? {
        var end = range.lowerBound
        var hasOpenBrace = false
        while end < range.upperBound, input[end] != ASCII.space,
            !(expectsList && input[end] == ASCII.closeParenthesis)
        {
            if input[end] == ASCII.openBrace { hasOpenBrace = true }
            end += 1
        }
        guard !(hasOpenBrace && end == range.upperBound && input[end - 1] == ASCII.closeBrace) else { return nil }
        if !expectsList { arguments.append(input.secret(in: range.lowerBound..<end)) }
        return end
    }
}
