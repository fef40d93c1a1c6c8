import Foundation
import Glibc
import Testing

/// The commands beside `run`, and nginx's spellings of them.
@Suite("Commands", .endToEnd, .beyondNginx) struct CommandTests {
    private static func program(_ stage: Stage) -> String {
        GatewayKind.mailgateway.command(checking: false, in: stage.directory)[0]
    }

    /// A gateway whose authentication service does not exist.
    private func run(
        _ adjust: (inout GatewayConfiguration) -> Void = { _ in },
        _ body: (Stage, GatewayUnderTest, [String]) throws -> Void
    ) throws {
        try Stage.run { stage in
            var configuration = try GatewayConfiguration(on: stage, auth: stage.freeEndpoint())
            adjust(&configuration)
            let gateway = try GatewayUnderTest(on: stage, configuration)
            try waitUntil("the worker to serve") { gateway.log.contains("event method") }
            try body(stage, gateway, ["-p", stage.directory.path, "-c", stage.directory.path("gateway.conf")])
        }
    }

    @Test(arguments: [["stop"], ["quit"], ["-s", "stop"], ["-squit"]])
    func stopAndQuitEndIt(command: [String]) throws {
        try run { stage, gateway, options in
            let result = try stage.run([Self.program(stage)] + command + options)
            #expect(result.succeeded && result.errors.isEmpty, "\(result)")
            #expect(try gateway.process.waitForExit() == .code(0))
            let signal = command.joined().contains("stop") ? "15 (SIGTERM)" : "3 (SIGQUIT)"
            #expect(gateway.log.contains("signal \(signal) received from "))
        }
    }

    @Test func reloadAndReopenReachIt() throws {
        try run { stage, gateway, options in
            for command in [["reload"], ["-s", "reload"]] {
                let count = gateway.occurrences(of: "all workers serve the new configuration")
                #expect(try stage.run([Self.program(stage)] + command + options).succeeded)
                try waitUntil("the reload") {
                    gateway.occurrences(of: "all workers serve the new configuration") > count
                }
            }
            let log = stage.directory.path("gateway.log")
            for command in [["reopen"], ["-s", "reopen"]] {
                #expect(unsafe rename(log, log + ".1") == 0)
                #expect(try stage.run([Self.program(stage)] + command + options).succeeded)
                try waitUntil("a new log") { FileManager.default.fileExists(atPath: log) }
            }
        }
    }

    @Test func whereNobodyRunsTheyFailInNginxsWords() throws {
        try Stage.run { stage in
            let configuration = try GatewayConfiguration(on: stage, auth: stage.freeEndpoint())
            let options = ["-c", try GatewayUnderTest.write(configuration, on: stage)]
            let pid = stage.directory.path("gateway.pid")
            func expectFailure(_ command: [String], _ text: String) throws {
                let result = try stage.run([Self.program(stage)] + command + options)
                #expect(result.status == .code(1) && result.errors == "mailgateway: \(text)\n", "\(result)")
            }
            let missing = "[error] open() \"\(pid)\" failed (2: No such file or directory)"
            try expectFailure(["stop"], missing)
            try expectFailure(["-s", "reload"], missing)
            _ = try stage.directory.write("gateway.pid", "12x\n")
            try expectFailure(["quit"], "[error] invalid PID number \"12x\" in \"\(pid)\"")
            _ = try stage.directory.write("gateway.pid", "")
            try expectFailure(["-s", "quit"], "[error] invalid PID number \"\" in \"\(pid)\"")
            // Linux has no process numbers beyond 2^22.
            _ = try stage.directory.write("gateway.pid", "4194305\n")
            try expectFailure(["upgrade"], "[alert] kill(4194305, 12) failed (3: No such process)")
            _ = try stage.directory.write("gateway.conf", "events { }")
            let result = try stage.run([Self.program(stage), "stop"] + options)
            #expect(result.status == .code(1) && result.errors.contains("no \"pid\" is defined"), "\(result)")
        }
    }

    @Test func checksAreSilentOrShowEachFileOnce() throws {
        try Stage.run { stage in
            let part = try stage.directory.write("part.conf", "timeout 10s;\n")
            let accounts = try stage.directory.write("accounts", "ann:{PLAIN}secret-canary\n")
            let main = """
                events { }
                mail { include part.conf; auth_file \(accounts); proxy_pass 127.0.0.1:1;
                    server { listen 127.0.0.1:1; protocol imap; } server { include part.conf; listen 127.0.0.1:2; protocol pop3; } }

                """
            let file = try stage.directory.write("gateway.conf", main)
            let said =
                "mailgateway: the configuration file \(file) syntax is ok\n"
                + "mailgateway: configuration file \(file) test is successful\n"
            let dump = "# configuration file \(file):\n\(main)\n# configuration file \(part):\ntimeout 10s;\n\n"
            for (words, output, errors) in [
                (["-t"], "", said), (["-tq"], "", ""), (["-T"], dump, said), (["-qT"], dump, ""), (["check"], "", said),
                (["check", "-q", "--dump"], dump, ""),
            ] {
                let result = try stage.run([Self.program(stage)] + words + ["-c", file])
                #expect(result.succeeded && result.output == output && result.errors == errors, "\(words) \(result)")
            }
            _ = try stage.directory.write("part.conf", "timeout x;\n")
            let result = try stage.run([Self.program(stage), "-Tq", "-c", file])
            #expect(result.status == .code(1) && result.output.isEmpty, "\(result)")
            #expect(result.errors.contains("\(part):1\n"), "\(result)")
            #expect(result.errors.hasSuffix("mailgateway: configuration file \(file) test failed\n"), "\(result)")
            #expect(stage.directory.files().count { !$0.hasPrefix("run-") } == 3, "a check leaves nothing")
        }
    }

    @Test func nginxsLettersStartItToo() throws {
        try Stage.run { stage in
            var configuration = try GatewayConfiguration(on: stage, auth: stage.freeEndpoint())
            configuration.servers.removeLast()
            let file = try GatewayUnderTest.write(configuration, on: stage)
            let process = try stage.start(
                "gateway", [Self.program(stage), "-c\(file)", "-p", stage.directory.path, "-gdaemon off;"])
            try waitUntil("the pid file") { !textOfFile(stage.directory.path("gateway.pid")).isEmpty }
            #expect(configuration.servers[0].endpoint.acceptsConnections)
            process.signal(SIGTERM)
            #expect(try process.waitForExit() == .code(0))
        }
    }

    @Test func theManualIsInTheProgram() throws {
        try Stage.run { stage in
            let one = try stage.run([Self.program(stage), "directives", "worker_cpu_affinity"])
            #expect(one.succeeded && one.output.hasPrefix("### worker_cpu_affinity\n"), "\(one)")
            let all = try stage.run([Self.program(stage), "directives"])
            #expect(all.output.contains("\n### listen\n") && all.output.contains("\n### pid\n"))
            let none = try stage.run([Self.program(stage), "directives", "listn"])
            #expect(none.status == .code(1) && none.errors.contains("Did you mean \"listen\"?"), "\(none)")
            let version = try stage.run([Self.program(stage), "-v"])
            #expect(version.succeeded && version.errors.hasPrefix("mailgateway version: mailgateway/"), "\(version)")
            let wrong = try stage.run([Self.program(stage), "-x"])
            #expect(wrong.status == .code(1) && wrong.errors == "mailgateway: invalid option: \"x\"\n", "\(wrong)")
        }
    }
}
