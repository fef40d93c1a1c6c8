#if MySQL
    import Foundation
    import Testing

    /// What must not happen between clients and a database.
    @Suite("auth_mysql security", .endToEnd, .beyondNginx) struct MySQLSecurityTests {
        @Test("C4: SQL in user names is a name that nobody has") func sqlInNames() throws {
            let names = [
                "' OR '1'='1", "ann' -- ", "ann'#", "ann' AND '1'='1", "x' UNION SELECT '{PLAIN}x' -- ",
                "\\' OR 1=1 -- ",
                "ann'; DROP TABLE accounts; -- ", "%", "a_n", "ann\" OR \"\"=\"", "?", ":login", "ann/*", "*/ann",
                "\u{bf}' OR 1=1 -- ", "ann\u{2019}",
            ]
            try DatabaseSite.run { site in
                for name in names {
                    let client = try site.gateway.greetedClient(.imap)
                    client.say("a1 LOGIN {\(name.utf8.count)+}")
                    client.say("\(name) {1+}")
                    let answer = try client.ask("x")
                    #expect(answer == Mail.imap.loginRefused, "\(name)")
                }
                // Bytes that are no text reach no database.
                let client = try site.gateway.greetedClient(.imap)
                client.say("a1 LOGIN {3+}")
                client.send([0xBF, 0x27, 0xFF])
                client.say(" {1+}")
                #expect(try client.ask("x") == Mail.imap.loginRefused)
                #expect(try site.database.run("SELECT COUNT(*) FROM mail.accounts") == "2\n")
                try site.expectLogin(.accepted)
                #expect(!site.gateway.log.contains(" failed ("))
            }
        }

        @Test("G1: neither the database's password nor an account's is in a log") func passwordsStayOutOfLogs() throws {
            let (shown, kept, behind) = ("CANARYshown5Egret", "CANARYkept8Bittern", "CANARYbehind3Stork")
            var row = Database.Row(Account(name: "canary", password: kept))
            row.backEndPassword = Database.quoted(behind)
            for mode in [ScriptedBackEnd.Mode.ok, .refuse] {
                try DatabaseSite.run(
                    mode: mode, rows: [row], adjust: { configuration, _ in configuration.logLevel = "debug" }
                ) {
                    site in
                    for mail in Mail.allCases {
                        _ = try site.logIn(mail, as: Account(name: "canary", password: shown))
                        _ = try site.logIn(mail, as: Account(name: "canary", password: kept))
                    }
                    site.database.stop()
                    try site.expectLogin(.unavailable, as: Account(name: "canary", password: kept))
                    let said = site.gateway.everythingSaid
                    #expect(said.contains("login: \"canary\""))
                    for secret in [shown, kept, behind, Database.password] { #expect(!said.contains(secret)) }
                }
            }
        }

        @Test("G2: unknown names and wrong passwords look and last the same") func unknownAndWrong() throws {
            // Some hundred milliseconds of work, beside the pause of a second that every refusal has.
            var ann = Database.Row(.ann)
            ann.password = Database.quoted("$6$rounds=500000$saltsalt$\(String(repeating: "x", count: 86))")
            try DatabaseSite.run(rows: [ann]) { site in
                let worker = try #require(site.gateway.workers.first)
                /// The time that the worker's threads were at work for one login: other load hardly changes it.
                func measure(_ account: Account) throws -> Duration {
                    let (start, work) = (ContinuousClock.now, processorTime(of: worker))
                    try site.expectLogin(.refused, as: account)
                    #expect(ContinuousClock.now - start >= .milliseconds(950))
                    return processorTime(of: worker) - work
                }
                // The first shows what a hash costs here.
                _ = try measure(.ann)
                let accounts = [
                    Account.ann, Account(name: "nobody", password: "x"), Account(name: "bob", password: "x"),
                ]
                var shortest = accounts.map { _ in Duration.seconds(60) }
                for _ in 0..<3 {
                    for (index, account) in accounts.enumerated() {
                        shortest[index] = min(shortest[index], try measure(account))
                    }
                }
                for duration in shortest {
                    #expect(duration > shortest[0] / 2 && duration < shortest[0] * 2, "\(shortest)")
                }
            }
        }
    }

    /// How long all threads of a process have been running on processors.
    private func processorTime(of process: pid_t) -> Duration {
        let folder = "/proc/\(process)/task"
        let threads: [String]
        do {
            threads = try FileManager.default.contentsOfDirectory(atPath: folder)
        } catch {
            return .zero
        }
        let nanoseconds = threads.compactMap { thread in
            textOfFile("\(folder)/\(thread)/schedstat").split(separator: " ").first.flatMap { Int64($0) }
        }
        return .nanoseconds(nanoseconds.reduce(0, +))
    }
#endif
