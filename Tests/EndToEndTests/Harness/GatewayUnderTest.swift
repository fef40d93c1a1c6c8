import Foundation
import Glibc
import Testing

/// Which program plays the gateway.
///
/// The suites test mailgateway. With END_TO_END_GATEWAY=nginx in the environment they run against
/// nginx instead, which proves the tests themselves: a scenario of nginx's behaviour must pass there.
enum GatewayKind: String, Sendable {
    case mailgateway, nginx

    static let underTest =
        GatewayKind(rawValue: ProcessInfo.processInfo.environment["END_TO_END_GATEWAY"] ?? "") ?? .mailgateway

    /// What the configuration must begin with.
    var preamble: String {
        switch self {
        case .mailgateway: ""
        case .nginx: "load_module /usr/lib/nginx/modules/ngx_mail_module.so;\nuser \(MailOwner.runner);"
        }
    }

    /// The program and its arguments up to the configuration file's name.
    func command(checking: Bool, in directory: TestDirectory) -> [String] {
        switch self {
        case .mailgateway:
            [GatewayKind.builtProduct, checking ? "check" : "run", "-p", directory.path, "-c"]
        case .nginx:
            ["/usr/sbin/nginx", "-p", directory.path, "-e", directory.path("start.log")]
                + (checking ? ["-t", "-c"] : ["-g", "daemon off;", "-c"])
        }
    }

    /// Whether the reference can be run here.
    static var hasNginx: Bool {
        FileManager.default.isExecutableFile(atPath: "/usr/sbin/nginx")
            && FileManager.default.fileExists(atPath: "/usr/lib/nginx/modules/ngx_mail_module.so")
    }

    /// The debug build of the product, which lies beside the test bundle.
    static let builtProduct =
        URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
        .appendingPathComponent("mailgateway").path
}

extension MailOwner {
    /// The name of whoever runs the tests.
    static var runner: String {
        guard let entry = unsafe getpwuid(geteuid()) else { return "root" }
        return unsafe String(cString: entry.pointee.pw_name)
    }
}

extension Trait where Self == ConditionTrait {
    /// What is tested goes beyond nginx, so that nginx cannot stand in for the gateway.
    static var beyondNginx: ConditionTrait {
        .enabled("nginx does not do this") { GatewayKind.underTest == .mailgateway }
    }
}

/// A gateway that runs, proxying for one test.
struct GatewayUnderTest {
    let kind: GatewayKind
    let process: RunningProcess
    let configuration: GatewayConfiguration
    private let directory: TestDirectory

    /// Starts it and waits for its pid file, which it writes once every listener is bound.
    /// - Parameters:
    ///   - text: the configuration file, if it is another than `configuration` makes; its pid file is `gateway.pid`.
    ///   - launcher: a program and its arguments to start the gateway through.
    init(
        on stage: Stage, _ configuration: GatewayConfiguration, text: String? = nil, kind: GatewayKind = .underTest,
        launcher: [String] = []
    ) throws {
        self.kind = kind
        self.configuration = configuration
        directory = stage.directory
        let made = configuration.text(in: directory, preamble: kind.preamble)
        let file = try directory.write("gateway.conf", text ?? made)
        process = try stage.start("gateway", launcher + kind.command(checking: false, in: directory) + [file])
        let running = process
        try waitUntil("the gateway's pid file", within: .seconds(20)) {
            guard running.isRunning else {
                throw EndedEarly(name: "gateway", output: running.output + running.errors)
            }
            return textOfFile(stage.directory.path("gateway.pid")).hasSuffix("\n")
        }
    }

    /// Writes the configuration file and returns its path.
    static func write(_ configuration: GatewayConfiguration, kind: GatewayKind = .underTest, on stage: Stage) throws
        -> String
    {
        try stage.directory.write(
            "gateway.conf", configuration.text(in: stage.directory, preamble: kind.preamble))
    }

    /// Where it serves a protocol; the first such server.
    func endpoint(_ mail: Mail) throws -> Endpoint {
        try #require(configuration.servers.first { $0.mail == mail }).endpoint
    }

    /// A client that is connected and was greeted.
    func greetedClient(_ mail: Mail) throws -> RawClient {
        let client = try RawClient(endpoint(mail))
        let greeting = try client.line()
        try #require(greeting.hasPrefix(mail.greetingPrefix), "\(greeting)")
        return client
    }

    /// What the error log holds so far.
    var log: String { textOfFile(directory.path("gateway.log")) }

    /// Everything it has written anywhere.
    var everythingSaid: String { log + process.output + process.errors }

    /// The pids of its worker processes: the children of the process that was started.
    var workers: [pid_t] { childProcesses(of: process.pid) }
}

/// The children of a process, found by looking at every process's parent.
func childProcesses(of parent: pid_t) -> [pid_t] {
    let names: [String]
    do {
        names = try FileManager.default.contentsOfDirectory(atPath: "/proc")
    } catch {
        return []
    }
    return names.compactMap { pid_t($0) }.filter { child in
        // The fields after the name, which is in parentheses and may hold spaces: state, parent, …
        let stat = textOfFile("/proc/\(child)/stat")
        guard let end = stat.lastIndex(of: ")") else { return false }
        let fields = stat[stat.index(after: end)...].split(separator: " ")
        return fields.count > 1 && pid_t(fields[1]) == parent && fields[0] != "Z"
    }
}
