#if MySQL
    import Foundation
    import Testing

    /// docs/guides/mysql.md does what it says.
    @Suite("The guide to auth_mysql", .endToEnd, .beyondNginx) struct MySQLGuideTests {
        @Test("its table, its configuration and its account let a client in") func works() throws {
            try Stage.run { stage in
                let top = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
                    .deletingLastPathComponent().deletingLastPathComponent().path
                let guide = textOfFile("\(top)/docs/guides/mysql.md")
                let database = try Database(on: stage, schema: Self.block("```sql\n", of: guide))
                let backEnd = try ScriptedBackEnd(on: stage, .imap, .ok)
                var configuration = try GatewayConfiguration(on: stage, auth: database.endpoint)
                configuration.servers = [try #require(configuration.servers.first { $0.mail == .imap })]
                let gateway = configuration.servers[0].endpoint
                try stage.directory.write("mysql.password", "a long random password\n", mode: 0o600)
                // Only the places are others.
                var text = Self.block("```nginx file=mailgateway.conf\n", of: guide)
                for (shown, ours) in [
                    ("127.0.0.1:3306", "\(database.endpoint)"), ("127.0.0.1:10143", "\(backEnd.endpoint)"),
                    ("127.0.0.1:1143", "\(gateway)"),
                ] {
                    #expect(text.contains(shown))
                    text = text.replacingOccurrences(of: shown, with: ours)
                }
                text +=
                    "\nerror_log \(stage.directory.path("gateway.log")) info; pid \(stage.directory.path("gateway.pid"));\n"
                let running = try GatewayUnderTest(on: stage, configuration, text: text)
                let client = try running.greetedClient(.imap)
                let refusal = try client.ask("a1 LOGIN ann@example.test wrong")
                #expect(refusal == "a1 NO [AUTHENTICATIONFAILED] Invalid login or password", "\(running.log)")
                try database.run("UPDATE mail.accounts SET password = '{PLAIN}secret' WHERE login = 'ann@example.test'")
                let answer = try client.ask("a2 LOGIN Ann@example.test secret")
                #expect(answer.hasPrefix("a2 OK"), "\(running.log)")
            }
        }

        /// The lines between `opening` and the next fence.
        private static func block(_ opening: String, of document: String) -> String {
            guard let start = document.range(of: opening), let end = document[start.upperBound...].range(of: "```")
            else { return "" }
            return String(document[start.upperBound..<end.lowerBound])
        }
    }
#endif
