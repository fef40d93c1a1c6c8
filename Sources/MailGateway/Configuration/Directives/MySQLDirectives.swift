import AsyncIO
import MailSessions

/// Logins decided by a MariaDB or MySQL database: `auth_mysql` and what belongs to it.
enum MySQLDirectives {
    static let authMySQL = Setting(
        "auth_mysql", sharing: AuthenticatorDirectives.slot, in: [.mail, .server], database, shown: "none",
        repetition: .adds,
        "The MariaDB or MySQL server that is asked about each login with `auth_mysql_query`: a host, with port 3306 by "
            + "default, or a unix socket. `user` is whom we log in as there, `password_file` a file with "
            + "the password in one line (a path relative to the main file's directory), `database` the schema of the query's "
            + "tables. A user without a row is unknown, and the next authenticator is asked. Each worker keeps its own "
            + "connections. A database that cannot be reached or takes too long is a temporary error. A program that was "
            + "built without libmariadb refuses this directive. Not in nginx.")

    static let query = Setting(
        "auth_mysql_query", in: [.mail, .server], sql, shown: "none; required with `auth_mysql`",
        "The SQL statement that finds an account. Placeholders are bound as parameters of a prepared statement, so "
            + "nothing that a client sends can be SQL: `:login` (also `?`), `:local_part` and `:domain` (in front of and "
            + "behind the last `@`), `:protocol` (`imap`, `pop3` or `smtp`) and `:client_ip`. The result has one row or "
            + "none. Its columns have names: `password` (required: a crypt(3) hash, or `{PLAIN}` and the password, which "
            + "CRAM-MD5 and APOP need; NULL locks the account), `host` and `port` (the back-end or its group; NULL for "
            + "`proxy_pass`), `user` and `backend_password` (for the login there), `proxy_ssl` (`off`, `on` or `starttls`), "
            + "`reason` (not NULL: who knows the password is refused with this text) and `wait` (seconds until such a "
            + "client may try again; NULL ends its session). Not in nginx.")

    static let timeout = Setting(
        "auth_mysql_timeout", in: [.mail, .server], .time, default: "10s",
        "How long one login waits for the database, and how long the server may work on a statement. Not in nginx.")

    static let connections = Setting(
        "auth_mysql_connections", in: [.mail, .server], .number(1...64), default: "4",
        "How many connections, each with a thread, a worker opens at most; so many logins it asks about at once. Not in "
            + "nginx.")

    static let queue = Setting(
        "auth_mysql_queue", in: [.mail, .server], .number(0...65536), default: "256",
        "How many logins of a worker may wait for a connection; one more is a temporary error at once. Not in nginx.")

    static let usesTLS = Setting(
        "auth_mysql_ssl", in: [.mail, .server], .flag, default: "off",
        "Whether connections to the database must use TLS. Not in nginx.")

    static let verifies = Setting(
        "auth_mysql_ssl_verify", in: [.mail, .server], .flag, default: "on",
        "Whether the database must prove by its certificate that it is the host of `auth_mysql`. Not in nginx.")

    static let trustedAuthorities = Setting(
        "auth_mysql_ssl_trusted_certificate", in: [.mail, .server], .text("file"), shown: "the system's authorities",
        "Authorities that vouch for the database. Not in nginx.")

    /// All rows.
    static let rows: [Directive] = [
        authMySQL.directive, query.directive, timeout.directive, connections.directive, queue.directive,
        usesTLS.directive, verifies.directive, trustedAuthorities.directive,
    ]

    /// The settings with the values that are inherited one by one.
    static func completed(
        _ settings: MySQLSettings, _ values: ScopeChain, at position: Position, _ context: inout ParseContext
    ) throws(ConfigurationError) -> MySQLSettings {
        guard let query = values[MySQLDirectives.query] else {
            throw ConfigurationError(
                "no \"auth_mysql_query\" is defined for the \"auth_mysql\" directive", at: position,
                accepted: "Add for instance: auth_mysql_query \"SELECT password FROM accounts WHERE login = :login\";")
        }
        var settings = settings
        settings.query = query
        settings.timeout = values[timeout]
        settings.connections = values[connections]
        settings.queue = values[queue]
        settings.tls = try TLSAssembly(values, at: position).database(&context)
        return settings
    }

    private static let forms =
        "It must be host[:port] or unix:/socket, then user=name and perhaps password_file=file and database=name."

    private static let database = ValueSyntax<[AuthenticatorSettings]>(
        .oneOrMore, "*host*[:*port*] \\| unix:*socket* user=*name* [password_file=*file*] [database=*name*]"
    ) { (statement, previous, context) throws(ConfigurationError) in
        #if MySQL
            let text = statement.arguments[0]
            var settings = MySQLSettings(server: try server(text, statement), user: "")
            for word in statement.arguments.dropFirst() {
                guard let equals = word.firstIndex(of: "=") else { throw invalidParameter(word, statement) }
                let value = try printable(String(word[word.index(after: equals)...]), of: statement)
                switch word[..<equals] {
                case "user": settings.user = value
                case "database": settings.database = value
                case "password_file": settings.password = try context.password(in: value, at: statement.position)
                default: throw invalidParameter(word, statement)
                }
            }
            guard !settings.user.isEmpty else {
                throw statement.error("no user in auth_mysql \(quoted(text))", accepted: forms)
            }
            return (previous ?? []) + [.mysql(settings)]
        #else
            throw statement.error(
                "\"auth_mysql\" needs libmariadb, which this program was built without",
                accepted: "Build it with the package trait MySQL, which is on by default.")
        #endif
    }

    private static func invalidParameter(_ word: String, _ statement: Statement) -> ConfigurationError {
        statement.error("invalid parameter: \(escaped(word))", accepted: forms)
    }

    private static func server(
        _ text: String, _ statement: Statement
    ) throws(ConfigurationError) -> MySQLSettings.Server {
        do throws(Endpoint.Failure) {
            let endpoint = try Endpoint(text, for: .nameServer)
            let port = endpoint.ports?.lowerBound ?? 3306
            switch endpoint.host {
            case .any: throw Endpoint.Failure(text: "no host")
            case .literal(let address): return .host(address.hostText, port: port)
            case .name(let name): return .host(name, port: port)
            case .unix(let path): return .unix(path)
            }
        } catch {
            throw statement.error("\(error.text) in auth_mysql \(quoted(text))", accepted: forms)
        }
    }

    private static let sql = ValueSyntax<MySQLQuery>(.one, "*statement*") {
        (statement, _, _) throws(ConfigurationError) in
        let text = statement.arguments[0]
        do throws(MySQLQuery.Failure) {
            return try MySQLQuery(text)
        } catch {
            throw statement.error("\(words(error)) in auth_mysql_query", accepted: placeholders)
        }
    }

    private static let placeholders =
        "Placeholders are " + MySQLQuery.Parameter.allCases.map { ":\($0.rawValue)" }.joined(separator: ", ")
        + ", and ? for the login."

    private static func words(_ failure: MySQLQuery.Failure) -> String {
        switch failure {
        case .unknownPlaceholder(let name): "unknown placeholder \(quoted(":\(name)"))"
        case .noPlaceholder: "no placeholder"
        case .tooManyPlaceholders: "more than \(MySQLQuery.parametersMaximum) placeholders"
        case .unterminated: "unterminated string or comment"
        }
    }
}
