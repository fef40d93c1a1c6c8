import AsyncIO
import MailSessions

/// The directives within `upstream {}`.
enum UpstreamDirectives {
    static let server = Setting(
        "server", in: .upstream, member, shown: "none; at least one is required", repetition: .adds,
        "One back-end of the group: an address, a host name or a unix socket. Without a port it is the one of the "
            + "protocol of whoever uses the group: 143, 110 or 25, with `proxy_ssl on` 993, 995 or 465. A name is looked up "
            + "when the configuration is read, or with `resolve` while the program runs: through the `resolver`, or without "
            + "one by the system, and again when the answer's time is over. Each of its addresses is a back-end then. "
            + "`weight` (1) is its share; `max_conns` (0, unbounded) the most connections to it from each worker; "
            + "`max_fails` (1) failures within `fail_timeout` (10s) take it out for as long, then one client tries it again. "
            + "A failure is a connection that cannot be made, or a greeting that does not come or is none. `backup` "
            + "stands in when no other is left, `down` is never used. With `slow_start` its share grows from nothing to "
            + "`weight` in that time after it came back (in nginx a commercial feature).")

    static let leastConnections = Setting(
        "least_conn", sharing: "balancing", in: .upstream, constant(.leastConnections), repetition: .replaces,
        "The member with the fewest connections in proportion to its weight; among equals round robin.")

    static let hash = Setting(
        "hash", sharing: "balancing", in: .upstream, hashing, repetition: .replaces,
        "The same member for the same user, by the name that the back-end is shown. With `consistent` few users move "
            + "when members come and go (ketama, as in nginx: users stay where nginx had them). Another member takes "
            + "over while theirs does not serve. There are no backups then.")

    static let random = Setting(
        "random", sharing: "balancing", in: .upstream, chance, repetition: .replaces,
        "A member by chance, in proportion to the weights; with `two` the one of two that has fewer connections. There "
            + "are no backups then.")

    static let check = Setting(
        "health_check", in: .upstream, healthCheck, shown: "none",
        "Asks each member every `interval` (5s, a tenth more or less) whether it serves, in each worker: a connection, TLS "
            + "where `proxy_ssl` says so, the greeting, and the capabilities (IMAP CAPABILITY, POP3 CAPA, SMTP EHLO), all "
            + "within `timeout` (5s). `fails` (1) failures in a row take it out, `passes` (1) successes bring it back. "
            + "With `login` a user logs in instead, whose password is the first line of `password_file`. In nginx a "
            + "commercial feature of other modules.")

    /// All rows but that of the block.
    static let rows: [Directive] = [
        server.directive, leastConnections.directive, hash.directive, random.directive, check.directive,
        .ignored(
            "zone", in: .upstream, ValueSyntax<[String]>.words("name", .oneOrTwo),
            because: "each worker knows the health of its groups by itself"),
    ]

    // MARK: server

    /// The largest weight: `hash … consistent` makes 160 points for each unit.
    static let weightMaximum = 65_535

    private static let memberForms =
        "A back-end is address[:port], host[:port] or unix:/path; behind it may stand weight=, max_conns=, max_fails=, "
        + "fail_timeout=, slow_start=, backup, down and resolve."

    private static let member = ValueSyntax<[BackEndGroupSettings.Member]>(
        .oneOrMore,
        "*address* [weight=*number*] [max_conns=*number*] [max_fails=*number*] [fail_timeout=*time*] "
            + "[slow_start=*time*] [backup] [down] [resolve]"
    ) { (statement, previous, context) throws(ConfigurationError) in
        let text = statement.arguments[0]
        var member: BackEndGroupSettings.Member
        do throws(Endpoint.Failure) {
            let endpoint = try Endpoint(text, for: .backEnd)
            if case .name(let name) = endpoint.host, !HostName.isValid(name.utf8) {
                throw Endpoint.Failure(text: "invalid host")
            }
            member = BackEndGroupSettings.Member(label: text, host: endpoint.hostText, addresses: [])
            member.port = endpoint.ports?.lowerBound ?? 0
            for word in statement.arguments.dropFirst() where !take(word, into: &member) {
                throw Endpoint.Failure(text: "invalid parameter \(quoted(word))")
            }
            if member.resolves, case .name = endpoint.host { return (previous ?? []) + [member] }
            guard !member.resolves else { throw Endpoint.Failure(text: "no name to resolve") }
            member.addresses = try endpoint.addresses(port: member.port, &context)
        } catch {
            throw statement.error("\(error.text) in upstream server \(quoted(text))", accepted: memberForms)
        }
        return (previous ?? []) + [member]
    }

