/// The places of a configuration where a directive may stand.
struct DirectiveContexts: OptionSet, Sendable, Hashable {
    let rawValue: UInt8

    static let main = DirectiveContexts(rawValue: 1)
    static let events = DirectiveContexts(rawValue: 2)
    static let mail = DirectiveContexts(rawValue: 4)
    static let server = DirectiveContexts(rawValue: 8)
    /// Within `upstream {}`.
    static let upstream = DirectiveContexts(rawValue: 16)
    static let anywhere: DirectiveContexts = [.main, .events, .mail, .server, .upstream]

    /// `main`, `mail` …, from the outside in.
    var names: [String] {
        let all: [(DirectiveContexts, String)] = [
            (.main, "main"), (.events, "events"), (.mail, "mail"), (.server, "server"), (.upstream, "upstream"),
        ]
        return all.filter { contains($0.0) }.map(\.1)
    }
}

/// How many arguments a directive takes.
struct ArgumentCount: Sendable, Hashable {
    let minimum: Int
    /// nil for any number.
    let maximum: Int?

    static let none = ArgumentCount(minimum: 0, maximum: 0)
    static let one = ArgumentCount(minimum: 1, maximum: 1)
    static let two = ArgumentCount(minimum: 2, maximum: 2)
    static let oneOrTwo = ArgumentCount(minimum: 1, maximum: 2)
    static let oneOrMore = ArgumentCount(minimum: 1, maximum: nil)
    static let any = ArgumentCount(minimum: 0, maximum: nil)

    /// Whether a statement with `count` arguments is well formed.
    func allows(_ count: Int) -> Bool { count >= minimum && count <= maximum ?? count }
}

/// One directive: everything that is known of it, in one row.
///
/// The parser checks place, arguments and repetition by it, `Setting` adds the typed value,
/// and docs/directives.md is printed from it.
struct Directive: Sendable {
    /// What happens when it is said twice on one level.
    enum Repetition: Sendable, Hashable {
        /// An error: `is duplicate`.
        case refused
        /// The last one counts.
        case replaces
        /// Values add up; those of a server still replace those of `mail`.
        case adds
    }

    /// What the parser does with it.
    enum Action: Sendable {
        /// Opens a block.
        case block(Block)
        /// Reads other files in its place.
        case include
        /// Stores a value on the level it stands on.
        case assign(@Sendable (Statement, inout Scope, inout ParseContext) throws(ConfigurationError) -> Void)
    }

    /// The blocks.
    enum Block: Sendable, Hashable {
        case events, mail, server, upstream
        /// A block of nginx that has nothing to do with mail: skipped.
        case foreign
    }

    let name: String
    let contexts: DirectiveContexts
    let arguments: ArgumentCount
    /// The arguments as the manual writes them; empty for blocks without.
    let syntax: String
    /// The default as the manual writes it; nil where there is none.
    var defaultText: String?
    var repetition = Repetition.refused
    /// One paragraph of Markdown.
    let manual: String
    let action: Action

    /// The statement's form, for the manual and for hints.
    var form: String {
        let words = syntax.isEmpty ? name : "\(name) \(syntax)"
        if case .block = action { return "\(words) { … }" }
        return "\(words);"
    }

    /// A directive of nginx that means nothing here: its value is checked, and it is noticed once unless it
    /// asks for what happens anyway.
    static func ignored<Value>(
        _ name: String, in contexts: DirectiveContexts = .main, _ syntax: ValueSyntax<Value>, because reason: String,
        expected: @escaping @Sendable (Value) -> Bool = { _ in false }
    ) -> Directive {
        Directive(
            name: name, contexts: contexts, arguments: syntax.arguments, syntax: syntax.text, repetition: .replaces,
            manual: "Accepted without effect: \(reason).",
            action: .assign { (statement, _, context) throws(ConfigurationError) in
                guard !expected(try syntax.parse(statement, nil, &context)) else { return }
                context.addOnce(
                    .notice, about: name, "\(quoted(name)) has no effect: \(reason)", at: statement.position)
            })
    }

    /// A directive whose silent loss would be dangerous: only values that ask for nothing are accepted.
    static func unsupported<Value>(
        _ name: String, in contexts: DirectiveContexts = [.mail, .server], _ syntax: ValueSyntax<Value>,
        _ meaning: String,
        harmless: @escaping @Sendable (Value) -> Bool = { _ in false }
    ) -> Directive {
        Directive(
            name: name, contexts: contexts, arguments: syntax.arguments, syntax: syntax.text, repetition: .replaces,
            manual: "\(meaning) Not supported yet, and therefore refused unless it asks for nothing.",
            action: .assign { (statement, _, context) throws(ConfigurationError) in
                let value = try syntax.parse(statement, nil, &context)
                guard harmless(value) else {
                    throw statement.error(
                        "\(quoted(name)) is not supported yet",
                        accepted: "Remove it; it is refused rather than ignored because something may rely on it.")
                }
            })
    }
}
