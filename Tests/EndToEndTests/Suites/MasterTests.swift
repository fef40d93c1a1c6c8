import Foundation
import Glibc
import Testing

/// What the master does besides starting workers; no mail is involved.
@Suite("Master", .endToEnd) struct MasterTests {
    /// A gateway whose authentication service does not exist.
    private func run(workers: Int = 1, _ body: (Stage, GatewayUnderTest) throws -> Void) throws {
        try Stage.run { stage in
            var configuration = try GatewayConfiguration(on: stage, auth: stage.freeEndpoint())
            configuration.workers = workers
            let gateway = try GatewayUnderTest(on: stage, configuration)
            try waitUntil("the workers to serve") {
                gateway.log.components(separatedBy: "event method").count > workers
            }
            try body(stage, gateway)
        }
    }

    @Test(.beyondNginx) func reopensItsLogsInAllProcesses() throws {
        try run { stage, gateway in
            let log = stage.directory.path("gateway.log")
            #expect(unsafe rename(log, log + ".1") == 0)
            gateway.process.signal(SIGUSR1)
            try waitUntil("the worker to reopen") { textOfFile(log + ".1").contains(/SIGUSR1(.|\n)*SIGUSR1/) }
            try waitUntil("a new log") { FileManager.default.fileExists(atPath: log) }
            gateway.process.signal(SIGTERM)
            #expect(try gateway.process.waitForExit() == .code(0))
            let lines = gateway.log.split(separator: "\n")
            #expect(lines.contains { $0.hasSuffix(": exiting") }, "of the worker")
            #expect(lines.contains { $0.contains("exited with code 0") }, "of the master")
        }
    }

    /// The program starts itself anew for it, as the same process; an administrator's own values go before.
    @Test(
        .beyondNginx, .enabled("another process's environment is root's to read") { ProcessMemory.isReadable },
        arguments: [true, false])
    func everyProcessIsToldWhatTheRuntimeReadsOnce(hasMaster: Bool) throws {
        try Stage.run { stage in
            var configuration = try GatewayConfiguration(on: stage, auth: stage.freeEndpoint())
            if !hasMaster { configuration.main.append("master_process off;") }
            for tunables in ["glibc.malloc.tcache_count=64", "glibc.malloc.tcache_count=9"] {
                let launcher = tunables.hasSuffix("=9") ? ["/usr/bin/env", "GLIBC_TUNABLES=\(tunables)"] : []
                let gateway = try GatewayUnderTest(on: stage, configuration, launcher: launcher)
                let processes = [gateway.process.pid] + gateway.workers
                #expect(processes.count == (hasMaster ? 2 : 1))
                for process in processes {
                    let variables = textOfFile("/proc/\(process)/environ").split(separator: "\0")
                    #expect(variables.contains("SWIFT_DEBUG_ENABLE_TASK_SLAB_ALLOCATOR=0"))
                    #expect(variables.contains("GLIBC_TUNABLES=\(tunables)"))
                }
                #expect(textOfFile("/proc/\(gateway.process.pid)/comm") == "mailgateway\n")
                gateway.process.stop()
            }
        }
    }

    @Test(.beyondNginx, .enabled("workers of others are not root") { geteuid() == 0 })
    func rootIsToldWhereItsWorkersStayRoot() throws {
        let words = "without the \"user\" directive the workers of a master that runs as root stay root"
        try run { _, gateway in
            #expect(gateway.log.split(separator: "\n").contains { $0.contains("[warn] ") && $0.hasSuffix(words) })
        }
        try Stage.run { stage in
            var configuration = try GatewayConfiguration(on: stage, auth: stage.freeEndpoint())
            configuration.main.append("user root;")
            #expect(try !GatewayUnderTest(on: stage, configuration).log.contains(words))
        }
    }

    @Test func killsAWorkerThatDoesNotStop() throws {
        try run(workers: 2) { _, gateway in
            let stuck = try #require(gateway.workers.first)
            kill(stuck, SIGSTOP)
            gateway.process.signal(SIGTERM)
            #expect(try gateway.process.waitForExit(within: .seconds(5)) == .code(0))
            #expect(gateway.log.contains("\(stuck) exited on signal 9"))
        }
    }

    @Test(.beyondNginx) func workersEndWithTheirMaster() throws {
        try run(workers: 2) { _, gateway in
            let workers = gateway.workers
            #expect(workers.count == 2)
            gateway.process.signal(SIGSTOP)
            // Not `stop`: the group stays, so that only the channel tells the workers.
            kill(gateway.process.pid, SIGKILL)
            try waitUntil("the workers to notice") {
                gateway.log.components(separatedBy: "the master process has gone").count == 3
            }
        }
    }

    @Test(.beyondNginx) func aFailureBeforeTheLogIsKnownGoesToTheEarlyOne() throws {
        try Stage.run { stage in
            let file = try stage.directory.write("bad.conf", "worker_processes many;\n")
            let command = GatewayKind.underTest.command(checking: false, in: stage.directory)
            let result = try stage.run([command[0], "run", "-e", stage.directory.path("early.log"), "-c", file])
            #expect(result.status == .code(1), "\(result)")
            #expect(result.errors.hasPrefix("mailgateway: [emerg] "), "\(result)")
            #expect(textOfFile(stage.directory.path("early.log")).contains(/\[emerg\] \d+#\d+: .*bad\.conf:1\n/))
        }
    }

    @Test(.beyondNginx) func aCheckOpensNothing() throws {
        try Stage.run { stage in
            let configuration = try GatewayConfiguration(on: stage, auth: stage.freeEndpoint())
            let file = try GatewayUnderTest.write(configuration, on: stage)
            let result = try stage.run(GatewayKind.underTest.command(checking: true, in: stage.directory) + [file])
            #expect(result.errors.contains("configuration file \(file) test is successful"), "\(result)")
            let names = stage.directory.files(startingWith: "gateway")
            #expect(names == ["gateway.conf"])
        }
    }

    @Test(.beyondNginx) func aPIDFileThatCannotBeWrittenIsAFailure() throws {
        try Stage.run { stage in
            let configuration = try GatewayConfiguration(on: stage, auth: stage.freeEndpoint())
            let text = configuration.text(in: stage.directory, preamble: "")
                .replacing("gateway.pid", with: "nowhere/gateway.pid")
            let file = try stage.directory.write("gateway.conf", text)
            let result = try stage.run(GatewayKind.underTest.command(checking: false, in: stage.directory) + [file])
            #expect(result.status == .code(1), "\(result)")
            #expect(result.errors.contains("nowhere/gateway.pid\" failed (2: No such file"), "\(result)")
            for server in configuration.servers { #expect(!server.endpoint.acceptsConnections) }
        }
    }
}
