#if MySQL
    import Testing

    /// What `auth_cache` spares a database, and what it must not.
    @Suite("auth_cache", .endToEnd, .beyondNginx) struct AuthCacheTests {
        private func run(
            _ cache: String, mode: ScriptedBackEnd.Mode = .ok, _ body: (DatabaseSite) throws -> Void
        ) throws {
            try DatabaseSite.run(
                mode: mode, adjust: { configuration, _ in configuration.mail.append("auth_cache \(cache);") }, body)
        }

        @Test("while the database is away, those who were let in lately are let in, and nobody else") func away() throws
        {
            try run("max=100 ttl=10m negative_ttl=10m") { site in
                let questions = try site.questions
                for mail in Mail.allCases {
                    for _ in 0..<2 { try site.expectLogin(.accepted, mail) }
                    for _ in 0..<2 { try site.expectLogin(.refused, mail, password: "wrong") }
                }
                let asked = try site.questions - questions
                #expect(asked == 6)
                site.database.stop()
                for mail in Mail.allCases {
                    try site.expectLogin(.accepted, mail)
                    try site.expectLogin(.refused, mail, password: "wrong")
                    // C3: another password, or another name, is another login.
                    try site.expectLogin(.unavailable, mail, password: "correct hors")
                    try site.expectLogin(.unavailable, mail, as: Account(name: "Ann", password: Account.ann.password))
                }
            }
        }

        @Test("a password that was changed holds until its time is over") func expires() throws {
            try run("max=100 ttl=1s negative_ttl=0") { site in
                try site.expectLogin(.accepted)
                try site.database.add(Database.Row(Account(name: "ann", password: "another")))
                try waitUntil("the former password to be refused") { try site.logIn() == Mail.imap.loginRefused }
                try site.expectLogin(.accepted, password: "another")
            }
        }

        @Test("what its back-end refuses is asked anew") func refusedBehind() throws {
            try run("max=100 ttl=10m", mode: .refuse) { site in
                let questions = try site.questions
                for _ in 0..<3 { _ = try site.logIn() }
                let asked = try site.questions - questions
                #expect(asked == 3)
            }
        }

        @Test("a reload forgets all") func reload() throws {
            try run("max=100 ttl=10m") { site in
                let questions = try site.questions
                for _ in 0..<2 { try site.expectLogin(.accepted) }
                try site.gateway.reload()
                for _ in 0..<2 { try site.expectLogin(.accepted) }
                let asked = try site.questions - questions
                #expect(asked == 2)
            }
        }
    }

    extension DatabaseSite {
        /// How many prepared statements the database has run.
        fileprivate var questions: Int {
            get throws {
                let status = try database.run("SHOW GLOBAL STATUS LIKE 'Com_stmt_execute'")
                return try #require(status.split(whereSeparator: \.isWhitespace).last.flatMap { Int($0) })
            }
        }
    }
#endif
