import Foundation
import Testing

/// What README.md shows is what works.
@Suite("Documentation", .endToEnd) struct DocumentationTests {
    private static let top = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path

    private static let example = textOfFile("\(top)/docs/examples/mailgateway.conf")

    @Test func readmeShowsTheExampleAsItIs() {
        #expect(!Self.example.isEmpty)
        #expect(textOfFile("\(Self.top)/README.md").contains("```nginx\n\(Self.example)```\n"))
    }

    @Test func readmeBeginsWithTheTwoCommands() throws {
        let readme = textOfFile("\(Self.top)/README.md")
        let firstBlock = try #require(
            readme.split(separator: "```sh\n").dropFirst().first?.split(separator: "```").first)
        let commands = firstBlock.split(separator: "\n").map {
            $0.prefix { $0 != "#" }.trimmingCharacters(in: .whitespaces)
        }
        #expect(commands == ["make run", "make test"])
    }

    /// The example as written, but for ports and the pid file's name.
    @Test func theExampleProxiesAllProtocols() throws {
        try Stage.run { stage in
            let dovecot = try Dovecot(on: stage)
            let smtp = try ScriptedBackEnd(on: stage, .smtp, .ok)
            let auth = try AuthService(
                on: stage, servers: [.imap: dovecot.imap, .pop3: dovecot.pop3, .smtp: smtp.endpoint])
            let configuration = try GatewayConfiguration(on: stage, auth: auth.endpoint)
            var text = "\(GatewayKind.underTest.preamble)\n\(Self.example)"
            var changes = ["127.0.0.1:9143": "\(auth.endpoint)", "mailgateway.pid": "gateway.pid"]
            for (port, server) in zip([1143, 1110, 1587], configuration.servers) {
                changes["listen \(port);"] = "listen \(server.endpoint);"
            }
            for (written, here) in changes {
                #expect(text.contains(written))
                text.replace(written, with: here)
            }
            let gateway = try GatewayUnderTest(on: stage, configuration, text: text)
            let site = Site(stage: stage, auth: auth, gateway: gateway, postfix: nil)
            for mail in Mail.allCases { try site.expectHealthy(mail) }
        }
    }
}
