import Foundation
import Glibc
import Testing

/// A worker that dies takes its own sessions with it, and nothing else.
@Suite("Workers", .endToEnd) struct WorkerTests {
    @Test func aKilledWorkerIsReplacedAndTheOthersSessionsLiveOn() throws {
        try Site.run(backEnds: .ok, adjust: { $0.workers = 2 }) { site, _ in
            let gateway = site.gateway
            try waitUntil("two workers") { gateway.workers.count == 2 }
            let before = gateway.workers
            let sessions = try (0..<12).map { _ in
                let session = try gateway.greetedClient(.imap)
                _ = try session.logIn(.imap, as: .ann)
                return session
            }
            // The one with fewer sessions, so that the other one certainly has some.
            let victim = try #require(before.min { openSockets(of: $0) < openSockets(of: $1) })
            kill(victim, SIGKILL)

            try waitUntil("a new worker") {
                gateway.workers.count == 2 && !gateway.workers.contains(victim)
            }
            #expect(gateway.workers.count { before.contains($0) } == 1, "the other worker is the one it was")
            let survivors = sessions.count { $0.isAnswered(.imap) }
            #expect(survivors >= sessions.count / 2)
            for _ in 0..<4 { try site.expectHealthy(.imap) }
            #expect(gateway.everythingSaid.contains("\(victim)"), "the log says which process died")
        }
    }

    @Test(.beyondNginx) func workersShareTheClientsOfOneSocket() throws {
        try Site.run(backEnds: .ok, adjust: { $0.workers = 2 }) { site, _ in
            let gateway = site.gateway
            try waitUntil("two workers") { gateway.occurrences(of: "event method") == 2 }
            // epoll wakes whom it likes.
            guard gateway.occurrences(of: "using the \"io_uring\" event method") == 2 else { return }
            let before = gateway.workers.map(openSockets(of:))
            let sessions = try (0..<20).map { _ in
                let session = try gateway.greetedClient(.imap)
                _ = try session.logIn(.imap, as: .ann)
                return session
            }
            let taken = zip(gateway.workers, before).map { openSockets(of: $0) - $1 }
            #expect(
                taken.allSatisfy { $0 >= sessions.count / 2 }, "a quarter of them at least, two sockets each: \(taken)")
        }
    }

    @Test(.beyondNginx) func aWorkerThatDiesUnderLoadTakesNobodyElseWithIt() throws {
        // A socket per worker: the kernel spreads clients evenly, and those who wait for the dead one are not lost.
        let adjust: (inout GatewayConfiguration) -> Void = {
            $0.workers = 2
            for index in $0.servers.indices { $0.servers[index].parameters = "reuseport" }
        }
        try Site.run(backEnds: .ok, adjust: adjust) { site, _ in
            let gateway = site.gateway
            try waitUntil("two workers") { gateway.occurrences(of: "event method") == 2 }
            let workers = gateway.workers
            let sessions = try (0..<30).map { _ in
                let session = try gateway.greetedClient(.imap)
                _ = try session.logIn(.imap, as: .ann)
                return session
            }
            let knocking = Knocking(at: try gateway.endpoint(.pop3), greeting: "+OK")
            kill(workers[0], SIGKILL)
            // Whoever it has just accepted goes with it.
            try waitUntil("its end") { !gateway.workers.contains(workers[0]) }
            for _ in 0..<10 { try site.expectHealthy(.imap) }
            try waitUntil("its successor") { gateway.workers.count == 2 && !gateway.workers.contains(workers[0]) }
            let (tries, failures) = knocking.stop()
            #expect(tries > 10 && failures.count <= 1, "but for one who was being served: \(failures)")
            let survivors = sessions.count { $0.isAnswered(.imap) }
            #expect(survivors > 0 && survivors < sessions.count, "each had some")
            #expect(openSockets(of: workers[1]) >= 2 * survivors)
        }
    }

    @Test(.beyondNginx) func aKilledWorkerIsReplacedAgainAndAgain() throws {
        try Site.run(backEnds: .ok) { site, _ in
            for _ in 0..<3 {
                try waitUntil("a worker") { site.gateway.workers.count == 1 }
                let victim = try #require(site.gateway.workers.first)
                kill(victim, SIGKILL)
                try waitUntil("the worker's end") { !site.gateway.workers.contains(victim) }
                try waitUntil("its successor", within: .seconds(20)) { site.gateway.workers.count == 1 }
                try site.expectHealthy(.imap)
            }
        }
    }
}

/// How many sockets a process holds.
private func openSockets(of process: pid_t) -> Int {
    let folder = "/proc/\(process)/fd"
    do {
        return try FileManager.default.contentsOfDirectory(atPath: folder).count { name in
            try FileManager.default.destinationOfSymbolicLink(atPath: "\(folder)/\(name)").hasPrefix("socket:")
        }
    } catch {
        // It has ended meanwhile.
        return 0
    }
}
