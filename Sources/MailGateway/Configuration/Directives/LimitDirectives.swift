import MailSessions

/// Limits that count across workers: nginx's `limit_conn`, and the like for failed logins.
enum LimitDirectives {
    static let connectionZone = Setting(
        "limit_conn_zone", in: .mail, zone { .connections($0) }, shown: "none", repetition: .adds,
        "Shared memory in which sessions are counted by a key: the client's address (`$remote_addr`; of IPv6 the network "
            + "of 64 bits, and `$binary_remote_addr` is the same), its login (`$auth_user`, letters of either case alike) "
            + "or both (`$remote_addr$auth_user`). A megabyte holds 16384 of them; each worker has its part. Where a part "
            + "is full, its worker refuses sessions with new keys.")

    static let connections = Setting(
        "limit_conn", in: [.mail, .server], connectionLimits, shown: "none", repetition: .adds,
        "How many sessions there may be at once for one value of the zone's key, in all workers and all servers that "
            + "use the zone. By address a session is counted from its beginning (behind a PROXY header), by login once "
            + "that was found right. One more is refused: `* BYE [LIMIT]`, `-ERR [SYS/TEMP]` or `421` in place of the "
            + "greeting, `NO [LIMIT]`, `-ERR [IN-USE]` or `421` in place of an answer to the login, whether its password is "
            + "right or not. Those of a server replace all of `mail`'s.")

    static let logLevel = Setting(
        "limit_conn_log_level", in: [.mail, .server],
        .choice([LogLevel.info, .notice, .warn, .error].map { ($0.rawValue, $0) }), default: "error",
        "The level of the lines that say that a session was refused by `limit_conn`.")

    static let dryRun = Setting(
        "limit_conn_dry_run", in: [.mail, .server], .flag, default: "off",
        "With `on` the log tells whom `limit_conn` would refuse, and nobody is.")

    static let loginZone = Setting(
        "limit_login_zone", in: .mail, zone { .failedLogins($0) }, shown: "none", repetition: .adds,
        "Shared memory in which failed logins are counted by a key, as that of `limit_conn_zone`. A megabyte holds 16384 "
            + "of them; where there are more, those with the fewest failures are forgotten.")

    static let logins = Setting(
        "limit_login", in: [.mail, .server], loginLimits, shown: "none", repetition: .adds,
        "What failed logins lead to, for one value of the zone's key, in all workers. The answer to the first takes "
            + "`delay` (1s), to each further one twice as long, up to 15 seconds. After `burst` (5) of them everyone with "
            + "that key is locked out: nobody is asked whether a password is right, and the answer does not say. That, and "
            + "all failed logins, are forgotten when `window` (10m) has passed since the last one that counted. The same "
            + "wrong password again does not count. A login that succeeds clears the count of `$remote_addr$auth_user`, and "
            + "no other. Not in nginx.")

    /// All rows.
    static let rows: [Directive] = [
        connectionZone.directive, connections.directive, logLevel.directive, dryRun.directive, loginZone.directive,
        logins.directive,
    ]

    // MARK: Zones

    private static let keyForms = "The key must be $remote_addr, $auth_user or \"$remote_addr$auth_user\"."

    private static func zone(_ use: @escaping @Sendable (LimitKey) -> ZoneSettings.Use) -> ValueSyntax<[ZoneSettings]> {
        ValueSyntax(.two, "*key* zone=*name*:*size*") { (statement, previous, context) throws(ConfigurationError) in
            let key = try key(statement)
            let zone = try zone(statement, use(key))
            let known = (previous ?? []) + [zone]
            guard previous?.contains(where: { $0.name == zone.name }) != true else {
                throw statement.error(
                    "\(statement.name) \(quoted(zone.name)) is already bound to key \(quoted(key.rawValue))",
                    accepted: "Each zone is declared once.")
            }
            try context.zones.declare(zone, by: statement)
            return known
        }
    }

    private static func key(_ statement: Statement) throws(ConfigurationError) -> LimitKey {
        let text = statement.arguments[0].replacing("${", with: "$").replacing("}", with: "")
            .replacing("$binary_remote_addr", with: "$remote_addr")
        if let key = LimitKey(rawValue: text) { return key }
        let names = text.split(separator: "$")
        guard text.hasPrefix("$"), let unknown = names.first(where: { $0 != "remote_addr" && $0 != "auth_user" }) else {
            throw statement.error("invalid key \(quoted(statement.arguments[0]))", accepted: keyForms)
        }
        throw statement.error("unknown \(quoted(String(unknown))) variable", accepted: keyForms)
    }

