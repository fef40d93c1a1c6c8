/// Prints the reference manual from the rows of the directives.
enum DirectiveManual {
    /// docs/directives.md, whole.
    static func markdown() -> String {
        let areas = DirectiveTable.areas.map { area in
            "## \(area.title)\n\n" + area.rows.map(section).joined(separator: "\n")
        }
        return """
            # Directives

            This file is generated from the tables in Sources/MailGateway/Configuration/Directives; change those, then run
            `MAILGATEWAY_UPDATE_DOCS=1 swift test --filter DirectiveManualTests`.

            Sizes take `k` or `m` (1024 and 1024² bytes). Times are numbers with `ms`, `s`, `m`, `h`, `d` or `w`, several of \
            them from the longest to the shortest, and a number alone is seconds. A value in `server` replaces that of \
            `mail`, which replaces the default.

            \(areas.joined(separator: "\n"))
            """
    }

    /// The chapter of one directive.
    static func section(_ directive: Directive) -> String {
        let rows: [(String, String?)] = [
            ("Syntax", directive.form),
            ("Default", directive.defaultText.map { $0.isEmpty ? "—" : $0 }),
            ("Context", directive.contexts.names.joined(separator: ", ")),
            ("Inheritance", inheritance(of: directive)),
            ("Repeated", repetition(of: directive)),
        ]
        let table = rows.compactMap { name, text in text.map { "| \(name) | \(escaped($0)) |" } }
        return "### \(directive.name)\n\n| | |\n|---|---|\n\(table.joined(separator: "\n"))\n\n\(directive.manual)\n"
    }

    private static func inheritance(of directive: Directive) -> String? {
        guard directive.contexts.isSuperset(of: [.mail, .server]), case .assign = directive.action else { return nil }
        return directive.repetition == .adds
            ? "the whole list of the outer level, unless the inner one has its own" : "from the outer level"
    }

    private static func repetition(of directive: Directive) -> String {
        switch directive.repetition {
        case .refused: "refused"
        case .replaces: "the last one counts"
        case .adds: "adds up"
        }
    }

    private static func escaped(_ text: String) -> String {
        text.split(separator: "|", omittingEmptySubsequences: false).joined(separator: "\\|")
    }
}
