import Foundation
import Glibc
import Testing

/// `daemon on`, and what workers take on at their birth.
@Suite("Background", .endToEnd, .beyondNginx) struct DaemonTests {
    private static func program(_ stage: Stage) -> String {
        GatewayKind.mailgateway.command(checking: false, in: stage.directory)[0]
    }

    private static func pid(_ stage: Stage) -> pid_t? {
        pid_t(textOfFile(stage.directory.path("gateway.pid")).trimmingCharacters(in: .newlines))
    }

    /// A gateway in the background, which is no child of ours.
    private func run(_ body: (Stage, GatewayConfiguration, pid_t) throws -> Void) throws {
        try Stage.run { stage in
            let configuration = try GatewayConfiguration(on: stage, auth: stage.freeEndpoint())
            try run(configuration, on: stage) { try body(stage, configuration, $0) }
        }
    }

    private func run(_ configuration: GatewayConfiguration, on stage: Stage, _ body: (pid_t) throws -> Void) throws {
        var configuration = configuration
        configuration.main.append("daemon on;")
        // Root is warned at the terminal where nobody is named.
        if geteuid() == 0 { configuration.main.append("user root;") }
        let file = try GatewayUnderTest.write(configuration, on: stage)
        let result = try stage.run([Self.program(stage), "run", "-c", file])
        let daemon = try #require(Self.pid(stage), "\(result)")
        defer { kill(daemon, SIGKILL) }
        #expect(result.succeeded && result.output.isEmpty && result.errors.isEmpty, "\(result)")
        try body(daemon)
    }

    private static func log(_ stage: Stage) -> String { textOfFile(stage.directory.path("gateway.log")) }

    @Test func whoeverStartsItIsFreeOnceItServes() throws {
        try run { stage, configuration, daemon in
            // No waiting here: it serves when the command has ended.
            for server in configuration.servers { #expect(server.endpoint.acceptsConnections) }
            #expect(getsid(daemon) == daemon, "it has a session of its own")
            #expect(textOfFile("/proc/\(daemon)/comm") == "mailgateway\n", "whoever looks for it finds it by its name")
            let result = try stage.run([Self.program(stage), "stop", "-c", stage.directory.path("gateway.conf")])
            #expect(result.succeeded, "\(result)")
            try waitUntil("its end") { hasEnded(daemon) }
            #expect(Self.pid(stage) == nil)
        }
    }

    @Test func whoeverStartsItHearsWhyItDoesNotServe() throws {
        try Stage.run { stage in
            var configuration = try GatewayConfiguration(on: stage, auth: stage.freeEndpoint())
            configuration.main.append("daemon on;")
            configuration.servers[1].endpoint = try stage.takenEndpoint()
            let file = try GatewayUnderTest.write(configuration, on: stage)
            let result = try stage.run([Self.program(stage), "run", "-c", file])
            #expect(result.status == .code(1) && result.errors.contains("Address already in use"), "\(result)")
            #expect(Self.pid(stage) == nil)
        }
    }

    @Test func windowChangeLetsTheWorkersGoAndHangUpBringsThemBack() throws {
        try run { stage, configuration, daemon in
            try waitUntil("the worker") { Self.log(stage).contains("event method") }
            kill(daemon, SIGWINCH)
            try waitUntil("the worker to go") { childProcesses(of: daemon).isEmpty }
            #expect(Self.log(stage).contains(/signal 28 \(SIGWINCH\) received from \d+, shutting down/))
            // The master still holds the sockets: who comes now waits.
            let waiting = try RawClient(configuration.servers[0].endpoint)
            kill(daemon, SIGHUP)
            #expect(try waiting.line().hasPrefix("* OK"))
        }
    }

    @Test func aFileThatChangesMeanwhileWakesNoWorker() throws {
        try Stage.run { stage in
            let accounts = try stage.directory.write("accounts", "ann:{PLAIN}old\n", mode: 0o600)
            var configuration = try GatewayConfiguration(on: stage, auth: stage.freeEndpoint())
            configuration.mail[0] = "auth_file \(accounts); proxy_pass \(try stage.freeEndpoint());"
            configuration.servers.removeLast(2)
            try run(configuration, on: stage) { daemon in
                try waitUntil("the worker") { Self.log(stage).contains("event method") }
                kill(daemon, SIGWINCH)
                try waitUntil("the worker to go") { childProcesses(of: daemon).isEmpty }
                try stage.directory.write("accounts", "ann:{PLAIN}brand new\n", mode: 0o600)
                try waitUntil("the file to be taken over", within: .seconds(20)) {
                    Self.log(stage).contains("has changed, using the new one")
                }
                #expect(childProcesses(of: daemon).isEmpty)
                #expect(!Self.log(stage).contains("all workers serve the new configuration"))
                let waiting = try RawClient(configuration.servers[0].endpoint)
                kill(daemon, SIGHUP)
                #expect(try waiting.line().hasPrefix("* OK"))
            }
        }
    }

    @Test func aTerminalThatChangesItsSizeMeansNobody() throws {
        try Stage.run { stage in
            let configuration = try GatewayConfiguration(on: stage, auth: stage.freeEndpoint())
            let gateway = try GatewayUnderTest(on: stage, configuration)
            try waitUntil("the worker") { gateway.log.contains("event method") }
            let workers = gateway.workers
            gateway.process.signal(SIGWINCH)
            gateway.process.signal(SIGUSR1)
            try waitUntil("the other signal") { gateway.log.contains("SIGUSR1") }
            #expect(gateway.workers == workers && !gateway.log.contains("SIGWINCH"))
        }
    }

    @Test func workersHaveTheirPriorityAndProcessors() throws {
        try Stage.run { stage in
            var configuration = try GatewayConfiguration(on: stage, auth: stage.freeEndpoint())
            configuration.workers = 2
            configuration.main += ["worker_priority 7;", "worker_cpu_affinity auto;"]
            let gateway = try GatewayUnderTest(on: stage, configuration)
            try waitUntil("the workers") { gateway.occurrences(of: "event method") == 2 }
            try waitUntil("their processors") { gateway.occurrences(of: "sched_setaffinity(): using cpu #") == 2 }
            for worker in gateway.workers {
                try waitUntil("its priority") {
                    getpriority(__priority_which_t(PRIO_PROCESS.rawValue), id_t(worker)) == 7
                }
                try waitUntil("its one processor") {
                    let lines = textOfFile("/proc/\(worker)/status").split(separator: "\n")
                    let list = lines.first { $0.hasPrefix("Cpus_allowed_list:") }?.split(separator: "\t").last
                    return list.flatMap { Int($0) } != nil
                }
            }
        }
    }
}
