import Foundation
import Testing

/// A MariaDB server of a test's own: no service of the system's, its data in the stage's directory.
final class Database {
    let endpoint: Endpoint
    /// Its unix socket.
    let socket: String
    private let stage: Stage
    private let options: [String]
    private(set) var process: RunningProcess

    /// Whom the gateway logs in as.
    static let user = "gateway"
    static let password = "CANARYdb4x8qHeron"

    /// Makes the table and the user.
    static let schema = """
        CREATE DATABASE mail CHARACTER SET utf8mb4;
        CREATE TABLE mail.accounts (
            login VARCHAR(255) PRIMARY KEY, password VARCHAR(512), host VARCHAR(255), port INT,
            user VARCHAR(255), backend_password VARCHAR(255), proxy_ssl VARCHAR(16), reason VARCHAR(600), wait INT);
        CREATE USER \(Database.user)@'%' IDENTIFIED BY '\(Database.password)';
        CREATE USER \(Database.user)@localhost IDENTIFIED BY '\(Database.password)';
        GRANT SELECT ON mail.* TO \(Database.user)@'%', \(Database.user)@localhost;
        """

    /// A row of `accounts`; SQL values, `NULL` where nothing is said.
    struct Row {
        var login: String
        var password = "NULL"
        var host = "NULL"
        var port = "NULL"
        var user = "NULL"
        var backEndPassword = "NULL"
        var proxySSL = "NULL"
        var reason = "NULL"
        var wait = "NULL"

        /// Somebody whose password is kept as it is.
        init(_ account: Account, at backEnd: Endpoint? = nil) {
            login = Database.quoted(account.name)
            password = Database.quoted("{PLAIN}\(account.password)")
            host = backEnd.map { Database.quoted($0.host) } ?? "NULL"
            port = backEnd.map { "\($0.port)" } ?? "NULL"
        }
    }

    /// Starts it with a table `mail.accounts`, which the gateway's user may read.
    /// - Parameters:
    ///   - options: further options of the server.
    ///   - schema: the SQL that makes table and user.
    init(on stage: Stage, _ rows: [Row] = [], options: [String] = [], schema: String = Database.schema) throws {
        self.stage = stage
        self.options = options
        endpoint = try stage.freeEndpoint()
        socket = stage.directory.path("database/socket")
        try stage.directory.makeFolder("database")
        try FileManager.default.copyItem(
            atPath: try Database.template.get(), toPath: stage.directory.path("database/data"))
        process = try Database.start(on: stage, endpoint, socket, options)
        try run(schema)
        for row in rows { try add(row) }
    }

    /// Adds or replaces an account.
    func add(_ row: Row) throws {
        let values = [
            row.login, row.password, row.host, row.port, row.user, row.backEndPassword, row.proxySSL, row.reason,
            row.wait,
        ]
        try run("REPLACE INTO mail.accounts VALUES (\(values.joined(separator: ", ")));")
    }

    /// Runs SQL as root and returns what it prints, tab-separated without titles.
    @discardableResult
    func run(_ sql: String) throws -> String {
        let file = try stage.directory.write("statement.sql", sql)
        let result = try stage.run(
            [
                "/usr/bin/mariadb", "--no-defaults", "--socket=\(socket)", "--user=root", "--batch",
                "--skip-column-names",
            ],
            input: file)
        try #require(result.succeeded, "\(result)")
        return result.output
    }

    /// Ends the server as an administrator would.
    func stop() { process.stop() }

    /// Starts it again with the data it had.
    func startAgain() throws { process = try Database.start(on: stage, endpoint, socket, options) }

    /// The directives that make the gateway ask it.
    /// - Parameter query: reads all columns of `accounts` by default.
    func directives(query: String = Database.query, over server: String? = nil) throws -> [String] {
        let file = try stage.directory.write("database-password", Database.password + "\n", mode: 0o600)
        return [
            "auth_mysql \(server ?? "\(endpoint)") user=\(Database.user) password_file=\(file) database=mail;",
            "auth_mysql_query \"\(query)\";",
        ]
    }

    static let query =
        "SELECT password, host, port, user, backend_password, proxy_ssl, reason, wait FROM accounts WHERE login = :login"

    /// A text as SQL writes it.
    static func quoted(_ text: String) -> String {
        "'" + text.replacingOccurrences(of: "\\", with: "\\\\").replacingOccurrences(of: "'", with: "''") + "'"
    }

