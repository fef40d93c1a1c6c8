#if MySQL
    import Testing

    /// TLS between the gateway and a database that insists on it.
    @Suite("auth_mysql through TLS", .endToEnd, .beyondNginx) struct MySQLTLSTests {
        /// A site whose database has a certificate for `names`, and takes nobody without TLS.
        private func run(
            _ names: [String], _ directives: @escaping (Certificates, Stage) throws -> [String],
            _ body: (GatewayUnderTest, Database) throws -> Void
        ) throws {
            try Stage.run { stage in
                let certificates = try Certificates(on: stage)
                try certificates.issue("database", names.map { $0 == "address" ? "IP:\(stage.host)" : $0 }, kind: .rsa)
                let backEnd = try ScriptedBackEnd(on: stage, .imap, .ok)
                let database = try Database(
                    on: stage, [Database.Row(.ann, at: backEnd.endpoint)],
                    options: [
                        "--ssl-cert=\(certificates.path("database.pem"))",
                        "--ssl-key=\(certificates.path("database.key"))",
                        "--require-secure-transport=ON",
                    ])
                var configuration = try GatewayConfiguration(on: stage, auth: database.endpoint)
                configuration.mail = try database.directives() + directives(certificates, stage)
                try body(try GatewayUnderTest(on: stage, configuration), database)
            }
        }

        private func trusting(_ certificates: Certificates, _ stage: Stage) -> [String] {
            ["auth_mysql_ssl on;", "auth_mysql_ssl_trusted_certificate \(certificates.authorityFile);"]
        }

        private func answer(of gateway: GatewayUnderTest) throws -> String {
            try gateway.greetedClient(.imap).logIn(.imap, as: .ann)
        }

        @Test("a database that proves who it is") func proven() throws {
            try run(["address"], trusting) { gateway, database in
                let answer = try answer(of: gateway)
                #expect(answer.hasPrefix("a1 OK"), "\(gateway.log.suffix(500))")
            }
        }

        @Test("one that is somebody else, or whom nobody vouches for, gets no password") func notProven() throws {
            try run(["other.example"], trusting) { gateway, _ in
                let answer = try answer(of: gateway)
                #expect(answer.hasPrefix(Mail.imap.unavailablePrefix))
                #expect(gateway.log.contains("cannot be reached (2026: "), "\(gateway.log.suffix(500))")
            }
            try run(
                ["address"],
                { _, stage in
                    let strangers = try Certificates(on: stage, folder: "strangers")
                    return ["auth_mysql_ssl on;", "auth_mysql_ssl_trusted_certificate \(strangers.authorityFile);"]
                }
            ) { gateway, _ in
                let answer = try answer(of: gateway)
                #expect(answer.hasPrefix(Mail.imap.unavailablePrefix))
                #expect(gateway.log.contains("cannot be reached (2026: "), "\(gateway.log.suffix(500))")
            }
        }

        @Test("without the check anybody may be it; without TLS nobody is let in") func withoutCheck() throws {
            try run(["other.example"], { _, _ in ["auth_mysql_ssl on;", "auth_mysql_ssl_verify off;"] }) { gateway, _ in
                let answer = try answer(of: gateway)
                #expect(answer.hasPrefix("a1 OK"), "\(gateway.log.suffix(500))")
            }
            try run(["address"], { _, _ in [] }) { gateway, _ in
                let answer = try answer(of: gateway)
                #expect(answer.hasPrefix(Mail.imap.unavailablePrefix))
                #expect(gateway.log.contains("cannot be reached ("), "\(gateway.log.suffix(500))")
            }
        }

        @Test("a database without TLS is not talked to where TLS is wanted") func noTLS() throws {
            try Stage.run { stage in
                let certificates = try Certificates(on: stage)
                let database = try Database(on: stage, [Database.Row(.ann)])
                var configuration = try GatewayConfiguration(on: stage, auth: database.endpoint)
                configuration.mail = try database.directives() + trusting(certificates, stage)
                let gateway = try GatewayUnderTest(on: stage, configuration)
                let answer = try answer(of: gateway)
                #expect(answer.hasPrefix(Mail.imap.unavailablePrefix))
                #expect(gateway.log.contains("cannot be reached (2026: "), "\(gateway.log.suffix(500))")
            }
        }
    }
#endif
