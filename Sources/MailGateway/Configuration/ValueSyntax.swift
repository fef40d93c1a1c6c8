/// How the arguments of a directive become a value: the grammar of the value, and its words for people.
struct ValueSyntax<Value: Sendable>: Sendable {
    let arguments: ArgumentCount
    /// The arguments as the manual writes them.
    let text: String
    /// Reads the arguments, whose number is right already. The second parameter is the value so far on
    /// this level, for directives whose values add up.
    let parse: @Sendable (Statement, Value?, inout ParseContext) throws(ConfigurationError) -> Value

    /// A grammar with its count of arguments, its words for people, and its function.
    init(
        _ arguments: ArgumentCount, _ text: String,
        parse: @escaping @Sendable (Statement, Value?, inout ParseContext) throws(ConfigurationError) -> Value
    ) {
        self.arguments = arguments
        self.text = text
        self.parse = parse
    }

    /// A single argument that a function accepts or not; `refusal` is nginx's text for the latter.
    static func single(
        _ text: String, refusal: String = "invalid value", accepted: String,
        _ convert: @escaping @Sendable (String) -> Value?
    ) -> ValueSyntax {
        ValueSyntax(.one, text) { (statement, _, _) throws(ConfigurationError) in
            guard let value = convert(statement.arguments[0]) else {
                throw statement.refusal(refusal, accepted: accepted)
            }
            return value
        }
    }

    /// One of some words, in any case.
    static func choice(_ words: [(word: String, value: Value)]) -> ValueSyntax {
        let names = words.map(\.word)
        return ValueSyntax(.one, names.joined(separator: " | ")) { (statement, _, _) throws(ConfigurationError) in
            let word = statement.arguments[0]
            guard let match = words.first(where: { $0.word == word.lowercased() }) else {
                throw statement.invalidValue(word, accepted: oneOf(names))
            }
            return match.value
        }
    }
}

extension ValueSyntax where Value == Int {
    /// Decimal digits without a sign, within bounds.
    static func number(_ range: ClosedRange<Int>) -> ValueSyntax {
        let bounds =
            range.upperBound == .max ? "from \(range.lowerBound)" : "from \(range.lowerBound) to \(range.upperBound)"
        return single("*number*", refusal: "invalid number", accepted: "It must be a number \(bounds).") {
            decimal($0, in: range)
        }
    }

    /// Bytes, with `k` or `m` for 1024 and 1024² of them, within bounds.
    static func size(_ range: ClosedRange<Int>) -> ValueSyntax {
        single(
            "*size*",
            accepted: "It must be a size such as 4096, 4k or 1m, from \(range.lowerBound) to \(range.upperBound) bytes."
        ) { byteCount($0, in: range) }
    }
}

extension ValueSyntax where Value == Duration {
    /// A time down to milliseconds.
    static var time: ValueSyntax {
        single("*time*", accepted: "It must be a time such as 500ms, 30s, 5m or \"1h 30m\".") {
            duration($0, precision: .milliseconds)
        }
    }
}

extension ValueSyntax where Value == Bool {
    /// `on` or `off`, in any case.
    static var flag: ValueSyntax {
        ValueSyntax(.one, "on | off") { (statement, _, _) throws(ConfigurationError) in
            let word = statement.arguments[0]
            switch word.lowercased() {
            case "on": return true
            case "off": return false
            default:
                throw statement.error(
                    "invalid value \(quoted(word)) in \(quoted(statement.name)) directive, it must be \"on\" or \"off\""
                )
            }
        }
    }
}

extension ValueSyntax where Value == String {
    /// Any text, called `name` in the manual; control characters have no place in any of them.
    static func text(_ name: String) -> ValueSyntax {
        ValueSyntax(.one, "*\(name)*") { (statement, _, _) throws(ConfigurationError) in
            try printable(statement.arguments[0], of: statement)
        }
    }
}

extension ValueSyntax where Value == [String] {
    /// Words, which add up.
    static func words(_ name: String, _ count: ArgumentCount = .oneOrMore) -> ValueSyntax {
        ValueSyntax(count, count.maximum == nil ? "*\(name)* …" : "*\(name)*") {
            (statement, previous, _) throws(ConfigurationError) in
            var words = previous ?? []
            for word in statement.arguments { words.append(try printable(word, of: statement)) }
            return words
        }
    }
}

extension ValueSyntax where Value: OptionSet & Sendable, Value.Element == Value {
    /// Any of some words, in any case; repeating one is only worth a warning.
    static func mask(_ words: [(word: String, value: Value)]) -> ValueSyntax {
        let names = words.map(\.word)
        return ValueSyntax(.oneOrMore, names.joined(separator: " | ") + " …") {
            (statement, previous, context) throws(ConfigurationError) in
            var mask = previous ?? []
            for word in statement.arguments {
                guard let match = words.first(where: { $0.word == word.lowercased() }) else {
                    throw statement.invalidValue(
                        word, accepted: "Each must be one of: \(names.joined(separator: ", ")).")
                }
                if mask.contains(match.value) {
                    context.add(.warn, "duplicate value \(quoted(word))", at: statement.position)
                }
                mask.insert(match.value)
            }
            return mask
        }
    }
}

/// `It must be one of: a, b, c.`
func oneOf(_ words: [String]) -> String { "It must be one of: \(words.joined(separator: ", "))." }

/// The text itself, unless it is empty or has control characters, which could end a line of a protocol.
func printable(_ text: String, of statement: Statement) throws(ConfigurationError) -> String {
    guard !text.isEmpty, text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else {
        throw statement.invalidValue(text, accepted: "It must be a text without control characters, and not empty.")
    }
    return text
}
