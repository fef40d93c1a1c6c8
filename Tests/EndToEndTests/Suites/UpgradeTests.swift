import Foundation
import Glibc
import Testing

/// USR2: another binary takes the listening sockets over, or the old one goes on.
@Suite("Upgrade", .endToEnd, .beyondNginx) struct UpgradeTests {
    /// A gateway started by a name of its own, which a test may let lead elsewhere, in front of scripted back-ends.
    private func run(_ body: (Site, _ program: String) throws -> Void) throws {
        let folder = try TestDirectory()
        defer { folder.remove() }
        let program = folder.path("gateway-under-test")
        let built = GatewayKind.mailgateway.command(checking: false, in: folder)[0]
        try FileManager.default.createSymbolicLink(atPath: program, withDestinationPath: built)
        // The shell takes the place of the program's usual name.
        let launcher = ["/bin/sh", "-c", "shift; exec \(program) \"$@\"", "sh"]
        try Site.run(backEnds: .ok, launcher: launcher) { site, _ in
            try waitUntil("the worker to serve") { site.gateway.log.contains("event method") }
            try body(site, program)
        }
    }

    private static func pid(_ site: Site, _ suffix: String = "") -> pid_t? {
        pid_t(textOfFile(site.stage.directory.path("gateway.pid\(suffix)")).trimmingCharacters(in: .newlines))
    }

    /// What stands in the place of the program, and what the log says about it.
    enum Obstacle: String, CaseIterable, Sendable {
        case nothing, broken, configuration
    }

    @Test(arguments: Obstacle.allCases)
    func whatDoesNotStartLeavesTheOldOneServing(obstacle: Obstacle) throws {
        try run { site, program in
            let gateway = site.gateway
            let held = try gateway.greetedClient(.imap)
            _ = try held.logIn(.imap, as: .ann)
            let workers = gateway.workers
            let words: [String]
            switch obstacle {
            case .nothing:
                unsafe unlink(program)
                words = ["No such file or directory) while executing new binary process \"\(program)\""]
            case .broken:
                unsafe unlink(program)
                try Data("#!/bin/sh\nexit 7\n".utf8).write(to: URL(fileURLWithPath: program))
                unsafe chmod(program, 0o755)
                words = ["start new binary process", "exited with code 7", "the old binary goes on"]
            case .configuration:
                try gateway.rewrite({ $0.mail.append("no_such;") }, on: site.stage)
                words = ["start new binary process", "exited with code 1", "the old binary goes on"]
            }
            gateway.process.signal(SIGUSR2)
            try waitUntil("what it says: \(words)") { words.allSatisfy { gateway.log.contains($0) } }
            try waitUntil("the pid file's return") { Self.pid(site) == gateway.process.pid }
            #expect(Self.pid(site, ".oldbin") == nil)
            #expect(gateway.workers == workers)
            #expect(held.isAnswered(.imap))
            try site.expectHealthy(.imap)
        }
    }

    @Test func aSecondOneIsIgnoredAndTheWayBackIsOpen() throws {
        try run { site, _ in
            let gateway = site.gateway
            let old = gateway.process.pid
            let ignored = "the changing binary signal is ignored: you should shutdown or terminate"
            kill(old, SIGUSR2)
            try waitUntil("the new master") { Self.pid(site).map { $0 != old } ?? false }
            let new = try #require(Self.pid(site))
            #expect(Self.pid(site, ".oldbin") == old)
            #expect(gateway.log.contains(/using inherited sockets from "(\d+;){3}"/))
            kill(old, SIGUSR2)
            try waitUntil("the old one to ignore it") { gateway.occurrences(of: ignored) == 1 }
            kill(new, SIGUSR2)
            try waitUntil("the new one to ignore it") { gateway.occurrences(of: ignored) == 2 }

            kill(new, SIGQUIT)
            try waitUntil("the pid file's return") { Self.pid(site) == old }
            #expect(gateway.log.contains("new binary process \(new) exited with code 0"))
            try site.expectHealthy(.imap)
            // And once more, for good.
            kill(old, SIGUSR2)
            try waitUntil("the next one") { Self.pid(site).map { $0 != old } ?? false }
            kill(old, SIGQUIT)
            try waitUntil("the old one to end") { hasEnded(old) }
            #expect(Self.pid(site, ".oldbin") == nil && Self.pid(site) != nil)
            try site.expectHealthy(.imap)
        }
    }

    @Test func whoWasCalledByABareNameIsFoundAgainByEverySuccessor() throws {
        let folder = try TestDirectory()
        defer { folder.remove() }
        let program = folder.path("gateway-under-test")
        let built = GatewayKind.mailgateway.command(checking: false, in: folder)[0]
        try FileManager.default.createSymbolicLink(atPath: program, withDestinationPath: built)
        let script = "shift; export PATH=\"\(folder.path):$PATH\"; exec gateway-under-test \"$@\""
        try Site.run(backEnds: .ok, launcher: ["/bin/sh", "-c", script, "sh"]) { site, _ in
            let gateway = site.gateway
            let old = gateway.process.pid
            kill(old, SIGUSR2)
            try waitUntil("the new master") { Self.pid(site).map { $0 != old } ?? false }
            let new = try #require(Self.pid(site))
            #expect(textOfFile("/proc/\(new)/cmdline").hasPrefix("\(program)\0"))
            kill(old, SIGQUIT)
            try waitUntil("the old one to end") { hasEnded(old) }
            // Its successor would be whatever is there, and not the file that it runs itself.
            unsafe unlink(program)
            kill(new, SIGUSR2)
            try waitUntil("what it says") {
                gateway.log.contains("No such file or directory) while executing new binary process \"\(program)\"")
            }
            try site.expectHealthy(.imap)
        }
    }

    @Test func theFileOfAUnixSocketPassesToTheNextOne() throws {
        try Stage.run { stage in
            var configuration = try GatewayConfiguration(on: stage, auth: stage.freeEndpoint())
            let path = stage.directory.path("mail.socket")
            configuration.servers[0].directives.append("listen unix:\(path);")
            let gateway = try GatewayUnderTest(on: stage, configuration)
            let old = gateway.process.pid
            let pid = stage.directory.path("gateway.pid")
            kill(old, SIGUSR2)
            try waitUntil("the new master") { !["", "\(old)\n"].contains(textOfFile(pid)) }
            kill(old, SIGQUIT)
            try waitUntil("the old one to end") { hasEnded(old) }
            #expect(try RawClient(unix: path).line().hasPrefix("* OK"))
            let new = try #require(pid_t(textOfFile(pid).trimmingCharacters(in: .newlines)))
            kill(new, SIGTERM)
            try waitUntil("the new one to end") { !FileManager.default.fileExists(atPath: pid) }
            #expect(!FileManager.default.fileExists(atPath: path))
        }
    }
}
