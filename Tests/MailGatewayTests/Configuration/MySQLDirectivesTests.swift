#if MySQL
    import AsyncIO
    import MailSessions
    import Testing

    @testable import MailGateway

    /// `auth_mysql` and what belongs to it.
    @Suite struct MySQLDirectivesTests {
        private static let query = "auth_mysql_query \"SELECT password FROM accounts WHERE login = :login\";"

        private func settings(_ directives: String, files: [String: String] = [:]) throws -> MySQLSettings {
            let configuration = try ConfigurationFixture.load(
                "events { } mail { server { listen 143; \(directives) } }", files: files)
            let server = try #require(configuration.servers.first)
            guard case .mysql(let settings) = server.settings.authenticators.first else {
                throw ConfigurationError("no database", at: .whole)
            }
            return settings
        }

        @Test(arguments: [
            ("db.example", "db.example:3306"), ("db.example:3307", "db.example:3307"), ("192.0.2.1", "192.0.2.1:3306"),
            ("[2001:db8::1]:3307", "[2001:db8::1]:3307"),
            ("unix:/run/mysqld/mysqld.sock", "unix:/run/mysqld/mysqld.sock"),
        ])
        func places(written: String, meant: String) throws {
            let settings = try settings("auth_mysql \(written) user=gateway; \(Self.query)")
            #expect("\(settings.server)" == meant)
            #expect(settings.user == "gateway")
            #expect(settings.password == nil && settings.database == nil && settings.tls == nil)
            #expect(settings.timeout == .seconds(10) && settings.connections == 4 && settings.queue == 256)
        }

        @Test func `everything is taken over`() throws {
            let settings = try settings(
                """
                auth_mysql db.example database=mail user=gateway password_file=secret; \(Self.query)
                auth_mysql_timeout 1500ms; auth_mysql_connections 2; auth_mysql_queue 0;
                auth_mysql_ssl on; auth_mysql_ssl_trusted_certificate authority.pem;
                """, files: ["secret": "correct horse\r\n"])
            #expect(settings.database == "mail")
            #expect(settings.password == Secret(Array("correct horse".utf8)))
            #expect(settings.timeout == .milliseconds(1500) && settings.connections == 2 && settings.queue == 0)
            #expect(settings.tls?.authorities?.name == "/etc/gw/authority.pem")
            #expect(settings.query.text == "SELECT password FROM accounts WHERE login = ?")
        }

        @Test func `a database that need not prove who it is has no authorities`() throws {
            let settings = try settings(
                "auth_mysql db.example user=a; \(Self.query) auth_mysql_ssl on; auth_mysql_ssl_verify off;")
            #expect(settings.tls == MySQLTLS(authorities: nil))
        }

        @Test(arguments: [
            ("auth_mysql 192.0.2.1 user=a;", "no \"auth_mysql_query\" is defined for the \"auth_mysql\" directive"),
            ("auth_mysql 192.0.2.1:x user=a;", "invalid port in auth_mysql \"192.0.2.1:x\""),
            ("auth_mysql 192.0.2.1/mail user=a;", "invalid host in auth_mysql \"192.0.2.1/mail\""),
            ("auth_mysql 192.0.2.1 user=a password=b;", "invalid parameter: password=b"),
            ("auth_mysql 192.0.2.1 a;", "invalid parameter: a"),
            ("auth_mysql 192.0.2.1 user=;", "invalid value \"\""),
            ("auth_mysql 192.0.2.1 user=a password_file=none;", "open() \"/etc/gw/none\" failed"),
            ("auth_mysql 192.0.2.1 user=a password_file=empty;", "no password in \"/etc/gw/empty\""),
            ("auth_mysql_query \"SELECT password FROM a WHERE b = :user\";", "unknown placeholder \":user\""),
            ("auth_mysql_query \"SELECT ':login\";", "unterminated string or comment in auth_mysql_query"),
        ])
        func refused(directives: String, message: String) {
            let found = ConfigurationFixture.message(
                "events { } mail { server { listen 143; \(directives) } }", files: ["empty": "\n"])
            #expect(found?.hasPrefix(message) == true, "\(found ?? "accepted")")
        }

        @Test func `the password is in no text`() throws {
            let text =
                "events { } mail { auth_mysql unix:/s user=a password_file=secret; \(Self.query) server { listen 143; } }"
            let configuration = try ConfigurationFixture.load(text, files: ["secret": "canary"])
            #expect(!"\(configuration)".contains("canary"))
        }
    }
#endif