    private static func zone(
        _ statement: Statement, _ use: ZoneSettings.Use
    ) throws(ConfigurationError) -> ZoneSettings {
        let word = statement.arguments[1]
        guard word.hasPrefix("zone=") else {
            throw statement.error("invalid parameter \(quoted(word))", accepted: "It must be zone=name:size.")
        }
        let value = word.dropFirst("zone=".count)
        let parts = value.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2, !parts[0].isEmpty, let size = byteCount(parts[1], in: 0...Int(Int32.max)) else {
            throw statement.error(
                "invalid zone size \(quoted(String(value)))",
                accepted: "It must be zone=name:size, such as zone=one:1m.")
        }
        guard size >= ZoneSettings.bytesMinimum else {
            throw statement.error(
                "zone \(quoted(String(value))) is too small",
                accepted: "It must have \(ZoneSettings.bytesMinimum) bytes at least.")
        }
        return ZoneSettings(name: parts[0], use: use, size: size)
    }

    // MARK: Limits

    private static let connectionLimits = ValueSyntax<[LimitStatement]>(.two, "*zone* *number*") {
        (statement, previous, _) throws(ConfigurationError) in
        let (zone, number) = (statement.arguments[0], statement.arguments[1])
        try refuseRepetition(of: zone, previous, statement)
        guard let maximum = decimal(number, in: 1...Int.max) else {
            throw statement.error(
                "invalid number of connections \(quoted(number))", accepted: "It must be a number from 1 to 65535.")
        }
        guard maximum <= 65535 else {
            throw statement.error(
                "connection limit must be less 65536", accepted: "It must be a number from 1 to 65535.")
        }
        return (previous ?? []) + [LimitStatement(statement, zone: zone, .connections(maximum))]
    }

    private static let loginForms =
        "The parameters are zone=name, burst=number, delay=time and window=time; the first must be there."

    private static let loginLimits = ValueSyntax<[LimitStatement]>(
        ArgumentCount(minimum: 1, maximum: 4), "zone=*name* [burst=*number*] [delay=*time*] [window=*time*]"
    ) { (statement, previous, _) throws(ConfigurationError) in
        var zone: String?
        // The key is the zone's, which may follow.
        var limit = LoginLimit(zone: "", key: .address)
        for word in statement.arguments {
            let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            switch (parts[0], parts.count == 2 ? parts[1] : "") {
            case ("zone", let name) where !name.isEmpty: zone = name
            case ("burst", let text):
                guard let burst = decimal(text, in: 1...65535) else { throw invalid(word, statement) }
                limit.burst = burst
            case ("delay", let text):
                guard let delay = duration(text, precision: .milliseconds) else { throw invalid(word, statement) }
                limit.delay = delay
            case ("window", let text):
                guard let window = duration(text, precision: .seconds), window > .zero else {
                    throw invalid(word, statement)
                }
                limit.window = window
            default: throw invalid(word, statement)
            }
        }
        guard let zone else {
            throw statement.error("\"limit_login\" must have \"zone\" parameter", accepted: loginForms)
        }
        try refuseRepetition(of: zone, previous, statement)
        limit.zone = zone
        return (previous ?? []) + [LimitStatement(statement, zone: zone, .logins(limit))]
    }

    private static func invalid(_ word: String, _ statement: Statement) -> ConfigurationError {
        statement.error("invalid parameter \(quoted(word))", accepted: loginForms)
    }

    private static func refuseRepetition(
        of zone: String, _ previous: [LimitStatement]?, _ statement: Statement
    ) throws(ConfigurationError) {
        guard previous?.contains(where: { $0.zone == zone }) != true else { throw statement.refusal("is duplicate") }
    }
}

/// A limit as written; its zone's key is known when all of `mail` has been read.
struct LimitStatement: Sendable {
    /// What is limited.
    enum Limit: Sendable {
        case connections(Int)
        case logins(LoginLimit)
    }

    let statement: Statement
    let zone: String
    let limit: Limit

    init(_ statement: Statement, zone: String, _ limit: Limit) {
        self.statement = statement
        self.zone = zone
        self.limit = limit
    }

    /// The key of the zone, of which there must be one for this use.
    private func key(_ zones: ZoneDeclarations) throws(ConfigurationError) -> LimitKey {
        switch (zones[zone]?.use, limit) {
        case (.connections(let key), .connections), (.failedLogins(let key), .logins): return key
        case (nil, _):
            throw statement.error(
                "zero size shared memory zone \(quoted(zone))",
                accepted: "Declare it in mail: \(statement.name)_zone $remote_addr zone=\(zone):1m;")
        case (.some, _): throw ZoneDeclarations.differentUse(zone, statement)
        }
    }

    /// The limits of a server, complete.
    static func settings(
        _ values: ScopeChain, _ zones: ZoneDeclarations
    ) throws(ConfigurationError) -> LimitSettings {
        var settings = LimitSettings()
        settings.isDryRun = values[LimitDirectives.dryRun]
        for one in (values[LimitDirectives.connections] ?? []) + (values[LimitDirectives.logins] ?? []) {
            let key = try one.key(zones)
            switch one.limit {
            case .connections(let maximum):
                settings.connections.append(ConnectionLimit(zone: one.zone, key: key, maximum: maximum))
            case .logins(var limit):
                limit.key = key
                settings.logins.append(limit)
            }
        }
        return settings
    }
}
