#if MySQL
    import Dispatch
    import Foundation
    import Synchronization
    import Testing

    /// A database that is away, slow or silent: temporary errors for those who need it, nothing for others (checklist E4).
    @Suite("auth_mysql failures", .endToEnd, .beyondNginx) struct MySQLFailureTests {
        /// The account `slow` keeps the database busy for long.
        private static let slowQuery =
            "SELECT password FROM accounts WHERE login = :login AND (login <> 'slow' OR SLEEP(30) = 0)"
        private static let slow = Account(name: "slow", password: "x")

        @Test("a database that stops and starts in the middle of 200 logins") func stopsAndStarts() throws {
            try DatabaseSite.run { site in
                let workers = site.gateway.workers
                let endpoint = try site.gateway.endpoint(.imap)
                let logins = LoginStream(threads: 4) {
                    let client = try RawClient(endpoint)
                    _ = try client.line()
                    return try client.logIn(.imap, as: .ann)
                }
                defer { logins.finish() }
                logins.allow(70)
                try waitUntil("50 logins", within: .seconds(60)) { logins.outcomes.count >= 50 }
                site.database.stop()
                logins.allow(130)
                try waitUntil("logins without a database", within: .seconds(60)) { logins.outcomes.count == 130 }
                let down = logins.outcomes
                #expect(down.prefix(50).allSatisfy { $0.hasPrefix("a1 OK") })
                #expect(down.suffix(50).allSatisfy { $0.hasPrefix(Mail.imap.unavailablePrefix) })
                try site.database.startAgain()
                try waitUntil("a login after that", within: .seconds(20)) { try site.logIn().hasPrefix("a1 OK") }
                logins.allow(200)
                try waitUntil("the rest", within: .seconds(60)) { logins.outcomes.count == 200 }
                let all = logins.outcomes
                #expect(all.suffix(70).allSatisfy { $0.hasPrefix("a1 OK") }, "\(all.suffix(70))")
                // Those that were on their way when it stopped got the one or the other.
                #expect(
                    all.allSatisfy { $0.hasPrefix("a1 OK") || $0.hasPrefix(Mail.imap.unavailablePrefix) }, "\(Set(all))"
                )
                #expect(site.gateway.workers == workers, "nobody crashed")
            }
        }

        @Test("a slow database holds up nobody but those who ask it, and those until their deadline") func slow() throws
        {
            try DatabaseSite.run(
                rows: [Database.Row(Self.slow)], query: Self.slowQuery,
                adjust: { configuration, _ in
                    configuration.mail += ["auth_mysql_timeout 2s;", "auth_mysql_connections 1;"]
                    configuration.servers[1].directives.append("auth_file \"data:ann:{PLAIN}correct horse\";")
                }
            ) { site in
                let relayed = try site.gateway.greetedClient(.imap)
                #expect(try relayed.logIn(.imap, as: .ann).hasPrefix("a1 OK"))
                let slow = try site.gateway.greetedClient(.imap)
                slow.say("a1 LOGIN slow x")
                try waitUntil("the statement to run") {
                    try site.database.run(
                        "SELECT COUNT(*) FROM information_schema.processlist WHERE state = 'User sleep'")
                        == "1\n"
                }
                let start = ContinuousClock.now
                // Sessions that are logged in, and servers that ask somebody else.
                #expect(relayed.isAnswered(.imap))
                try site.expectLogin(.accepted, .pop3)
                #expect(ContinuousClock.now - start < .seconds(1), "neither waited")
                #expect(!slow.hasEnded())
                let slowAnswer = try slow.line()
                #expect(slowAnswer.hasPrefix(Mail.imap.unavailablePrefix))
                // Whichever clock was first: ours, or the server's for its statements.
                let words = ["timed out (110: Connection timed out)", "failed (1969: "]
                #expect(words.contains { site.gateway.log.contains("mysql \(site.database.endpoint) \($0)") })
                // The server has ended the statement by itself, and the connection serves again.
                try waitUntil("the connection to be free again") { try site.logIn().hasPrefix("a1 OK") }
            }
        }

        @Test("more than auth_mysql_queue waiting logins fail at once") func queue() throws {
            try DatabaseSite.run(
                rows: [Database.Row(Self.slow)], query: Self.slowQuery,
                adjust: { configuration, _ in
                    configuration.mail += [
                        "auth_mysql_timeout 5s;", "auth_mysql_connections 1;", "auth_mysql_queue 1;",
                    ]
                }
            ) { site in
                let asking = try site.gateway.greetedClient(.imap)
                asking.say("a1 LOGIN slow x")
                let waiting = try site.gateway.greetedClient(.imap)
                waiting.say("a1 LOGIN ann \"correct horse\"")
                try waitUntil("the statement to run") {
                    try site.database.run(
                        "SELECT COUNT(*) FROM information_schema.processlist WHERE state = 'User sleep'")
                        == "1\n"
                }
                let start = ContinuousClock.now
                let answer = try site.logIn(as: Account(name: "ann", password: "correct horse"))
                #expect(answer.hasPrefix(Mail.imap.unavailablePrefix))
                #expect(ContinuousClock.now - start < .seconds(3), "it did not wait")
                #expect(site.gateway.log.contains("has too many logins waiting (auth_mysql_queue)"))
                let askingAnswer = try asking.line()
                #expect(askingAnswer.hasPrefix(Mail.imap.unavailablePrefix))
                // Whoever was in line for as long as that has no time left, or is served in its last moment.
                let last = try waiting.line()
                #expect(last.hasPrefix(Mail.imap.unavailablePrefix) || last.hasPrefix("a1 OK"))
            }
        }

        @Test("a connection that is busy at a reload is closed once it has answered") func busyAtReload() throws {
            try DatabaseSite.run(
                rows: [Database.Row(Self.slow)], query: Self.slowQuery.replacing("SLEEP(30)", with: "SLEEP(4)"),
                adjust: { configuration, _ in configuration.mail.append("auth_mysql_timeout 20s;") }
            ) { site in
                // A session keeps the configuration that it began with.
                let held = try site.gateway.greetedClient(.imap)
                #expect(try held.logIn(.imap, as: .ann).hasPrefix("a1 OK"))
                let asking = try site.gateway.greetedClient(.imap)
                asking.say("a1 LOGIN slow x")
                try waitUntil("the statement to run") {
                    try site.database.run(
                        "SELECT COUNT(*) FROM information_schema.processlist WHERE state = 'User sleep'")
                        == "1\n"
                }
                try site.gateway.rewrite({ $0.mail.append("auth_mysql_connections 2;") }, on: site.stage)
                try site.gateway.reload()
                let answer = try asking.line()
                #expect(answer.hasPrefix("a1 OK"))
                try waitUntil("the former connection to be closed") {
                    try site.database.run(
                        "SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'gateway'")
                        == "0\n"
                }
                #expect(held.isAnswered(.imap))
            }
        }

        @Test("a server that accepts and says nothing") func silent() throws {
            try Stage.run { stage in
                let silent = try stage.takenEndpoint()
                var configuration = try GatewayConfiguration(on: stage, auth: silent)
                configuration.mail = [
                    "auth_mysql \(silent) user=nobody;", "auth_mysql_query \"\(Database.query)\";",
                    "auth_mysql_timeout 1s;",
                ]
                let gateway = try GatewayUnderTest(on: stage, configuration)
                let start = ContinuousClock.now
                let answer = try gateway.greetedClient(.imap).logIn(.imap, as: .ann)
                #expect(answer.hasPrefix(Mail.imap.unavailablePrefix))
                #expect(ContinuousClock.now - start >= .milliseconds(950))
                #expect(ContinuousClock.now - start < .seconds(5))
            }
        }

        @Test("the wrong password for the database is a temporary error") func accessDenied() throws {
            try DatabaseSite.run(adjust: { configuration, database in
                configuration.mail = [
                    "auth_mysql \(database.endpoint) user=nobody database=mail;",
                    "auth_mysql_query \"\(Database.query)\";",
                ]
            }) { site in
                try site.expectLogin(.unavailable)
                #expect(site.gateway.log.contains("cannot be reached (1045: \"Access denied for user"))
            }
        }
    }

    /// The same login again and again, on several threads, as many times as is allowed so far.
    private final class LoginStream: Sendable {
        private struct State {
            var begun = 0
            var allowed = 0
            var isOver = false
            var outcomes: [String] = []
        }

        private let state = Mutex(State())
        private let running = DispatchGroup()

        init(threads: Int, _ logIn: @escaping @Sendable () throws -> String) {
            for _ in 0..<threads {
                running.enter()
                Thread.detachNewThread { [self] in
                    while next() {
                        var outcome: String
                        do { outcome = try logIn() } catch { outcome = "\(error)" }
                        state.withLock { $0.outcomes.append(outcome) }
                    }
                    running.leave()
                }
            }
        }

        /// Up to `count` logins in all.
        func allow(_ count: Int) { state.withLock { $0.allowed = count } }

        /// What was answered, in the order of the answers.
        var outcomes: [String] { state.withLock { $0.outcomes } }

        func finish() {
            state.withLock { $0.isOver = true }
            running.wait()
        }

        /// Waits until there may be one more; false when there shall be none.
        private func next() -> Bool {
            do {
                try waitUntil("one more login", within: .seconds(300)) {
                    state.withLock { state in
                        if state.begun < state.allowed { state.begun += 1 } else { return state.isOver }
                        return true
                    }
                }
            } catch {
                return false
            }
            return state.withLock { !$0.isOver }
        }
    }
#endif
