import Foundation
import Glibc
import Testing

/// HUP: new clients get the new configuration from the same workers, and nobody else notices.
@Suite("Reload", .endToEnd, .beyondNginx) struct ReloadTests {
    /// A change of the configuration that is refused, and what the log says about it.
    struct Refusal: Sendable, CustomTestStringConvertible {
        let name: String
        let change: @Sendable (inout GatewayConfiguration, Stage) throws -> Void
        let words: [String]
        var testDescription: String { name }
    }

    @Test(
        "H1: a bad configuration leaves the old one running, and the log says why",
        arguments: [
            Refusal(
                name: "a directive that does not exist",
                change: { configuration, _ in configuration.mail.append("no_such;") },
                words: ["[emerg]", "unknown directive \"no_such\" in ", "gateway.conf:1"]),
            Refusal(
                name: "a port that is taken",
                change: { configuration, stage in
                    configuration.servers.append(.init(mail: .imap, endpoint: try stage.freeEndpoint()))
                    configuration.servers.append(.init(mail: .imap, endpoint: try stage.takenEndpoint()))
                },
                words: [
                    "bind() to ", "Address already in use", "The address is that of the \"listen\" in ",
                    "gateway.conf:",
                ]),
            Refusal(
                name: "a log that cannot be opened",
                change: { configuration, stage in
                    configuration.mail.append("error_log \(stage.directory.path("nowhere/x.log"));")
                },
                words: ["nowhere/x.log\" failed (2: No such file or directory)"]),
        ])
    func aBadConfigurationLeavesTheOldOneRunning(refusal: Refusal) throws {
        try Site.run(backEnds: .ok, adjust: { $0.workers = 2 }) { site, _ in
            let gateway = site.gateway
            try waitUntil("two workers") { gateway.workers.count == 2 }
            let workers = Set(gateway.workers)
            let held = try gateway.greetedClient(.imap)
            _ = try held.logIn(.imap, as: .ann)
            let before = openDescriptors(of: gateway.process.pid)

            var changed = gateway.configuration
            try refusal.change(&changed, site.stage)
            _ = try GatewayUnderTest.write(changed, on: site.stage)
            for _ in 0..<3 { try gateway.failToReload() }

            for word in refusal.words { #expect(gateway.log.contains(word)) }
            #expect(Set(gateway.workers) == workers)
            #expect(held.isAnswered(.imap))
            for mail in Mail.allCases { try site.expectHealthy(mail) }
            #expect(openDescriptors(of: gateway.process.pid) == before, "nothing of the refused one stays open")
            // What is mended is taken.
            try gateway.rewrite({ _ in }, on: site.stage)
            try gateway.reload()
            try site.expectHealthy(.imap)
        }
    }

    @Test func newClientsGetNewServersAndOldOnesKeepTheirs() throws {
        try Site.run(backEnds: .ok, adjust: { $0.workers = 2 }) { site, _ in
            let gateway = site.gateway
            let waiting = try gateway.greetedClient(.pop3)
            let relayed = try gateway.greetedClient(.imap)
            _ = try relayed.logIn(.imap, as: .ann)
            let workers = Set(gateway.workers)
            let moved = try site.stage.freeEndpoint()

            try gateway.rewrite(
                {
                    $0.servers[0].endpoint = moved
                    $0.servers[0].directives.append("imap_capabilities IMAP4rev1 NOVELTY;")
                    $0.servers[1].directives.append("pop3_capabilities NOVELTY;")
                    $0.servers.remove(at: 2)
                    $0.mail.append("error_log \(site.stage.directory.path("second.log")) info;")
                }, on: site.stage)
            try gateway.reload()

            let newcomer = try RawClient(moved)
            _ = try newcomer.line()
            #expect(try newcomer.ask("a CAPABILITY").contains("NOVELTY"))
            newcomer.say("b LOGIN \(Account.ann.name) wrong")
            let pop3 = try gateway.greetedClient(.pop3)
            pop3.say("CAPA")
            #expect(try pop3.lines { $0 == "." }.contains("NOVELTY"))
            waiting.say("CAPA")
            #expect(!(try waiting.lines { $0 == "." }.contains("NOVELTY")), "who was there keeps what was there")
            #expect(relayed.isAnswered(.imap))
            try waitUntil("the old addresses to close") {
                try !gateway.endpoint(.imap).acceptsConnections && !gateway.endpoint(.smtp).acceptsConnections
            }
            #expect(Set(gateway.workers) == workers, "no second generation")
            try waitUntil("the new log") {
                textOfFile(site.stage.directory.path("second.log")).contains("client login failed")
            }
        }
    }

    @Test func aClientThatWaitsInTheQueueIsServedByTheNewConfiguration() throws {
        try Site.run(backEnds: .ok) { site, _ in
            let gateway = site.gateway
            try waitUntil("the worker to serve") { gateway.log.contains("event method") }
            let worker = try #require(gateway.workers.first)
            kill(worker, SIGSTOP)
            let waiting = try (0..<20).map { _ in try RawClient(gateway.endpoint(.imap)) }
            try gateway.rewrite(
                { $0.servers[0].directives.append("imap_capabilities IMAP4rev1 NOVELTY;") }, on: site.stage)
            gateway.process.signal(SIGHUP)
            try waitUntil("the master to reload") { gateway.log.contains("reconfigured") }
            kill(worker, SIGCONT)
            for client in waiting {
                #expect(try client.line().hasPrefix("* OK"))
                let answer = try client.logIn(.imap, as: .ann)
                #expect(answer.hasPrefix(Mail.imap.loggedInPrefix))
            }
            try waitUntil("the new configuration") {
                let client = try gateway.greetedClient(.imap)
                return try client.ask("a CAPABILITY").contains("NOVELTY")
            }
        }
    }

    @Test func workersComeAndGoAndTheirSessionsStay() throws {
        try Site.run(backEnds: .ok, adjust: { $0.workers = 2 }) { site, _ in
            let gateway = site.gateway
            try waitUntil("two workers") { gateway.workers.count == 2 }
            let first = Set(gateway.workers)
            let held = try gateway.greetedClient(.imap)
            _ = try held.logIn(.imap, as: .ann)

            try gateway.rewrite({ $0.workers = 3 }, on: site.stage)
            try gateway.reload()
            #expect(gateway.workers.count == 3 && first.isSubset(of: gateway.workers))
            try gateway.rewrite({ _ in }, on: site.stage)
            try gateway.reload()
            try waitUntil("the one too many to end") { Set(gateway.workers) == first }

            // Whether there is a master is a question of the start.
            try gateway.rewrite({ $0.main.append("master_process off;") }, on: site.stage)
            try gateway.reload()
            #expect(gateway.log.contains("\"master_process\" cannot change at a reload, ignored"))
            #expect(Set(gateway.workers) == first)

            // What a running worker cannot change makes others; the one with a session ends after it.
            // also where one change comes upon the other.
            for value in 1...3 {
                try gateway.rewrite({ $0.main.append("env NOVELTY=\(value);") }, on: site.stage)
                let count = gateway.occurrences(of: "reconfigured")
                gateway.process.signal(SIGHUP)
                try waitUntil("the next") { gateway.occurrences(of: "reconfigured") > count }
            }
            try gateway.reload()
            try waitUntil("two besides the one with a session") { gateway.workers.count == 3 }
            #expect(gateway.log.contains("\"env\" cannot change in a running worker, replacing the workers"))
            let second = Set(gateway.workers).subtracting(first)
            #expect(second.count == 2)
            #expect(held.isAnswered(.imap))
            try site.expectHealthy(.imap)
            held.close()
            try waitUntil("the first to end") { Set(gateway.workers) == second }
            try site.expectHealthy(.imap)
        }
    }

    @Test func aWorkerThatWasAloneIsReplacedWhenOthersCome() throws {
        try Site.run(backEnds: .ok) { site, _ in
            let gateway = site.gateway
            try waitUntil("the worker to serve") { gateway.log.contains("event method") }
            let first = try #require(gateway.workers.first)
            let held = try gateway.greetedClient(.imap)
            _ = try held.logIn(.imap, as: .ann)
            try gateway.rewrite({ $0.workers = 2 }, on: site.stage)
            try gateway.reload()
            #expect(
                gateway.log.contains("\"worker_processes\" cannot change in a running worker, replacing the workers"))
            #expect(gateway.workers.count == 3 && gateway.workers.contains(first))
            #expect(held.isAnswered(.imap))
            held.close()
            try waitUntil("the first to end") { gateway.workers.count == 2 && !gateway.workers.contains(first) }
            try site.expectHealthy(.imap)
        }
    }

