import AsyncIO

extension ValueSyntax where Value == [String] {
    /// A file or `data:` text, which add up; they are read when all else is known.
    static func files(_ name: String) -> ValueSyntax {
        ValueSyntax(.one, "*\(name)*") { (statement, previous, _) throws(ConfigurationError) in
            let argument = statement.arguments[0]
            if !argument.hasPrefix("data:") { _ = try printable(argument, of: statement) }
            return (previous ?? []) + [argument]
        }
    }
}

extension ValueSyntax where Value == Duration {
    /// A time in whole seconds, up to years.
    static var seconds: ValueSyntax {
        single("*time*", accepted: "It must be a time such as 30s, 5m, 1d or \"1h 30m\".") {
            duration($0, precision: .seconds)
        }
    }
}

extension ValueSyntax where Value == TLSVersions {
    /// Versions by nginx's names, in any case.
    static var tlsVersions: ValueSyntax {
        let words: [(String, TLSVersions)] = [
            ("SSLv2", []), ("SSLv3", []), ("TLSv1", .v1), ("TLSv1.1", .v1_1), ("TLSv1.2", .v1_2), ("TLSv1.3", .v1_3),
        ]
        let names = words.map(\.0)
        return ValueSyntax(.oneOrMore, names.joined(separator: " | ") + " …") {
            (statement, previous, context) throws(ConfigurationError) in
            var versions = previous ?? []
            for word in statement.arguments {
                guard let match = words.first(where: { $0.0.lowercased() == word.lowercased() }) else {
                    throw statement.invalidValue(
                        word, accepted: "Each must be one of: \(names.joined(separator: ", ")).")
                }
                if match.1.isEmpty {
                    context.add(.warn, "\(quoted(word)) is never spoken", at: statement.position)
                } else if versions.contains(match.1) {
                    context.add(.warn, "duplicate value \(quoted(word))", at: statement.position)
                }
                versions.formUnion(match.1)
            }
            guard !versions.isEmpty else {
                throw statement.error("no version of TLS is left", accepted: "Add TLSv1.2 or TLSv1.3.")
            }
            return versions
        }
    }
}

extension ValueSyntax where Value == TLSSessionCache {
    private static var builtinDefault: Int { 20480 }

    /// `off`, `none`, or one or two of `builtin[:n]` and `shared:name:size`.
    static var sessionCache: ValueSyntax {
        ValueSyntax(.oneOrTwo, "off | none | [builtin[:*number*]] [shared:*name*:*size*]") {
            (statement, _, context) throws(ConfigurationError) in
            var cache = TLSSessionCache.none
            for word in statement.arguments {
                switch (word, cache) {
                case ("off", _): cache = .off
                case ("none", _): cache = .none
                case ("builtin", .shared(let zone, _)): cache = .shared(zone: zone, kept: builtinDefault)
                case ("builtin", _): cache = .kept(builtinDefault)
                case (_, let earlier): cache = try keptCache(word, besides: earlier, statement, &context)
                }
            }
            return cache
        }
    }

    private static func keptCache(
        _ word: String, besides earlier: TLSSessionCache, _ statement: Statement, _ context: inout ParseContext
    ) throws(ConfigurationError) -> TLSSessionCache {
        let parts = word.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        if parts.count == 2, parts[0] == "builtin", let count = decimal(parts[1], in: 1...(1 << 30)) {
            if case .shared(let zone, _) = earlier { return .shared(zone: zone, kept: count) }
            return .kept(count)
        }
        guard parts.count == 3, parts[0] == "shared", !parts[1].isEmpty,
            let size = byteCount(parts[2], in: 0...Int(Int32.max))
        else {
            throw statement.error(
                "invalid session cache \(quoted(word))",
                accepted: "It must be off, none, builtin, builtin:1000 or shared:name:10m.")
        }
        guard size >= ZoneSettings.bytesMinimum else {
            throw statement.error(
                "session cache \(quoted(word)) is too small",
                accepted: "It must have \(ZoneSettings.bytesMinimum) bytes at least.")
        }
        try context.zones.declare(ZoneSettings(name: parts[1], use: .sessions, size: size), by: statement)
        if case .kept(let count) = earlier { return .shared(zone: parts[1], kept: count) }
        return .shared(zone: parts[1], kept: nil)
    }
}

extension ValueSyntax where Value == [TLSCommand] {
    /// A name and a value for OpenSSL.
    static var tlsCommands: ValueSyntax {
        ValueSyntax(.two, "*name* *value*") { (statement, previous, _) throws(ConfigurationError) in
            let name = try printable(statement.arguments[0], of: statement)
            let value = try printable(statement.arguments[1], of: statement)
            return (previous ?? []) + [TLSCommand(name: name, value: value)]
        }
    }
}
