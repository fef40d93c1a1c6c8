#if MySQL
    import Foundation
    import Testing

    /// Logins decided by a real MariaDB.
    @Suite("auth_mysql", .endToEnd, .beyondNginx) struct MySQLTests {
        @Test("right and wrong passwords", arguments: Mail.allCases) func rightAndWrong(mail: Mail) throws {
            try DatabaseSite.run { site in
                for account in Account.all {
                    let answer = try site.logIn(mail, as: account)
                    #expect(answer.hasPrefix(mail.loggedInPrefix))
                }
                for (account, password) in [(Account.ann, "wrong"), (Account(name: "nobody", password: ""), "wrong")] {
                    let answer = try site.logIn(mail, as: account, password: password)
                    #expect(answer == mail.loginRefused)
                }
                // One session may try again.
                let client = try site.gateway.greetedClient(mail)
                let refusal = try client.logIn(mail, as: .ann, password: "wrong")
                #expect(refusal == mail.loginRefused)
                let answer = try client.logIn(mail, as: .ann)
                #expect(answer.hasPrefix(mail.loggedInPrefix))
            }
        }

        @Test("the row says where, as whom and with which password: Dovecot") func toDovecot() throws {
            try Stage.run { stage in
                let dovecot = try Dovecot(on: stage)
                var row = Database.Row(Account(name: "ann@sales.test", password: "front"), at: dovecot.imap)
                row.user = Database.quoted(Account.ann.name)
                row.backEndPassword = Database.quoted(Account.ann.password)
                let database = try Database(on: stage, [row])
                var configuration = try GatewayConfiguration(on: stage, auth: database.endpoint)
                configuration.mail = try database.directives()
                let gateway = try GatewayUnderTest(on: stage, configuration)
                let client = try gateway.greetedClient(.imap)
                let answer = try client.ask("a1 LOGIN ann@sales.test front")
                #expect(answer.hasPrefix("a1 OK"))
                #expect(client.isAnswered(.imap))
                try waitUntil("Dovecot's line") { textOfFile(dovecot.log).contains("Login: user=<ann>") }
            }
        }

        @Test("CRAM-MD5 and APOP are proven by {PLAIN} passwords, and by no others") func digests() throws {
            var hashed = Database.Row(Account(name: "hashed", password: ""))
            hashed.password = Database.quoted("$6$rounds=1000$saltsalt$\(String(repeating: "x", count: 86))")
            try DatabaseSite.run(
                rows: [hashed],
                adjust: { configuration, _ in
                    configuration.mail += ["imap_auth plain cram-md5;", "pop3_auth plain apop;"]
                }
            ) { site in
                let (imap, pop3) = (try site.gateway.endpoint(.imap), try site.gateway.endpoint(.pop3))
                let program = """
                    import imaplib, poplib, sys
                    def imap(user, password):
                        imaplib.IMAP4("\(imap.host)", \(imap.port)).login_cram_md5(user, password)
                    def pop3(user, password):
                        poplib.POP3("\(pop3.host)", \(pop3.port)).apop(user, password)
                    for log_in in (imap, pop3):
                        log_in("ann", "correct horse")
                        for user in ("ann", "hashed", "nobody"):
                            try: log_in(user, "wrong")
                            except (imaplib.IMAP4.error, poplib.error_proto) as error: print(error)
                            else: sys.exit("let in")
                    """
                let result = try site.stage.run(["/usr/bin/python3", "-c", program])
                #expect(result.succeeded, "\(result)")
                #expect(result.output.components(separatedBy: "Invalid login or password").count - 1 == 6, "\(result)")
            }
        }

        @Test("an account is locked by NULL, and turned away by a reason only with its password")
        func lockedAndRefused()
            throws
        {
            var locked = Database.Row(Account(name: "locked", password: ""))
            locked.password = "NULL"
            var moved = Database.Row(Account(name: "moved", password: "right"))
            moved.reason = "CONCAT('Account closed,', CHAR(13, 10), 'ask the desk')"
            var later = Database.Row(Account(name: "later", password: "right"))
            (later.reason, later.wait) = (Database.quoted("[EXPIRED] Come back later"), "1")
            try DatabaseSite.run(rows: [locked, moved, later]) { site in
                for name in ["locked", "moved", "later"] {
                    let answer = try site.logIn(as: Account(name: name, password: "wrong"))
                    #expect(answer == Mail.imap.loginRefused, "\(name)")
                }
                var client = try site.gateway.greetedClient(.imap)
                let closed = try client.logIn(.imap, as: Account(name: "moved", password: "right"))
                #expect(closed == "a1 NO [AUTHENTICATIONFAILED] Account closed,  ask the desk")
                #expect(try client.untilEnd().isEmpty)
                client = try site.gateway.greetedClient(.imap)
                let start = ContinuousClock.now
                let waited = try client.logIn(.imap, as: Account(name: "later", password: "right"))
                #expect(waited == "a1 NO [EXPIRED] Come back later")
                #expect(ContinuousClock.now - start >= .milliseconds(950))
                let answer = try client.logIn(.imap, as: .ann)
                #expect(answer.hasPrefix("a1 OK"))
            }
        }

        @Test("every placeholder is bound") func placeholders() throws {
            var ann = Database.Row(Account(name: "ann", password: "front"))
            ann.reason = Database.quoted("example.test")
            let query = """
                SELECT password FROM accounts
                WHERE login = :local_part AND reason = :domain AND :protocol = 'imap' AND :client_ip LIKE '127.%'
                """
            try DatabaseSite.run(rows: [ann], query: query) { site in
                func account(_ name: String) -> Account { Account(name: name, password: "front") }
                try site.expectLogin(.accepted, as: account("ann@example.test"))
                try site.expectLogin(.refused, as: account("ann@other.test"))
                try site.expectLogin(.refused, as: account("ann"))
                try site.expectLogin(.refused, .pop3, as: account("ann@example.test"))
            }
        }

        @Test(
            "answers that cannot be acted on are temporary errors, and said in the log",
            arguments: [
                (
                    "SELECT password, home FROM accounts WHERE login = ?",
                    "sent a column \"home\" that means nothing here"
                ),
                ("SELECT host FROM accounts WHERE login = ?", "sent no column \"password\""),
                ("SELECT password, password FROM accounts WHERE login = ?", "sent the column \"password\" twice"),
                (
                    "SELECT password FROM accounts WHERE login IS NOT NULL OR login = ?",
                    "sent several rows for one login"
                ),
                (
                    "SELECT password, 0 AS port FROM accounts WHERE login = ?",
                    "sent an invalid value in column \"port\""
                ),
                ("SELECT REPEAT('x', 1025) AS password FROM accounts WHERE login = ?", "sent more than 1024 bytes"),
                (
                    "SELECT 'secret' AS password FROM accounts WHERE login = ?",
                    "sent an invalid value in column \"password\""
                ),
                ("SELECT password FROM nowhere WHERE login = ?", "failed (1146: "),
                ("DO SLEEP(0), ?", "gives no columns"),
                ("SELECT password FROM accounts WHERE login = :login AND", "failed (1064: "),
            ]) func unusable(query: String, words: String) throws
        {
            let query = query.replacingOccurrences(
                of: "accounts",
                with: "(SELECT *, 'x' AS home FROM accounts) AS accounts")
            try DatabaseSite.run(query: query) { site in
                for mail in Mail.allCases {
                    let client = try site.gateway.greetedClient(mail)
                    let answer = try client.logIn(mail, as: .ann)
                    #expect(answer.hasPrefix(mail.unavailablePrefix))
                }
                #expect(site.gateway.log.contains("mysql \(site.database.endpoint) "))
                #expect(site.gateway.log.contains(words), "\(site.gateway.log.suffix(800))")
            }
        }

        @Test("a unix socket") func unixSocket() throws {
            try DatabaseSite.run(adjust: { configuration, database in
                configuration.mail = try database.directives(over: "unix:\(database.socket)")
            }) { site in
                try site.expectLogin(.accepted)
                let hosts = try site.database.run(
                    "SELECT host FROM information_schema.processlist WHERE user = 'gateway'")
                #expect(hosts == "localhost\n")
            }
        }

        @Test("explain looks a user up without a password") func explained() throws {
            try Stage.run { stage in
                let backEnd = try ScriptedBackEnd(on: stage, .imap, .ok)
                let database = try Database(on: stage, [Database.Row(.ann, at: backEnd.endpoint)])
                var configuration = try GatewayConfiguration(on: stage, auth: database.endpoint)
                configuration.mail = try database.directives()
                _ = try GatewayUnderTest.write(configuration, on: stage)
                func explain(_ user: String) throws -> CommandResult {
                    try stage.run([
                        GatewayKind.builtProduct, "explain", user, "--protocol", "imap", "-p", stage.directory.path,
                        "-c", "gateway.conf",
                    ])
                }
                let known = try explain(Account.ann.name)
                #expect(known.output.contains("authenticator: auth_mysql knows \"\(Account.ann.name)\""), "\(known)")
                #expect(known.output.contains("used: \(backEnd.endpoint)"))
                let stranger = try explain("' OR '1'='1")
                #expect(stranger.output.contains("the login would be refused"), "\(stranger)")
            }
        }

        @Test("a reload keeps the connections of what stays, and closes those of what goes") func reload() throws {
            try DatabaseSite.run { site in
                func connections() throws -> [String] {
                    try site.database.run("SELECT id FROM information_schema.processlist WHERE user = 'gateway'")
                        .split(separator: "\n").map(String.init)
                }
                try site.expectLogin(.accepted)
                let first = try connections()
                #expect(first.count == 1)
                try site.gateway.rewrite({ $0.mail.append("timeout 30s;") }, on: site.stage)
                try site.gateway.reload()
                try site.expectLogin(.accepted)
                #expect(try connections() == first)
                try site.gateway.rewrite({ $0.mail.append("auth_mysql_connections 2;") }, on: site.stage)
                try site.gateway.reload()
                try site.expectLogin(.accepted)
                try waitUntil("the former connection to be closed") { try connections().count == 1 }
                #expect(try connections() != first)
            }
        }
    }

    /// What the gateway answers where no service words it (`error_texts rfc`).
    extension Mail {
        /// To wrong credentials.
        var loginRefused: String {
            switch self {
            case .imap: "a1 NO [AUTHENTICATIONFAILED] Invalid login or password"
            case .pop3: "-ERR [AUTH] Invalid login or password"
            case .smtp: "535 5.7.8 Invalid login or password"
            }
        }

        /// To those that could not be checked; how it begins.
        var unavailablePrefix: String {
            switch self {
            case .imap: "a1 NO [UNAVAILABLE] "
            case .pop3: "-ERR [SYS/TEMP] "
            case .smtp: "454 4.7.0 "
            }
        }
    }
#endif
