import AsyncIO

/// Cuts a client's input into IMAP commands, literals included (RFC 3501 §4.3, RFC 7888).
///
/// ```
///   command ──line ends in {n} or {n+}──▶ literal ──n bytes──▶ rest
///    ▲  line ends otherwise                  ▲                  │ line ends in {n} or {n+}
///    │                                       └──────────────────┤
///    └── the command, or a rejection ◀──────────────────────────┘ line ends otherwise
/// ```
/// Each stretch is consumed, and thereby wiped, once it is read. A rejected line that announces a
/// synchronizing literal stays in step, for its client waits; behind a rejected `{n+}` the bytes are
/// on their way and would run as commands, so there the session has to end.
package struct IMAPCommandFramer: Sendable {
    /// What was found.
    package enum Event: Sendable {
        case command(IMAPCommand)
        /// The client waits to be told to send a literal of this command, of which the beginning is
        /// known; or to be refused, for which see `abandon()`.
        case continuation(IMAPCommand)
        /// Not a command. `tag` is nil where none could be read; with `endsSession` what follows
        /// cannot be understood.
        case rejected(tag: [UInt8]?, endsSession: Bool)
        /// Over the maximum, which ends the session.
        case tooLong(tag: [UInt8]?, excerpt: [UInt8])
        /// An HTTP request, which ends the session.
        case foreign(excerpt: [UInt8])

        /// Tag and verb for tracing; stars stand for arguments, which may be credentials.
        var traced: [UInt8] {
            switch self {
            case .command(let command):
                Event.head(of: command) + Array((command.arguments.isEmpty ? "" : " ***").utf8)
            case .continuation(let command): Event.head(of: command) + Array(" {...}".utf8)
            case .rejected(let tag, _): (tag ?? [UInt8(ascii: "*")]) + Array(" (no command)".utf8)
            case .tooLong(_, let excerpt), .foreign(let excerpt): excerpt
            }
        }

        private static func head(of command: IMAPCommand) -> [UInt8] {
            command.tag + [ASCII.space] + Array(command.verb.rawValue.utf8)
        }
    }

    /// A command of which more is to come.
    private struct Partial: Sendable {
        var command: IMAPCommand
        var scanner: IMAPArgumentScanner
        /// Bytes of it that were consumed.
        var length: Int
        /// A literal held a NUL (RFC 3501 §9, CHAR8): refused once the whole command is out of the way.
        var isBroken = false
    }

    private enum State: Sendable {
        case command
        case literal(Partial, length: Int)
        case rest(Partial)
    }

    private let maximum: Int
    private var lines: LineFramer
    private var state = State.command

    /// - Parameter maximum: of one command in bytes, literals and line ends included.
    package init(maximum: Int, bareLineFeed: BareLineFeedPolicy) {
        self.maximum = maximum
        lines = LineFramer(bareLineFeed: bareLineFeed)
    }

    /// The next event in `input`, consuming what it was made of; nil until there is one.
    package mutating func next(from input: inout ByteQueue) -> Event? {
        while true {
            switch state {
            case .command:
                guard let frame = lines.next(in: input, maximum: maximum) else { return nil }
                if let event = begin(frame, &input) { return event }
            case .literal(var partial, let length):
                guard input.count >= length else { return nil }
                let literal = input.secret(in: 0..<length)
                input.consume(length)
                partial.length += length
                if literal.contains(where: { $0 == ASCII.nul }) { partial.isBroken = true }
                partial.scanner.append(literal: literal)
                state = .rest(partial)
            case .rest(let partial):
                guard let frame = lines.next(in: input, maximum: maximum - partial.length) else { return nil }
                if let event = proceed(partial, frame, &input) { return event }
            }
        }
    }

    /// Forgets the command whose literal the client was not asked to send; its next line is a new one.
    package mutating func abandon() {
        guard case .literal = state else {
            preconditionFailure("only a command that waits for its literal is abandoned")
        }
        state = .command
    }

    /// Reads the first line of a command; nil if a literal follows at once.
    private mutating func begin(_ frame: LineFramer.Frame, _ input: inout ByteQueue) -> Event? {
        if let content = frame.content, let method = HTTPRequestLine.method(in: input, length: content) {
            return .foreign(excerpt: method)
        }
        switch frame {
        case .tooLong:
            let tag = IMAPCommand.tag(in: input, length: maximum)
            return .tooLong(tag: tag, excerpt: FrontEndNote.excerpt(of: input, length: maximum))
        case .malformed(let content, let length):
            let tag = IMAPCommand.tag(in: input, length: content)
            return reject(tag: tag, content, length, &input)
        case .line(let content, let length):
            guard let tag = IMAPCommand.tag(in: input, length: content) else {
                return reject(tag: nil, content, length, &input)
            }
            var start = tag.count
            while start < content, input[start] == ASCII.space { start += 1 }
            var end = start
            while end < content, input[end] != ASCII.space { end += 1 }
            guard let verb = IMAPCommand.Verb(rawValue: input[start..<end].asciiUppercased) else {
                return reject(tag: tag, content, length, &input)
            }
            let partial = Partial(
                command: IMAPCommand(tag: tag, verb: verb), scanner: IMAPArgumentScanner(verb: verb), length: 0)
            return scan(partial, end..<content, length, &input)
        }
    }

    /// Reads what follows a literal; nil if another literal follows at once.
    private mutating func proceed(_ partial: Partial, _ frame: LineFramer.Frame, _ input: inout ByteQueue) -> Event? {
        switch frame {
        case .tooLong: return tooLong(partial)
        case .malformed(let content, let length): return reject(tag: partial.command.tag, content, length, &input)
        case .line(let content, let length): return scan(partial, 0..<content, length, &input)
        }
    }

    /// Reads the arguments in one line, whose end says how the command goes on; nil if at once.
    private mutating func scan(
        _ partial: Partial, _ range: Range<Int>, _ length: Int, _ input: inout ByteQueue
    ) -> Event? {
        var partial = partial
        let end = partial.scanner.scan(input, range)
        partial.length += length
        switch end {
        case .line where !partial.isBroken:
            input.consume(length)
            state = .command
            partial.command.arguments = partial.scanner.arguments
            return .command(partial.command)
        case .line, .malformed:
            return reject(tag: partial.command.tag, range.upperBound, length, &input)
        case .literal(let count, let isSynchronizing):
            // The literal and at least a line end behind it.
            let fits = count <= maximum - partial.length - 2
            if !fits && !isSynchronizing { return tooLong(partial) }
            if !fits { return reject(tag: partial.command.tag, range.upperBound, length, &input) }
            input.consume(length)
            state = .literal(partial, length: count)
            return isSynchronizing ? .continuation(partial.command) : nil
        }
    }

    private mutating func reject(
        tag: [UInt8]?, _ content: Int, _ length: Int, _ input: inout ByteQueue
    ) -> Event {
        var end = content
        while end > 0, input[end - 1] == ASCII.cr { end -= 1 }
        let announces = end >= 2 && input[(end - 2)..<end] == [ASCII.plus, ASCII.closeBrace]
        input.consume(length)
        state = .command
        return .rejected(tag: tag, endsSession: announces)
    }

    private func tooLong(_ partial: Partial) -> Event {
        let excerpt = partial.command.tag + [ASCII.space] + Array(partial.command.verb.rawValue.utf8)
        return .tooLong(tag: partial.command.tag, excerpt: excerpt)
    }
}
