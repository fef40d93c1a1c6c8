/// Reads a configuration statement by statement, as nginx does: the first mistake in the order of
/// reading is the one reported, whatever its kind.
///
/// Blocks nest as `main` → `events`, `main` → `mail` → `server` or `upstream`, so the levels are fields and not a stack.
struct ConfigurationParser {
    /// How many files may include one another; a file that includes itself ends here.
    static let includeDepthMaximum = 16

    /// How a run of statements may end.
    private enum End {
        case endOfText, closingBrace
    }

    /// The levels being read.
    private(set) var main = Scope()
    private(set) var events = Scope()
    private var mail = Scope()
    private(set) var servers: [ServerConfiguration] = []
    private(set) var context: ParseContext

    /// The servers of `mail {}` as far as they are read.
    private var drafts: [ServerDraft] = []
    /// The values of the `upstream {}` being read.
    private var upstream = Scope()
    /// The blocks seen that may be there only once.
    private var blocksSeen: Set<Directive.Block> = []
    private var includeDepth = 0

    /// A parser that has read nothing yet.
    init(context: ParseContext) { self.context = context }

    /// Reads the text of `-g`, then the main file, then checks what can only be seen at the end.
    mutating func parse(path: String, globalDirectives: String) throws(ConfigurationError) {
        if !globalDirectives.isEmpty {
            var lexer = Lexer(commandLine: globalDirectives)
            try parse(&lexer, in: .main, until: .endOfText)
        }
        var lexer = Lexer(try context.read(path, as: .directives, at: .whole).bytes, path: path)
        defer { lexer.forget() }
        try parse(&lexer, in: .main, until: .endOfText)
        guard blocksSeen.contains(.events) else {
            throw ConfigurationError(
                "no \"events\" section in configuration", at: .whole, accepted: "It may be empty: events { }")
        }
        let logs = ScopeChain(main)[CoreDirectives.errorLog]
        for index in servers.indices where servers[index].logs.isEmpty { servers[index].logs = logs }
    }

    private mutating func parse(
        _ lexer: inout Lexer, in level: DirectiveContexts, until end: End
    ) throws(ConfigurationError) {
        while true {
            switch try lexer.next() {
            case .end:
                guard end == .endOfText else {
                    throw ConfigurationError("unexpected end of file, expecting \"}\"", at: lexer.position)
                }
                return
            case .blockEnd:
                guard end == .closingBrace else { throw ConfigurationError("unexpected \"}\"", at: lexer.position) }
                return
            case .block(let statement):
                guard !lexer.isCommandLine else {
                    throw statement.error("block directives are not supported in -g option")
                }
                try perform(statement, opensBlock: true, &lexer, in: level)
            case .statement(let statement):
                try perform(statement, opensBlock: false, &lexer, in: level)
            }
        }
    }

    /// Does what a statement says, after the checks that all directives share, in nginx's order.
    private mutating func perform(
        _ statement: Statement, opensBlock: Bool, _ lexer: inout Lexer, in level: DirectiveContexts
    ) throws(ConfigurationError) {
        let directive = try lookUp(statement, in: level)
        switch directive.action {
        case .block(let block):
            guard opensBlock else {
                throw statement.error("directive \(quoted(statement.name)) has no opening \"{\"")
            }
            try checkArguments(of: statement, directive)
            try parse(block, statement, &lexer)
        case .include:
            try checkSimple(statement, directive, opensBlock)
            try include(statement, in: level)
        case .assign(let assign):
            try checkSimple(statement, directive, opensBlock)
            try assignValue(statement, assign, in: level)
        }
    }

    private func lookUp(
        _ statement: Statement, in level: DirectiveContexts
    ) throws(ConfigurationError) -> Directive {
        guard let directive = DirectiveTable.directive(named: statement.name, in: level) else {
            let likely = DirectiveTable.names(like: statement.name)
            throw statement.error(
                "unknown directive \(quoted(statement.name))",
                accepted: likely.isEmpty ? nil : "Did you mean \(likely.map(quoted).joined(separator: " or "))?")
        }
        guard directive.contexts.contains(level) else {
            throw statement.error(
                "\(quoted(statement.name)) directive is not allowed here",
                accepted: "It may stand in: \(directive.contexts.names.joined(separator: ", ")).")
        }
        return directive
    }

