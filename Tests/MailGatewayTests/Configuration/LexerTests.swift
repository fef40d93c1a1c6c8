import Testing

@testable import MailGateway

/// nginx-mail.md §1.1, rule by rule.
@Suite struct LexerTests {
    struct Words: Sendable, CustomTestStringConvertible {
        let text: String
        let words: [String]
        let reason: String

        init(_ text: String, _ words: [String], _ reason: String) {
            self.text = text
            self.words = words
            self.reason = reason
        }

        var testDescription: String { reason }
    }

    private func items(_ text: String) throws -> [Lexer.Item] {
        var lexer = Lexer(Array(text.utf8), path: "f")
        var items: [Lexer.Item] = []
        while true {
            let item = try lexer.next()
            items.append(item)
            if item == .end { return items }
        }
    }

    @Test(arguments: [
        Words("a b c;", ["a", "b", "c"], "spaces separate words"),
        Words("a\tb\r\nc ;", ["a", "b", "c"], "TAB, CR and LF do, too"),
        Words("a #x;\nb;", ["a", "b"], "a comment runs to the end of the line"),
        Words("a b#c;", ["a", "b#c"], "a comment begins at the start of a word only"),
        Words("a b}\"'#);", ["a", "b}\"'#)"], "inside a bare word these are ordinary"),
        Words("a ${x} $ {", ["a", "${x}", "$"], "a brace behind a dollar belongs to the word"),
        Words("a \"b;{}' #c\" 'd\"e';", ["a", "b;{}' #c", "d\"e"], "quotes protect everything but themselves"),
        Words("a \"b\nc\";", ["a", "b\nc"], "a quoted word may contain lines"),
        Words("a \"\" '';", ["a", "", ""], "empty words"),
        Words("a \"b\");", ["a", "b", ")"], "a parenthesis may follow a quote and begins a word"),
        Words("a \"b\"{", ["a", "b"], "a brace may follow a quote"),
        Words(#"a \"b\" \'c \\d;"#, ["a", "\"b\"", "'c", "\\d"], "escaped quotes and backslashes"),
        Words(#"a x\ty\rz\nw;"#, ["a", "x\ty\rz\nw"], "escaped control characters"),
        Words(#"a \x\$\.;"#, ["a", #"\x\$\."#], "other backslashes stay"),
        Words(#"a b\ c\;d\{e;"#, ["a", #"b\ c\;d\{e"#], "a backslash takes the meaning of the next byte"),
        Words(#"a "b\"c" 'd\'e';"#, ["a", "b\"c", "d'e"], "escapes in quotes"),
        Words(#"a $\{;"#, ["a", #"$\{"#], "an escaped brace behind a dollar"),
        Words("\u{FEFF}a;", ["\u{FEFF}a"], "a byte order mark is part of the word"),
        Words(
            "a " + String(repeating: "b", count: Lexer.wordMaximum) + ";",
            ["a", String(repeating: "b", count: Lexer.wordMaximum)], "the longest bare word"),
        Words(
            "a \"" + String(repeating: "b", count: Lexer.wordMaximum) + "\";",
            ["a", String(repeating: "b", count: Lexer.wordMaximum)], "the longest quoted word"),
        Words("#" + String(repeating: "b", count: 3 * Lexer.wordMaximum) + "\na;", ["a"], "a comment of any length"),
    ])
    func words(_ row: Words) throws {
        var lexer = Lexer(Array(row.text.utf8), path: "f")
        switch try lexer.next() {
        case .statement(let statement), .block(let statement):
            #expect([statement.name] + statement.arguments == row.words)
        case .blockEnd, .end:
            Issue.record("a statement was expected")
        }
    }

    @Test func `statements, blocks and their ends are told apart`() throws {
        let items = try items("a { b; } # end\n")
        #expect(
            items == [
                .block(Statement(name: "a", arguments: [], position: .file("f", line: 1))),
                .statement(Statement(name: "b", arguments: [], position: .file("f", line: 1))),
                .blockEnd, .end,
            ])
    }

    @Test func `a statement stands where it ends`() throws {
        #expect(
            try items("\na\nb\n;")[0]
                == .statement(Statement(name: "a", arguments: ["b"], position: .file("f", line: 4))))
        #expect(
            try items("a \"\n\" \\\n;")[0]
                == .statement(Statement(name: "a", arguments: ["\n", "\\\n"], position: .file("f", line: 3))))
    }

    @Test(arguments: [
        Mistake(";", "unexpected \";\" in f:1"),
        Mistake("\n{", "unexpected \"{\" in f:2"),
        Mistake("a }", "unexpected \"}\" in f:1"),
        Mistake("a \"b\"c;", "unexpected \"c\" in f:1"),
        Mistake("a \"b\"\"c\";", "unexpected \"\"\" in f:1"),
        Mistake("a\n\n", "unexpected end of file, expecting \";\" or \"}\" in f:3"),
        Mistake("a", "unexpected end of file, expecting \";\" or \"}\" in f:1"),
        Mistake("a \"b", "unexpected end of file, expecting \";\" or \"}\" in f:1"),
        Mistake("a \"b\"", "unexpected end of file, expecting \";\" or \"}\" in f:1"),
        Mistake("a \\", "unexpected end of file, expecting \";\" or \"}\" in f:1"),
        Mistake(
            "a\n0123456789" + String(repeating: "b\\\n", count: 2000) + ";",
            "too long parameter \"0123456789...\" started in f:2"),
        Mistake(
            "\na '" + String(repeating: "b\n", count: 2049),
            "too long parameter, probably missing terminating \"'\" character in f:2"),
        Mistake(
            "a " + String(repeating: "b", count: Lexer.wordMaximum + 1) + ";",
            "too long parameter \"bbbbbbbbbb...\" started in f:1"),
        Mistake(
            "a \"" + String(repeating: "b", count: Lexer.wordMaximum + 1) + "\";",
            "too long parameter, probably missing terminating \"\"\" character in f:1"),
    ])
    func mistakes(_ row: Mistake) {
        let error = #expect(throws: ConfigurationError.self) { try items(row.text) }
        #expect(error?.message == row.message)
    }

    @Test func `the command line has its own words for its end`() {
        var lexer = Lexer(commandLine: "pid x")
        let error = #expect(throws: ConfigurationError.self) { try lexer.next() }
        #expect(error?.message == "unexpected end of parameter, expecting \";\" in command line")
    }

    /// Bare, quoted, as the name, and with something escaped.
    private static let latin: [[UInt8]] = [
        [0x61, 0x0A, 0x20, 0xFF, 0x3B], [0x61, 0x0A, 0x22, 0xC3, 0x22, 0x3B], [0x0A, 0xE4, 0x3B],
        [0x61, 0x0A, 0x5C, 0x74, 0xC3, 0x3B],
    ]

    @Test(arguments: latin)
    func `words that are no UTF-8 are refused where they begin`(bytes: [UInt8]) {
        var lexer = Lexer(bytes, path: "f")
        let error = #expect(throws: ConfigurationError.self) { try lexer.next() }
        #expect(error?.message == "parameter is not UTF-8 in f:2")
        #expect(error?.accepted?.contains("UTF-8") == true)
    }

    @Test func `comments may hold any bytes`() throws {
        var lexer = Lexer(Array("# ".utf8) + [0xFF, 0xC3, 0x0A] + Array("a é; #".utf8) + [0xE4], path: "f")
        let (first, second) = (try lexer.next(), try lexer.next())
        #expect(first == .statement(Statement(name: "a", arguments: ["é"], position: .file("f", line: 2))))
        #expect(second == .end)
    }
}
