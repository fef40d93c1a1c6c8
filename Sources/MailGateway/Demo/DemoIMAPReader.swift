import AsyncIO
import MailSessions

/// Cuts a client's input into IMAP commands of any verb, literals included (RFC 3501 §9).
///
/// The front-end's framer knows only what comes before the login, and refuses all else; here every
/// command of the selected state has to be read, with lists and sections.
struct DemoIMAPReader {
    /// What was found.
    enum Event {
        case command(DemoIMAPCommand)
        /// The client waits to be told to send a literal.
        case continuation
        /// A line outside of commands, for `readLine`.
        case line([UInt8])
        case malformed(tag: [UInt8]?)
        /// What follows cannot be understood.
        case tooLong
    }

    /// The longest command, in bytes, literals included.
    static let commandMaximum = 64 * 1024

    private var lines = LineFramer(bareLineFeed: .accept)
    private var tokens: [DemoIMAPToken] = []
    private var taken = 0
    /// The length of the literal being awaited.
    private var literal: Int?

    /// The next event, nil until there is one.
    /// - Parameter readsLine: the next line is an answer (SASL, DONE) and no command.
    mutating func next(from input: inout ByteQueue, readsLine: Bool) -> Event? {
        while true {
            if let literal {
                guard input.count >= literal else { return nil }
                tokens.append(.string(input.take(literal)))
                self.literal = nil
            }
            switch lines.next(in: input, maximum: DemoIMAPReader.commandMaximum - taken) {
            case nil: return nil
            case .tooLong: return .tooLong
            case .malformed(_, let length):
                input.consume(length)
                return malformed()
            case .line(let content, let length):
                let line = input.take(length).prefix(content)
                if readsLine { return .line(Array(line)) }
                taken += length
                if let event = take(line) { return event }
            }
        }
    }

    /// Reads one stretch of a command; nil where a non-synchronising literal follows.
    private mutating func take(_ line: ArraySlice<UInt8>) -> Event? {
        var scanner = DemoIMAPScanner(line)
        while let token = scanner.next() { tokens.append(token) }
        guard !scanner.isMalformed else { return malformed() }
        guard let announced = scanner.literal else {
            defer { restart() }
            guard let command = DemoIMAPCommand(tokens) else { return malformed() }
            return .command(command)
        }
        guard announced.count <= DemoIMAPReader.commandMaximum - taken else {
            return announced.isSynchronizing ? malformed() : .tooLong
        }
        literal = announced.count
        taken += announced.count
        return announced.isSynchronizing ? .continuation : nil
    }

    private mutating func malformed() -> Event {
        defer { restart() }
        guard case .atom(let tag) = tokens.first else { return .malformed(tag: nil) }
        return .malformed(tag: tag)
    }

    private mutating func restart() {
        tokens = []
        taken = 0
    }
}

/// A piece of a command.
enum DemoIMAPToken: Equatable {
    /// As written, a section in brackets included.
    case atom([UInt8])
    /// A quoted string or a literal.
    case string([UInt8])
    case open, close
}

/// Cuts one line into tokens.
private struct DemoIMAPScanner {
    private var rest: ArraySlice<UInt8>
    private(set) var isMalformed = false
    /// The literal that the line announces at its end.
    private(set) var literal: (count: Int, isSynchronizing: Bool)?

    init(_ line: ArraySlice<UInt8>) { rest = line }

    mutating func next() -> DemoIMAPToken? {
        rest = rest.drop { $0 == ASCII.space }
        switch rest.first {
        case nil: return nil
        case ASCII.openParenthesis:
            rest.removeFirst()
            return .open
        case ASCII.closeParenthesis:
            rest.removeFirst()
            return .close
        case ASCII.quote: return quoted()
        case ASCII.openBrace:
            announce()
            return nil
        default: return .atom(atom())
        }
    }

