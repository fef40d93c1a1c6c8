#if MySQL
    import Testing

    /// Several authenticators in one server, asked in the order written.
    @Suite("Several authenticators", .endToEnd, .beyondNginx) struct AuthenticatorChainTests {
        private static let file = "auth_file \"data:ann:{PLAIN}from the file\";"

        /// A site with an accounts file, which has only `ann`, before or behind the database, which has all.
        private func run(
            fileFirst: Bool, directives: [String] = [], _ body: (DatabaseSite) throws -> Void
        ) throws {
            try DatabaseSite.run(
                adjust: { configuration, _ in
                    configuration.mail.insert(Self.file, at: fileFirst ? 0 : configuration.mail.count)
                    configuration.mail += directives
                }, body)
        }

        @Test("the first that knows the user decides, with its own password", arguments: Mail.allCases)
        func firstThatKnows(mail: Mail) throws {
            let file = Account(name: "ann", password: "from the file")
            let stranger = Account(name: "nobody", password: "x")
            try run(fileFirst: true) { site in
                try site.expectLogin(.accepted, mail, as: file)
                try site.expectLogin(.refused, mail, as: .ann)
                try site.expectLogin(.accepted, mail, as: .bob)
                try site.expectLogin(.refused, mail, as: .bob, password: "x")
                try site.expectLogin(.refused, mail, as: stranger)
            }
            try run(fileFirst: false) { site in
                try site.expectLogin(.refused, mail, as: file)
                try site.expectLogin(.accepted, mail, as: .ann)
                try site.expectLogin(.refused, mail, as: stranger)
            }
        }

        @Test("one that fails ends the asking, and none is asked that is not needed") func failures() throws {
            let file = Account(name: "ann", password: "from the file")
            try run(fileFirst: true) { site in
                site.database.stop()
                try site.expectLogin(.accepted, as: file)
                try site.expectLogin(.refused, as: file, password: "x")
                try site.expectLogin(.unavailable, as: .bob)
            }
            try run(fileFirst: false) { site in
                site.database.stop()
                // The database might have known the user, and refused.
                try site.expectLogin(.unavailable, as: file)
            }
        }

        @Test("each has its own time") func times() throws {
            try Stage.run { stage in
                let silent = try stage.takenEndpoint()
                let backEnd = try ScriptedBackEnd(on: stage, .imap, .ok)
                var configuration = try GatewayConfiguration(on: stage, auth: silent)
                configuration.mail = [
                    Self.file, "proxy_pass \(backEnd.endpoint);", "auth_mysql \(silent) user=nobody;",
                    "auth_mysql_query \"\(Database.query)\";", "auth_mysql_timeout 1s;", "auth_http \(silent);",
                    "auth_http_timeout 30s;",
                ]
                let gateway = try GatewayUnderTest(on: stage, configuration)
                let start = ContinuousClock.now
                let known = try gateway.greetedClient(.imap).ask("a1 LOGIN ann \"from the file\"")
                #expect(known.hasPrefix("a1 OK"))
                #expect(ContinuousClock.now - start < .seconds(1))
                let unknown = try gateway.greetedClient(.imap).ask("a1 LOGIN bob x")
                #expect(!unknown.hasPrefix("a1 OK"))
                #expect(ContinuousClock.now - start < .seconds(10), "auth_http is behind the failure")
                #expect(gateway.log.contains("mysql \(silent) timed out"))
            }
        }
    }
#endif
