import Foundation

/// nginx with its mail module: the yardstick, or with other buffers.
struct NginxDialect: ServerDialect {
    /// The mail module, where it is a file of its own.
    let module: String?
    /// Statements in `mail {}` in which this system differs from the defaults.
    var mailStatements = ""
    /// Whether it differs from the plain system in nothing but relaying, so that other scenarios leave it out.
    var isForRelayOnly = false

    let program = "nginx"
    let package = "nginx-light libnginx-mod-mail"
    let versionArgument = "-v"

    static var installedModule: String? {
        ["/usr/lib/nginx/modules", "/usr/lib64/nginx/modules", "/usr/local/nginx/modules"]
            .map { $0 + "/ngx_mail_module.so" }.first { FileManager.default.isReadableFile(atPath: $0) }
    }

    func serves(_ scenario: Scenario) -> Bool { !isForRelayOnly || scenario.isRelay }

    func configuration(_ plan: ServerPlan) -> String {
        MailBlock.configuration(
            plan, mainStatements: module.map { "load_module \($0);" } ?? "", mailStatements: mailStatements)
    }

    func arguments(configuration: String, directory: String) -> [String] {
        ["-c", configuration, "-p", directory, "-e", directory + "/error.log"]
    }
}

/// mailgateway, which reads the same.
struct GatewayDialect: ServerDialect {
    let program = "mailgateway"
    let package = "mailgateway"
    let versionArgument = "--version"

    func serves(_ scenario: Scenario) -> Bool { true }

    func configuration(_ plan: ServerPlan) -> String { MailBlock.configuration(plan) }

    func arguments(configuration: String, directory: String) -> [String] { ["run", "-c", configuration] }
}

/// The configuration that nginx and mailgateway share, to the letter.
private enum MailBlock {
    static func configuration(_ plan: ServerPlan, mainStatements: String = "", mailStatements: String = "") -> String {
        let security = plan.load.security
        let parameter = security.isImplicit ? " ssl" : ""
        let servers = zip(["imap", "pop3", "smtp"], plan.ports)
            .map { "    server { listen 127.0.0.1:\($1)\(parameter); protocol \($0); }" }
            .joined(separator: "\n")
        let tls =
            security == .none
            ? ""
            : "ssl_certificate \(plan.directory)/tls.crt; ssl_certificate_key \(plan.directory)/tls.key; "
                + "ssl_protocols TLSv1.2 TLSv1.3;" + (security == .startTLS ? " starttls on;" : "")
        return """
            \(mainStatements)
            daemon off;
            worker_processes \(plan.load.workers);
            error_log \(plan.directory)/error.log\(plan.load.isLogged ? " info" : "");
            pid \(plan.directory)/server.pid;
            events { worker_connections \(plan.load.connections); }
            mail {
                server_name proxy.example;
                auth_http 127.0.0.1:\(plan.authPort)/auth;
                \(mailStatements)
                \(tls)
            \(servers)
            }

            """
    }
}
