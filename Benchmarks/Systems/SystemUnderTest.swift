import Foundation
import Glibc

/// A server with a configuration; the measurements compare several of them on the same work.
struct SystemUnderTest {
    /// What stands in the tables and behind `--systems`.
    let name: String
    private let program: String
    private let arguments: @Sendable (_ configuration: String, _ directory: String) -> [String]
    /// Statements outside of `mail {}` that this server needs.
    private let mainStatements: String
    /// Statements in `mail {}` in which this system differs from the defaults.
    private let mailStatements: String
    /// Whether it differs from the plain system in nothing but relaying, so that other scenarios leave it out.
    let isForRelayOnly: Bool

    /// The name of the system with which all others are compared.
    static let yardstick = "nginx"

    /// Measured unless others are named.
    static let usual = [yardstick, "nginx-64k", "mailgateway"]

    /// All; `nginx-again` is nginx under another name, whose ratio shows how far noise alone goes.
    static let names = usual + ["nginx-again"]

    private static let largeBuffers = "proxy_buffer 64k; imap_client_buffer 64k;"

    /// Finds the system's files on this machine.
    /// - Parameter gateway: path of the mailgateway executable.
    init(named name: String, gateway: String) throws(HarnessError) {
        self.name = name
        switch name {
        case "nginx", "nginx-64k", "nginx-again":
            let (executable, module) = try Self.findNginx()
            program = executable
            mainStatements = module.map { "load_module \($0);" } ?? ""
            mailStatements = name == "nginx-64k" ? Self.largeBuffers : ""
            isForRelayOnly = name == "nginx-64k"
            arguments = { ["-c", $0, "-p", $1, "-e", $1 + "/error.log"] }
        case "mailgateway":
            guard FileManager.default.isExecutableFile(atPath: gateway) else {
                throw HarnessError("\(gateway) is missing; build it with `make build`, or name it with --gateway")
            }
            program = gateway
            mainStatements = ""
            mailStatements = ""
            isForRelayOnly = false
            arguments = { configuration, _ in ["run", "-c", configuration] }
        default:
            throw HarnessError("no system is called \(name); there are \(Self.names.joined(separator: ", "))")
        }
    }

    /// nginx and, where the mail module is a file of its own, that file.
    private static func findNginx() throws(HarnessError) -> (executable: String, module: String?) {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
        let folders =
            path.split(separator: ":").map(String.init) + ["/usr/sbin", "/usr/local/sbin", "/usr/local/nginx/sbin"]
        guard
            let executable = folders.map({ $0 + "/nginx" }).first(where: {
                FileManager.default.isExecutableFile(atPath: $0)
            })
        else {
            throw HarnessError("nginx is not installed (Debian: apt-get install nginx-light libnginx-mod-mail)")
        }
        let modules = ["/usr/lib/nginx/modules", "/usr/lib64/nginx/modules", "/usr/local/nginx/modules"]
            .map { $0 + "/ngx_mail_module.so" }
        return (executable, modules.first { FileManager.default.isReadableFile(atPath: $0) })
    }

    /// What the server calls itself, for the report's head.
    func version() -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = name == "mailgateway" ? ["--version"] : ["-v"]
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        guard (try? process.run()) != nil else { return "unknown" }
        let data = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        let text = String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
        return text.split(separator: "\n").first.map(String.init) ?? "unknown"
    }

    /// The configuration: one worker, three listeners, everything else by default.
    func configuration(
        directory: String, ports: [UInt16], authPort: UInt16, connections: Int, _ security: LoadSecurity
    ) -> String {
        let parameter = security.isImplicit ? " ssl" : ""
        let servers = zip(["imap", "pop3", "smtp"], ports)
            .map { "    server { listen 127.0.0.1:\($1)\(parameter); protocol \($0); }" }
            .joined(separator: "\n")
        let tls =
            security == .none
            ? ""
            : "ssl_certificate \(directory)/tls.crt; ssl_certificate_key \(directory)/tls.key; "
                + "ssl_protocols TLSv1.2 TLSv1.3;" + (security == .startTLS ? " starttls on;" : "")
        return """
            \(mainStatements)
            daemon off;
            worker_processes 1;
            error_log \(directory)/error.log;
            pid \(directory)/server.pid;
            events { worker_connections \(connections); }
            mail {
                server_name proxy.example;
                auth_http 127.0.0.1:\(authPort)/auth;
                \(mailStatements)
                \(tls)
            \(servers)
            }

            """
    }

    /// The server's process, on its core.
    func spawn(configuration: String, directory: String, cores: [Int]) throws(HarnessError) -> ChildProcess {
        try ChildProcess(
            name: name, program: program, arguments: arguments(configuration, directory), cores: cores,
            parentDeathSignal: SIGTERM, streams: .file(directory + "/output.log"))
    }
}