    private func checkSimple(
        _ statement: Statement, _ directive: Directive, _ opensBlock: Bool
    ) throws(ConfigurationError) {
        guard !opensBlock else {
            throw statement.error("directive \(quoted(statement.name)) is not terminated by \";\"")
        }
        try checkArguments(of: statement, directive)
    }

    private func checkArguments(of statement: Statement, _ directive: Directive) throws(ConfigurationError) {
        guard directive.arguments.allows(statement.arguments.count) else {
            throw statement.error(
                "invalid number of arguments in \(quoted(statement.name)) directive",
                accepted: "Its form is: \(directive.form.filter { $0 != "*" })")
        }
    }

    private mutating func assignValue(
        _ statement: Statement,
        _ assign: (Statement, inout Scope, inout ParseContext) throws(ConfigurationError) -> Void,
        in level: DirectiveContexts
    ) throws(ConfigurationError) {
        switch level {
        case .main: try assign(statement, &main, &context)
        case .events: try assign(statement, &events, &context)
        case .mail: try assign(statement, &mail, &context)
        case .upstream: try assign(statement, &upstream, &context)
        default: try assign(statement, &drafts[drafts.count - 1].scope, &context)
        }
    }

    private mutating func parse(
        _ block: Directive.Block, _ statement: Statement, _ lexer: inout Lexer
    ) throws(ConfigurationError) {
        switch block {
        case .events:
            try checkFirst(block, statement)
            try parse(&lexer, in: .events, until: .closingBrace)
        case .mail:
            try checkFirst(block, statement)
            try parse(&lexer, in: .mail, until: .closingBrace)
            servers = try ServerDraft.configurations(of: drafts, in: mail, &context)
            drafts = []
        case .server:
            drafts.append(ServerDraft(position: statement.position))
            context.addressesTaken = []
            try parse(&lexer, in: .server, until: .closingBrace)
            try drafts[drafts.count - 1].checkListens()
        case .upstream:
            let draft = try UpstreamDraft(statement, taken: context.groups.keys)
            upstream = Scope()
            try parse(&lexer, in: .upstream, until: .closingBrace)
            context.groups[draft.name.lowercased()] = try draft.settings(upstream)
        case .foreign:
            context.add(.notice, "\(quoted(statement.name)) block is skipped", at: statement.position)
            try skipBlock(&lexer)
        }
    }

    private mutating func checkFirst(_ block: Directive.Block, _ statement: Statement) throws(ConfigurationError) {
        guard blocksSeen.insert(block).inserted else { throw statement.refusal("is duplicate") }
    }

    /// Skips statements up to the brace that closes the block; whatever they are, they must be words.
    private func skipBlock(_ lexer: inout Lexer) throws(ConfigurationError) {
        var depth = 1
        while depth > 0 {
            switch try lexer.next() {
            case .statement: break
            case .block: depth += 1
            case .blockEnd: depth -= 1
            case .end: throw ConfigurationError("unexpected end of file, expecting \"}\"", at: lexer.position)
            }
        }
    }

    /// Reads the file, or all files of the mask, as if their text stood here.
    private mutating func include(_ statement: Statement, in level: DirectiveContexts) throws(ConfigurationError) {
        guard includeDepth < ConfigurationParser.includeDepthMaximum else {
            throw statement.error(
                "too many levels of \"include\"",
                accepted:
                    "At most \(ConfigurationParser.includeDepthMaximum) files include one another; does one include itself?"
            )
        }
        includeDepth += 1
        defer { includeDepth -= 1 }
        let path = context.pathOfConfiguration(try printable(statement.arguments[0], of: statement))
        let isMask = path.utf8.contains { "*?[".utf8.contains($0) }
        for file in isMask ? context.source.paths(matching: path) : [path] {
            var lexer = Lexer(try context.read(file, as: .directives, at: statement.position).bytes, path: file)
            defer { lexer.forget() }
            try parse(&lexer, in: level, until: .endOfText)
        }
    }
}