    private mutating func quoted() -> DemoIMAPToken? {
        var value: [UInt8] = []
        rest.removeFirst()
        while let byte = rest.popFirst() {
            if byte == ASCII.quote { return .string(value) }
            guard let next = byte == ASCII.backslash ? rest.popFirst() : byte else { break }
            value.append(next)
        }
        isMalformed = true
        return nil
    }

    private mutating func announce() {
        var digits = rest.dropFirst().dropLast()
        let isSynchronizing = digits.last != ASCII.plus
        if !isSynchronizing { digits.removeLast() }
        if rest.last == ASCII.closeBrace, (1...9).contains(digits.count), digits.allSatisfy(\.isDigit),
            let count = Int(String(decoding: digits, as: UTF8.self))
        {
            literal = (count, isSynchronizing)
        } else {
            isMalformed = true
        }
        rest = []
    }

    /// Up to a space or parenthesis, those in brackets not counted: `BODY[HEADER.FIELDS (TO)]`.
    private mutating func atom() -> [UInt8] {
        var value: [UInt8] = []
        var isInBrackets = false
        while let byte = rest.first {
            if byte == UInt8(ascii: "[") { isInBrackets = true }
            if byte == UInt8(ascii: "]") { isInBrackets = false }
            let ends = [ASCII.space, ASCII.openParenthesis, ASCII.closeParenthesis].contains(byte)
            if ends && !isInBrackets { break }
            value.append(rest.removeFirst())
        }
        return value
    }
}

/// A command, its arguments taken off one by one.
struct DemoIMAPCommand {
    let tag: [UInt8]
    /// In capitals; `UID FETCH` and its like are one verb.
    let verb: String
    private var arguments: ArraySlice<DemoIMAPToken>

    /// Nil without a tag and a verb.
    init?(_ tokens: [DemoIMAPToken]) {
        var rest = tokens[...]
        guard case .atom(let tag) = rest.popFirst(), case .atom(let verb) = rest.popFirst() else { return nil }
        var name = verb.asciiUppercased
        if name == "UID", case .atom(let second) = rest.first {
            name += " \(second.asciiUppercased)"
            rest.removeFirst()
        }
        self.tag = tag
        self.verb = name
        arguments = rest
    }

    var isComplete: Bool { arguments.isEmpty }

    /// Takes an atom or a string.
    mutating func string() -> [UInt8]? {
        switch arguments.popFirst() {
        case .atom(let value), .string(let value): value
        default: nil
        }
    }

    /// Takes one atom, or a list of them.
    mutating func list() -> [[UInt8]]? {
        guard arguments.first == .open else { return string().map { [$0] } }
        arguments.removeFirst()
        var values: [[UInt8]] = []
        while let token = arguments.popFirst() {
            switch token {
            case .atom(let value), .string(let value): values.append(value)
            case .close: return values
            case .open: return nil
            }
        }
        return nil
    }

    /// Takes a set of messages.
    mutating func messages() -> DemoIMAPSet? { string().flatMap(DemoIMAPSet.init) }
}

/// A set of sequence numbers or UIDs, such as `1,3:5,7:*`.
struct DemoIMAPSet {
    private let ranges: [ClosedRange<UInt32>]

    /// Nil for what is no set; `*` stands for the largest number, whatever it is.
    init?(_ text: [UInt8]) {
        var ranges: [ClosedRange<UInt32>] = []
        for part in text.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false) {
            let ends = part.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false).map { end in
                end.elementsEqual("*".utf8) ? UInt32.max : UInt32(String(decoding: end, as: UTF8.self)) ?? 0
            }
            guard (1...2).contains(ends.count), let low = ends.min(), let high = ends.max(), low > 0 else { return nil }
            ranges.append(low...high)
        }
        self.ranges = ranges
    }

    /// Whether `number` is in the set, the largest being `largest`.
    func contains(_ number: UInt32, largest: UInt32) -> Bool {
        ranges.contains { range in
            range.contains(number) || (range.upperBound == .max && number == largest)
        }
    }
}