    private static func start(
        on stage: Stage, _ endpoint: Endpoint, _ socket: String, _ options: [String]
    ) throws -> RunningProcess {
        let process = try stage.start(
            "database",
            [
                "/usr/sbin/mariadbd", "--no-defaults", "--user=\(MailOwner.runner)",
                "--datadir=\(stage.directory.path("database/data"))", "--socket=\(socket)",
                "--bind-address=\(endpoint.host)", "--port=\(endpoint.port)", "--skip-name-resolve",
                "--innodb-buffer-pool-size=8M", "--innodb-log-file-size=\(logFileSize)", "--performance-schema=OFF",
                "--innodb-flush-log-at-trx-commit=0",
            ] + options)
        try process.waitUntilListening(on: endpoint, within: .seconds(30))
        return process
    }

    private static let logFileSize = "4M"

    /// An empty server's data, made once and kept beside the test bundle: making it takes seconds.
    private static let template = Result {
        let path = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
            .appendingPathComponent("mariadb-template").path
        guard !FileManager.default.fileExists(atPath: path) else { return path }
        try Stage.run { stage in
            // The tables' paths are relative, so that the directory can be moved.
            let made = "\(path)-\(ProcessInfo.processInfo.processIdentifier)"
            let result = try stage.run(
                [
                    "/usr/bin/mariadb-install-db", "--no-defaults", "--datadir=\(made)", "--user=\(MailOwner.runner)",
                    "--auth-root-authentication-method=normal", "--skip-test-db",
                    "--innodb-log-file-size=\(logFileSize)",
                ], within: .seconds(120))
            try #require(result.succeeded, "\(result)")
            try FileManager.default.moveItem(atPath: made, toPath: path)
        }
        return path
    }
}

/// A gateway that asks a database, in front of scripted back-ends.
struct DatabaseSite {
    let stage: Stage
    let database: Database
    let gateway: GatewayUnderTest
    let backEnds: [Mail: ScriptedBackEnd]

    /// Starts everything, runs `body`, and stops everything. All accounts of the tests are in the database, and
    /// their back-ends are the servers' `proxy_pass`.
    static func run(
        mode: ScriptedBackEnd.Mode = .ok, rows: [Database.Row] = [], query: String = Database.query,
        options: [String] = [], adjust: (inout GatewayConfiguration, Database) throws -> Void = { _, _ in },
        _ body: (DatabaseSite) throws -> Void
    ) throws {
        try Stage.run { stage in
            var backEnds: [Mail: ScriptedBackEnd] = [:]
            for mail in Mail.allCases { backEnds[mail] = try ScriptedBackEnd(on: stage, mail, mode) }
            let database = try Database(on: stage, Account.all.map { Database.Row($0) } + rows, options: options)
            var configuration = try GatewayConfiguration(on: stage, auth: database.endpoint)
            configuration.mail = try ["server_name gateway.example.test;"] + database.directives(query: query)
            for (index, server) in configuration.servers.enumerated() {
                let backEnd = try #require(backEnds[server.mail]).endpoint
                configuration.servers[index].directives.append("proxy_pass \(backEnd);")
            }
            try adjust(&configuration, database)
            let gateway = try GatewayUnderTest(on: stage, configuration)
            try body(DatabaseSite(stage: stage, database: database, gateway: gateway, backEnds: backEnds))
        }
    }

    /// The answer to a login.
    func logIn(_ mail: Mail = .imap, as account: Account = .ann, password: String? = nil) throws -> String {
        try gateway.greetedClient(mail).logIn(mail, as: account, password: password)
    }
    /// How the gateway may answer.
    enum Answer {
        case accepted, refused
        /// The temporary error.
        case unavailable
    }

    /// Checks how a login is answered.
    func expectLogin(
        _ expected: Answer, _ mail: Mail = .imap, as account: Account = .ann, password: String? = nil,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let answer = try logIn(mail, as: account, password: password)
        let log = gateway.log.suffix(600)
        switch expected {
        case .accepted: #expect(answer.hasPrefix(mail.loggedInPrefix), "\(log)", sourceLocation: sourceLocation)
        case .refused: #expect(answer == mail.loginRefused, "\(log)", sourceLocation: sourceLocation)
        case .unavailable: #expect(answer.hasPrefix(mail.unavailablePrefix), "\(log)", sourceLocation: sourceLocation)
        }
    }
}