    @Test func aWorkerThatDiesIsReplacedByTheNewestConfiguration() throws {
        try Site.run(backEnds: .ok) { site, _ in
            let gateway = site.gateway
            try gateway.rewrite(
                { $0.servers[0].directives.append("imap_capabilities IMAP4rev1 NOVELTY;") }, on: site.stage)
            try gateway.reload()
            // Half-edited by now, and nobody has asked for it.
            try gateway.rewrite({ $0.mail.append("no_such;") }, on: site.stage)
            let victim = try #require(gateway.workers.first)
            kill(victim, SIGKILL)
            try waitUntil("its successor") { gateway.workers.first.map { $0 != victim } ?? false }
            let client = try gateway.greetedClient(.imap)
            #expect(try client.ask("a CAPABILITY").contains("NOVELTY"))
        }
    }

    @Test func limitsAndFilesFollow() throws {
        try Site.run(backEnds: .ok, adjust: { $0.servers[0].directives.append("max_connections 3;") }) { site, _ in
            let gateway = site.gateway
            let held = try (0..<3).map { _ in try gateway.greetedClient(.imap) }
            let pid = site.stage.directory.path("gateway.pid")
            try gateway.rewrite({ $0.servers[0].directives = ["max_connections 4;"] }, on: site.stage)
            let file = site.stage.directory.path("gateway.conf")
            try textOfFile(file).replacing("gateway.pid", with: "moved.pid")
                .write(toFile: file, atomically: false, encoding: .utf8)
            try gateway.reload()

            // Those who were there count: there is room for one more, and for nobody else.
            let fourth = try gateway.greetedClient(.imap)
            let fifth = try RawClient(gateway.endpoint(.imap))
            #expect(try fifth.untilEnd().hasPrefix("* BYE"))
            #expect(textOfFile(pid).isEmpty)
            #expect(textOfFile(site.stage.directory.path("moved.pid")) == "\(gateway.process.pid)\n")
            for client in held + [fourth] { #expect(try client.ask("a NOOP").hasPrefix("a OK")) }
        }
    }

    @Test(.enabled("only root may take on another user") { geteuid() == 0 })
    func aWorkerWithoutPrivilegesOpensTheLogOfANewConfiguration() throws {
        try Site.run(backEnds: .ok, adjust: { $0.main.append("user nobody nogroup;") }) { site, _ in
            let gateway = site.gateway
            try waitUntil("the worker to serve") { gateway.log.contains("event method") }
            let workers = gateway.workers
            let log = site.stage.directory.path("second.log")
            try gateway.rewrite({ $0.mail.append("error_log \(log) info;") }, on: site.stage)
            try gateway.reload()
            #expect(gateway.workers == workers)
            try waitUntil("a client in the new log") {
                _ = try gateway.greetedClient(.imap)
                return textOfFile(log).contains("connected to")
            }
            // Where only root may look the worker cannot, but its successor can while it is root.
            let folder = try site.stage.directory.makeFolder("private")
            #expect(unsafe chmod(folder, 0o700) == 0)
            try gateway.rewrite({ $0.mail.append("error_log \(folder)/third.log info;") }, on: site.stage)
            try gateway.reload()
            #expect(gateway.log.contains("cannot take on the configuration, replacing it"))
            try waitUntil("the first to end") { Set(gateway.workers).isDisjoint(with: workers) }
            try waitUntil("a client in the private log") {
                _ = try gateway.greetedClient(.imap)
                return textOfFile("\(folder)/third.log").contains("connected to")
            }
        }
    }

    @Test func aSingleProcessReloadsItself() throws {
        try Site.run(backEnds: .ok, adjust: { $0.main.append("master_process off;") }) { site, _ in
            let gateway = site.gateway
            let held = try gateway.greetedClient(.imap)
            _ = try held.logIn(.imap, as: .ann)
            let moved = try site.stage.freeEndpoint()
            try gateway.rewrite({ $0.servers[0].endpoint = moved }, on: site.stage)
            gateway.process.signal(SIGHUP)
            try waitUntil("the reload") { gateway.log.contains("reconfigured") }
            #expect(try RawClient(moved).line().hasPrefix("* OK"))
            #expect(held.isAnswered(.imap))
            try waitUntil("the old address to close") { try !gateway.endpoint(.imap).acceptsConnections }
            try gateway.rewrite({ $0.mail.append("no_such;") }, on: site.stage)
            try gateway.failToReload()
            #expect(held.isAnswered(.imap))
        }
    }

    @Test(
        "E6: 500 sessions live through 100 reloads and an upgrade; nobody is refused, nothing leaks",
        arguments: [("io_uring", 100), ("epoll", 25)])
    func manySessionsLiveThroughReloadsAndAnUpgrade(method: String, reloads: Int) throws {
        try Site.run(
            backEnds: .ok,
            adjust: {
                $0.workers = 2
                $0.workerConnections = 2000
                $0.logLevel = "notice"
                $0.events = ["use \(method);"]
            }
        ) { site, _ in
            let gateway = site.gateway
            let certificates = try Certificates(on: site.stage)
            try certificates.issue("gateway", ["gateway.example.test"])
            let sessions = try (0..<500).map { _ in
                let session = try gateway.greetedClient(.imap)
                let answer = try session.logIn(.imap, as: .ann)
                try #require(answer.hasPrefix(Mail.imap.loggedInPrefix), "\(answer)")
                return session
            }
            let workers = gateway.workers
            let extra = try site.stage.freeEndpoint()
            let knocking = Knocking(at: try gateway.endpoint(.imap), greeting: "* OK")

            var before: [(descriptors: Int, memory: Int)] = []
            let processes = [gateway.process.pid] + workers
            for round in 0..<reloads {
                // Each reload replaces every server, and opens or closes a socket.
                try gateway.rewrite(
                    {
                        $0.servers[0].directives.append("imap_capabilities IMAP4rev1 ROUND\(round);")
                        // 64 KB of settings, so that one configuration that stays shows.
                        $0.servers[1].directives += (0..<16).map {
                            "auth_http_header X-Ballast-\($0) \(String(repeating: "x", count: 4000));"
                        }
                        $0.servers[1].directives += certificates.directives("gateway") + ["starttls on;"]
                        $0.servers[2].directives.append("resolver 127.0.0.1:53 valid=\(round + 1)s;")
                        if round % 2 == 1 { $0.servers.append(.init(mail: .pop3, endpoint: extra)) }
                    }, on: site.stage)
                try gateway.reload()
                // The first ones fill caches.
                if round == reloads / 5 { before = processes.map { (openDescriptors(of: $0), privateMemory(of: $0)) } }
            }
            #expect(gateway.workers == workers, "no further generation")

            let old = gateway.process.pid
            kill(old, SIGUSR2)
            try waitUntil("the new master") {
                let pid = textOfFile(site.stage.directory.path("gateway.pid"))
                return !pid.isEmpty && pid != "\(old)\n"
            }
            kill(old, SIGQUIT)
            let greeted = try gateway.greetedClient(.imap)
            #expect(try greeted.ask("a CAPABILITY").contains("ROUND\(reloads - 1)"))
            greeted.close()
            let (tries, failures) = knocking.stop()
            #expect(failures.isEmpty, "of \(tries) tries")
            #expect(tries > 100)

            #expect(sessions.count { $0.isAnswered(.imap) } == sessions.count)
            for (index, process) in processes.enumerated() {
                let now = (openDescriptors(of: process), privateMemory(of: process))
                // Knocking clients come and go; the master's listeners have gone with the upgrade.
                #expect(now.0 <= before[index].descriptors + 4, "descriptors of \(process)")
                #expect(now.1 <= before[index].memory + 2048, "kilobytes of \(process)")
            }
            for session in sessions { session.close() }
            try waitUntil("the old master to end") { hasEnded(old) }
            #expect(textOfFile(site.stage.directory.path("gateway.pid.oldbin")).isEmpty)
            #expect(!textOfFile(site.stage.directory.path("gateway.pid")).isEmpty)
            try site.expectHealthy(.imap)
        }
    }
}
