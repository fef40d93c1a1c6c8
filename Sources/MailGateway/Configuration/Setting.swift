/// The values of one level: `main`, `events`, `mail` or one `server`.
struct Scope: Sendable {
    /// A value and where it was set (last).
    struct Entry: Sendable {
        let value: any Sendable
        let position: Position
    }

    private(set) var entries: [String: Entry] = [:]

    fileprivate mutating func set(_ name: String, _ entry: Entry) { entries[name] = entry }

    /// The value set on this level, if any.
    func value<Value>(of setting: Setting<Value>) -> Value? {
        // Not one expression: casting an absent entry to an optional type would say that nil was set.
        guard let entry = entries[setting.slot] else { return nil }
        return entry.value as? Value
    }

    /// The value set on this level, if any; for settings without a default.
    func value<Wrapped>(of setting: Setting<Wrapped?>) -> Wrapped? {
        guard let entry = entries[setting.slot] else { return nil }
        return entry.value as? Wrapped
    }

    /// Where a setting was set on this level.
    func position<Value>(of setting: Setting<Value>) -> Position? { entries[setting.slot]?.position }
}

/// Levels from the inside out: a value is looked up in `server`, then in `mail`, then it is the default.
struct ScopeChain: Sendable {
    let levels: [Scope]

    /// A chain of levels, the innermost first.
    init(_ levels: Scope...) { self.levels = levels }

    /// The value in force.
    subscript<Value>(_ setting: Setting<Value>) -> Value {
        for level in levels {
            if let value = level.value(of: setting) { return value }
        }
        return setting.fallback
    }

    /// Where the value in force was set; nil for the default.
    func position<Value>(of setting: Setting<Value>) -> Position? {
        for level in levels {
            if let position = level.position(of: setting) { return position }
        }
        return nil
    }
}

/// A directive with a typed value: the slot is its name, the type is checked by the compiler.
struct Setting<Value: Sendable>: Sendable {
    let directive: Directive
    /// Where its value is kept: its name, or another directive's whose values it adds to.
    let slot: String
    /// The value where nobody set one.
    let fallback: Value

    /// A setting with a default, which is written once, as an administrator would.
    init(
        _ name: String, in contexts: DirectiveContexts, _ syntax: ValueSyntax<Value>, default text: String,
        repetition: Directive.Repetition = .refused, _ manual: String
    ) {
        let words = text.split(separator: " ").map(String.init)
        let statement = Statement(name: name, arguments: words, position: .whole)
        var context = ParseContext(
            source: MemorySource([String: [UInt8]]()), resolver: .recorded([:]), directory: "", prefix: "", hostName: ""
        )
        do {
            fallback = try syntax.parse(statement, nil, &context)
        } catch {
            preconditionFailure("the default of \(name) is well formed: \(error)")
        }
        slot = name
        directive = Setting.row(
            name, slot: name, contexts, syntax, shown: text, repetition, manual, store: { $0 })
    }

    /// A setting without a default value; `shown` says in the manual what holds then. With `sharing` its
    /// values are added to those of that directive, in the order of both.
    init<Wrapped>(
        _ name: String, sharing slot: String? = nil, in contexts: DirectiveContexts, _ syntax: ValueSyntax<Wrapped>,
        shown: String? = nil, repetition: Directive.Repetition = .refused, _ manual: String
    ) where Value == Wrapped? {
        fallback = nil
        self.slot = slot ?? name
        directive = Setting.row(
            name, slot: self.slot, contexts, syntax, shown: shown, repetition, manual, store: { $0 })
    }

    private static func row<Parsed>(
        _ name: String, slot: String, _ contexts: DirectiveContexts, _ syntax: ValueSyntax<Parsed>, shown: String?,
        _ repetition: Directive.Repetition, _ manual: String, store: @escaping @Sendable (Parsed) -> Value
    ) -> Directive {
        Directive(
            name: name, contexts: contexts, arguments: syntax.arguments, syntax: syntax.text, defaultText: shown,
            repetition: repetition, manual: manual,
            action: .assign { (statement, scope, context) throws(ConfigurationError) in
                let earlier = scope.entries[slot]
                guard earlier == nil || repetition != .refused else { throw statement.refusal("is duplicate") }
                let previous = repetition == .adds ? earlier?.value as? Parsed : nil
                let value = store(try syntax.parse(statement, previous, &context))
                scope.set(slot, Scope.Entry(value: value, position: statement.position))
            })
    }
}