    /// Takes a parameter; false when it is none.
    private static func take(_ word: String, into member: inout BackEndGroupSettings.Member) -> Bool {
        switch word {
        case "backup": member.isBackup = true
        case "down": member.isDown = true
        case "resolve": member.resolves = true
        default:
            guard let (name, value) = parameter(word) else { return false }
            switch name {
            case "weight":
                guard let weight = decimal(value, in: 1...weightMaximum) else { return false }
                member.weight = weight
            case "max_conns":
                guard let maximum = decimal(value) else { return false }
                member.connectionsMaximum = maximum == 0 ? nil : maximum
            case "max_fails":
                guard let maximum = decimal(value) else { return false }
                member.failsMaximum = maximum
            case "fail_timeout":
                guard let time = duration(value, precision: .seconds) else { return false }
                member.failTimeout = time
            case "slow_start":
                guard let time = duration(value, precision: .seconds) else { return false }
                member.slowStart = time
            default: return false
            }
        }
        return true
    }

    /// `name=value`; nil for what has no `=`.
    private static func parameter(_ word: String) -> (name: Substring, value: Substring)? {
        guard let sign = word.firstIndex(of: "=") else { return nil }
        return (word[..<sign], word[word.index(after: sign)...])
    }

    // MARK: Methods

    private static func constant(
        _ method: BackEndGroupSettings.Balancing
    ) -> ValueSyntax<BackEndGroupSettings.Balancing> {
        ValueSyntax(.none, "") { (_, _, _) throws(ConfigurationError) in method }
    }

    private static let hashing = ValueSyntax<BackEndGroupSettings.Balancing>(.oneOrTwo, "$auth_user [consistent]") {
        (statement, _, _) throws(ConfigurationError) in
        guard statement.arguments[0] == "$auth_user" else {
            throw statement.invalidValue(statement.arguments[0], accepted: "The key is $auth_user, who logs in.")
        }
        guard let word = statement.arguments.dropFirst().first else { return .hash(isConsistent: false) }
        guard word == "consistent" else {
            throw statement.error("invalid parameter \(quoted(word))", accepted: "It can be: consistent.")
        }
        return .hash(isConsistent: true)
    }

    private static let chance = ValueSyntax<BackEndGroupSettings.Balancing>(
        ArgumentCount(minimum: 0, maximum: 2), "[two [least_conn]]"
    ) { (statement, _, _) throws(ConfigurationError) in
        guard let word = statement.arguments.first else { return .random }
        for (word, expected) in zip(statement.arguments, ["two", "least_conn"]) where word != expected {
            throw statement.error("invalid parameter \(quoted(word))", accepted: "It can be: two, or two least_conn.")
        }
        return word == "two" ? .randomOfTwo : .random
    }

    // MARK: health_check

    private static let checkForms =
        "The parameters are interval=, timeout=, fails=, passes=, and login= together with password_file=."

    private static let healthCheck = ValueSyntax<HealthCheckSettings>(
        .any,
        "[interval=*time*] [timeout=*time*] [fails=*number*] [passes=*number*] [login=*user* password_file=*file*]"
    ) { (statement, _, context) throws(ConfigurationError) in
        var check = HealthCheckSettings()
        var user: String?
        var file: String?
        for word in statement.arguments {
            switch parameter(word) {
            case ("login", let value)? where !value.isEmpty: user = try printable(String(value), of: statement)
            case ("password_file", let value)? where !value.isEmpty: file = String(value)
            case let (name, value)? where take(name, value, into: &check): break
            default: throw statement.error("invalid parameter \(quoted(word))", accepted: checkForms)
            }
        }
        switch (user, file) {
        case (nil, nil): break
        case (let user?, let file?):
            let password = try password(context.pathOfConfiguration(file), statement, &context)
            check.login = HealthCheckSettings.Login(user: user, password: password)
        default:
            throw statement.error("\"login\" and \"password_file\" belong together", accepted: checkForms)
        }
        return check
    }

    /// Takes a parameter; false when it is none.
    private static func take(_ name: Substring, _ value: Substring, into check: inout HealthCheckSettings) -> Bool {
        switch name {
        case "interval":
            guard let time = duration(value, precision: .milliseconds), time > .zero else { return false }
            check.interval = time
        case "timeout":
            guard let time = duration(value, precision: .milliseconds), time > .zero else { return false }
            check.timeout = time
        case "fails":
            guard let count = decimal(value, in: 1...1_000_000) else { return false }
            check.failsMaximum = count
        case "passes":
            guard let count = decimal(value, in: 1...1_000_000) else { return false }
            check.passesMinimum = count
        default: return false
        }
        return true
    }

    /// The first line of a file.
    private static func password(
        _ path: String, _ statement: Statement, _ context: inout ParseContext
    ) throws(ConfigurationError) -> Secret {
        var text = try context.read(path, as: .accounts, at: statement.position).bytes
        defer { wipe(&text) }
        let line = text.prefix { $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: "\r") }
        guard !line.isEmpty else {
            throw statement.error("no password in \(quoted(path))", accepted: "Its first line is the password.")
        }
        return Secret(line)
    }
}
