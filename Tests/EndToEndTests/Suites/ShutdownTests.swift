import Glibc
import Testing

/// Starting and stopping.
@Suite("Start and stop", .endToEnd) struct ShutdownTests {
    @Test(arguments: [SIGTERM, SIGINT]) func stopsFast(signal: Int32) throws {
        try Site.run(backEnds: .ok, adjust: { $0.workers = 2 }) { site, _ in
            let relaying = try site.gateway.greetedClient(.imap)
            _ = try relaying.logIn(.imap, as: .ann)
            let greeted = try site.gateway.greetedClient(.pop3)
            try waitUntil("two workers") { site.gateway.workers.count == 2 }
            let workers = site.gateway.workers

            site.gateway.process.signal(signal)
            let status = try site.gateway.process.waitForExit(within: .seconds(3))
            #expect(status == .code(0))
            #expect(relaying.hasEnded(within: .seconds(1)))
            #expect(greeted.hasEnded(within: .seconds(1)))
            for worker in workers { #expect(kill(worker, 0) != 0, "worker \(worker) is gone") }
            #expect(!(try site.gateway.endpoint(.imap).acceptsConnections))
        }
    }

    @Test(.beyondNginx) func whoeverHasNotLoggedInIsToldWhyItMustGo() throws {
        try Site.run(backEnds: .ok) { site, _ in
            let gateway = site.gateway
            let clients = try Mail.allCases.map { ($0, try gateway.greetedClient($0)) }
            gateway.process.signal(SIGTERM)
            for (mail, client) in clients {
                let farewell = try client.untilEnd()
                #expect(farewell.hasPrefix(mail.farewellPrefix) && farewell.hasSuffix("\r\n"), "\(mail) \(farewell)")
            }
            #expect(try gateway.process.waitForExit(within: .seconds(3)) == .code(0))
        }
    }

    @Test(.beyondNginx) func theTimeToDrainEndsSessionsWithAFarewellBeforeTheLogin() throws {
        try Site.run(backEnds: .ok, adjust: { $0.main.append("worker_shutdown_timeout 500ms;") }) { site, _ in
            let gateway = site.gateway
            let relayed = try gateway.greetedClient(.imap)
            _ = try relayed.logIn(.imap, as: .ann)
            let greeted = try gateway.greetedClient(.pop3)
            gateway.process.signal(SIGQUIT)
            try waitUntil("the drain to begin") { gateway.log.contains("gracefully shutting down") }
            #expect(relayed.isAnswered(.imap))
            #expect(try greeted.untilEnd().hasPrefix(Mail.pop3.farewellPrefix))
            #expect(try relayed.untilEnd().isEmpty, "nothing in the middle of the back-end's words")
            #expect(try gateway.process.waitForExit(within: .seconds(5)) == .code(0))
            #expect(gateway.log.contains("shutdown timeout"))
        }
    }

    @Test func drainsOnQuit() throws {
        try Site.run(backEnds: .ok, adjust: { $0.workers = 2 }) { site, _ in
            let gateway = site.gateway
            let held = try gateway.greetedClient(.imap)
            _ = try held.logIn(.imap, as: .ann)

            gateway.process.signal(SIGQUIT)
            for server in gateway.configuration.servers {
                try waitUntil("new connections to be refused") { !server.endpoint.acceptsConnections }
            }
            #expect(gateway.process.isRunning)
            #expect(held.isAnswered(.imap), "a session in progress goes on")
            held.close()
            let status = try gateway.process.waitForExit(within: .seconds(5))
            #expect(status == .code(0))
        }
    }

    @Test func thePidFileIsWrittenOnceEveryListenerIsBound() throws {
        try Stage.run { stage in
            let nobody = try stage.freeEndpoint()
            var configuration = try GatewayConfiguration(on: stage, auth: nobody)
            for _ in 0..<20 {
                configuration.servers.append(.init(mail: .imap, endpoint: try stage.freeEndpoint()))
            }
            let gateway = try GatewayUnderTest(on: stage, configuration)
            // No waiting here: the pid file is there, so each of them must answer.
            for server in configuration.servers { #expect(server.endpoint.acceptsConnections) }
            let pid = textOfFile(stage.directory.path("gateway.pid"))
            #expect(pid == "\(gateway.process.pid)\n")

            gateway.process.signal(SIGTERM)
            try gateway.process.waitForExit()
            #expect(textOfFile(stage.directory.path("gateway.pid")).isEmpty, "the pid file is removed at the end")
        }
    }

    @Test func itsLogLinesHaveNginxsForm() throws {
        try Site.run(backEnds: .ok) { site, _ in
            try site.expectHealthy(.imap)
            let form = /\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d \[[a-z]+\] \d+#\d+: .+/
            let lines = site.gateway.log.split(separator: "\n")
            #expect(!lines.isEmpty)
            for line in lines { #expect(line.wholeMatch(of: form) != nil, "\(line)") }
            #expect(site.gateway.log.contains(/: \*\d+ client 127\.0\.0\.1:\d+ connected to/))
            #expect(site.gateway.log.contains(/: \*\d+ client logged in, client: 127\.0\.0\.1, server:/))
        }
    }
}
