import Foundation
import Glibc

/// A server with a configuration; the measurements compare several of them on the same work.
struct SystemUnderTest {
    /// What stands in the tables and behind `--systems`.
    let name: String
    /// How the server is told what to do.
    let dialect: any ServerDialect
    private let executable: String

    /// The name of the system with which all others are compared.
    static let yardstick = "nginx"

    /// Measured unless others are named, those that are installed.
    static let usual = [yardstick, "nginx-64k", "mailgateway", "haproxy", "haproxy-64k", "dovecot"]

    /// All; `nginx-again` is nginx under another name, whose ratio shows how far noise alone goes.
    static let names = usual + ["nginx-again"]

    /// Finds the system's files on this machine.
    /// - Parameter gateway: path of the mailgateway executable.
    init(named name: String, gateway: String) throws(HarnessError) {
        self.name = name
        switch name {
        case "nginx", "nginx-again":
            dialect = NginxDialect(module: NginxDialect.installedModule)
        case "nginx-64k":
            dialect = NginxDialect(
                module: NginxDialect.installedModule,
                mailStatements: "proxy_buffer 64k; imap_client_buffer 64k;", isForRelayOnly: true)
        case "mailgateway":
            guard FileManager.default.isExecutableFile(atPath: gateway) else {
                throw HarnessError("\(gateway) is missing; build it with `make build`, or name it with --gateway")
            }
            dialect = GatewayDialect()
            executable = gateway
            return
        case "haproxy": dialect = HAProxyDialect(bufferSize: nil)
        case "haproxy-64k": dialect = HAProxyDialect(bufferSize: 65536)
        case "dovecot": dialect = DovecotDialect()
        default:
            throw HarnessError("no system is called \(name); there are \(Self.names.joined(separator: ", "))")
        }
        executable = try Self.find(dialect.program, package: dialect.package)
    }

    private static func find(_ program: String, package: String) throws(HarnessError) -> String {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
        let folders =
            path.split(separator: ":").map(String.init) + ["/usr/sbin", "/usr/local/sbin", "/usr/local/nginx/sbin"]
        let found = folders.map { "\($0)/\(program)" }.first { FileManager.default.isExecutableFile(atPath: $0) }
        guard let found else { throw HarnessError("\(program) is not installed (Debian: apt-get install \(package))") }
        return found
    }

    /// What the server calls itself, for the report's head.
    func version() -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: executable)
        process.arguments = [dialect.versionArgument]
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        guard (try? process.run()) != nil else { return "unknown" }
        let data = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        let text = String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
        return text.split(separator: "\n").first.map(String.init) ?? "unknown"
    }

    /// The server's process, on its cores.
    func spawn(_ plan: ServerPlan, configuration: String, cores: [Int]) throws(HarnessError) -> ChildProcess {
        try ChildProcess(
            name: name, program: executable,
            arguments: dialect.arguments(configuration: configuration, directory: plan.directory), cores: cores,
            parentDeathSignal: SIGTERM, streams: .file(plan.directory + "/output.log"))
    }
}

/// What a server shall do, whatever it is.
struct ServerPlan {
    /// For its files; `tls.crt`, `tls.key` and both in `tls.pem` are there where the load uses TLS.
    let directory: String
    /// Where it listens: IMAP, POP3, SMTP.
    let ports: [UInt16]
    let authPort: UInt16
    /// The ports of the back-ends, in the same order, each at all of `BackEndFarm.hosts`.
    let backEnds: [UInt16]
    let load: LoadPlan
}

/// How one kind of server is configured and started: no more workers than the plan says, all else by default.
protocol ServerDialect: Sendable {
    /// The executable's name, looked for in PATH and where servers are.
    var program: String { get }
    /// The Debian package it comes with.
    var package: String { get }
    var versionArgument: String { get }

    /// Whether it can do the scenario's work, and a row of it says anything.
    func serves(_ scenario: Scenario) -> Bool

    /// The text of its configuration.
    func configuration(_ plan: ServerPlan) -> String

    /// How it is started in the foreground.
    func arguments(configuration: String, directory: String) -> [String]
}
