/// A configuration for the gateway under test, in the language that nginx and mailgateway share.
struct GatewayConfiguration {
    var workers = 1
    var workerConnections = 512
    var logLevel = "info"
    /// Further directives of the main level.
    var main: [String] = []
    /// Further directives inside `events {}`.
    var events: [String] = []
    /// Further directives inside `mail {}`.
    var mail: [String] = []
    var servers: [Server] = []

    /// One `server {}`.
    struct Server {
        var mail: Mail
        var endpoint: Endpoint
        /// Words behind the address in `listen`.
        var parameters = ""
        /// Further directives inside it.
        var directives: [String] = []
    }

    /// A server per protocol, with `auth_http` at the service.
    init(on stage: Stage, auth: Endpoint, behaviour: AuthService.Behaviour = .auth) throws {
        mail = ["auth_http \(auth)/\(behaviour.rawValue);", "server_name gateway.example.test;"]
        servers = try Mail.allCases.map { Server(mail: $0, endpoint: try stage.freeEndpoint()) }
    }

    /// The text of the file; log and pid file go to `directory`.
    func text(in directory: TestDirectory, preamble: String) -> String {
        var lines = [
            preamble,
            "worker_processes \(workers);",
            "error_log \(directory.path("gateway.log")) \(logLevel);",
            "pid \(directory.path("gateway.pid"));",
        ]
        lines += main
        lines += [
            "events {",
            "    worker_connections \(workerConnections);",
        ]
        lines += events.map { "    \($0)" }
        lines += ["}", "mail {"]
        lines += mail.map { "    \($0)" }
        for server in servers {
            lines += [
                "    server {", "        listen \(server.endpoint) \(server.parameters);",
                "        protocol \(server.mail.rawValue);",
            ]
            lines += server.directives.map { "        \($0)" }
            lines += ["    }"]
        }
        return (lines + ["}", ""]).joined(separator: "\n")
    }
}
