/// All directives, by area: the order of the manual.
enum DirectiveTable {
    /// One chapter of the manual.
    struct Area: Sendable {
        let title: String
        let rows: [Directive]
    }

    static let areas: [Area] = [
        Area(title: "The process", rows: CoreDirectives.rows),
        Area(title: "Events", rows: EventsDirectives.rows),
        Area(title: "Mail servers", rows: MailDirectives.rows),
        Area(title: "Who the clients are", rows: ClientDirectives.rows),
        Area(title: "Limits", rows: LimitDirectives.rows),
        Area(title: "Protocols", rows: ProtocolDirectives.rows),
        Area(
            title: "Authenticators", rows: AuthenticatorDirectives.rows + MySQLDirectives.rows + PAMDirectives.rows),
        Area(title: "Logins", rows: LoginDirectives.rows),
        Area(title: "Back-ends", rows: ProxyDirectives.rows),
        Area(title: "Groups of back-ends", rows: UpstreamDirectives.rows),
        Area(title: "TLS with clients", rows: TLSDirectives.rows),
        Area(title: "TLS with back-ends", rows: ProxyTLSDirectives.rows),
        Area(title: "Other parts of nginx", rows: foreign),
    ]

    private static let byName = Dictionary(grouping: areas.flatMap(\.rows), by: \.name)

    private static let foreign = ["http", "stream"].map { name in
        Directive(
            name: name, contexts: .main, arguments: .none, syntax: "", repetition: .adds,
            manual: "Skipped with a notice: this program speaks mail only.", action: .block(.foreign))
    }

    /// The rows of a name; names are case-sensitive. There are several where it means something else in another place.
    static func directives(named name: String) -> [Directive] { byName[name] ?? [] }

    /// The row of a name that may stand in `level`, or else one that may not.
    static func directive(named name: String, in level: DirectiveContexts) -> Directive? {
        let rows = directives(named: name)
        return rows.first { $0.contexts.contains(level) } ?? rows.first
    }

    /// The names that may be meant by an unknown one: the nearest, at most three.
    static func names(like name: String) -> [String] {
        // Longer words than any directive's are no slip of the pen, and the comparison costs the product of lengths.
        guard name.utf8.count <= 40 else { return [] }
        let distances = byName.keys.map { (name: $0, distance: editDistance(name, $0)) }
        guard let nearest = distances.map(\.distance).min(), nearest <= max(1, name.utf8.count / 4) else { return [] }
        let close = distances.filter { $0.distance == nearest }
        return close.map(\.name).sorted().prefix(3).map { $0 }
    }
}

/// How many bytes must be put in, left out or replaced to make one text the other.
private func editDistance(_ one: String, _ other: String) -> Int {
    let one = Array(one.utf8)
    let other = Array(other.utf8)
    var row = Array(0...other.count)
    for (index, byte) in one.enumerated() {
        var diagonal = row[0]
        row[0] = index + 1
        for column in other.indices {
            let replaced = diagonal + (byte == other[column] ? 0 : 1)
            diagonal = row[column + 1]
            row[column + 1] = min(replaced, diagonal + 1, row[column] + 1)
        }
    }
    return row[other.count]
}
