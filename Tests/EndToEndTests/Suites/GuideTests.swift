import Foundation
import Testing

/// What the guides of docs/guides show works as they show it, but for paths and ports.
@Suite("Guides", .endToEnd, .beyondNginx) struct GuideTests {
    private func run(
        _ guide: String, changing changes: [String: String] = [:],
        _ body: (Stage, GatewayUnderTest, [ScriptedBackEnd]) throws -> Void
    ) throws {
        try Stage.run { stage in
            try run(guide, on: stage, changing: changes) { gateway, backEnds in try body(stage, gateway, backEnds) }
        }
    }

    /// A gateway with a guide's configuration and files, in the stage's directory in place of /etc/mailgateway.
    private func run(
        _ guide: String, on stage: Stage, changing changes: [String: String],
        _ body: (GatewayUnderTest, [ScriptedBackEnd]) throws -> Void
    ) throws {
        let shown = try DocumentedConfigurationTests.whole(of: "docs/guides/\(guide).md")
        let backEnds = try (0..<2).map { _ in try ScriptedBackEnd(on: stage, .imap, .ok) }
        let endpoint = try stage.freeEndpoint()
        func adapted(_ text: String) -> String {
            var text = text
            for (address, backEnd) in zip(["192.0.2.10", "192.0.2.11"], backEnds) {
                text.replace("\(address):143", with: "\(backEnd.endpoint)")
                text.replace("\"\(address)\", 143", with: "\"\(backEnd.endpoint.host)\", \(backEnd.endpoint.port)")
            }
            text.replace("listen 143;", with: "listen \(endpoint);")
            text.replace("/etc/mailgateway", with: stage.directory.path)
            for (written, here) in changes { text.replace(written, with: here) }
            return text
        }
        try stage.directory.makeFolder("pam.d")
        for (name, text) in shown.files { try stage.directory.write(name, adapted(text)) }
        var configuration = try GatewayConfiguration(on: stage, auth: stage.freeEndpoint())
        configuration.servers = [.init(mail: .imap, endpoint: endpoint)]
        let preamble = "pid gateway.pid; error_log gateway.log info;\n"
        let gateway = try GatewayUnderTest(on: stage, configuration, text: preamble + adapted(shown.text))
        try body(gateway, backEnds)
    }

    private func logIn(_ name: String, _ password: String, at gateway: GatewayUnderTest) throws -> String {
        try gateway.greetedClient(.imap).logIn(.imap, as: Account(name: name, password: password))
    }

    @Test func accountsInAFile() throws {
        try run("accounts-file") { stage, gateway, backEnds in
            let bob = try logIn("bob", "correct horse", at: gateway)
            #expect(bob.hasPrefix("a1 OK"))
            #expect(try logIn("bob", "wrong", at: gateway).hasPrefix("a1 NO"))
            #expect(try logIn("eve", "wrong", at: gateway).hasPrefix("a1 NO"))
            #expect(gateway.log.contains("upstream: \(backEnds[1].endpoint)"), "bob's own back-end")
            // As the guide says how.
            let program = GatewayKind.mailgateway.command(checking: false, in: stage.directory)[0]
            let password = try stage.directory.write("password.txt", "secret\n")
            let command = [program, "passwd", "--stdin", stage.directory.path("accounts"), "ann"]
            #expect(try stage.run(command, input: password).succeeded)
            try waitUntil("ann's new password", within: .seconds(20)) {
                try logIn("ann", "secret", at: gateway).hasPrefix("a1 OK")
            }
            #expect(gateway.log.contains("upstream: \(backEnds[0].endpoint)"))
        }
    }

    @Test func loginsByAnHTTPService() throws {
        try Stage.run { stage in
            let service = try stage.freeEndpoint()
            let changes = [
                "127.0.0.1:9143": "\(service)", "\"127.0.0.1\", 9143": "\"\(service.host)\", \(service.port)",
            ]
            try run("http", on: stage, changing: changes) { gateway, backEnds in
                let program = try stage.start(
                    "service", ["/usr/bin/env", "python3", stage.directory.path("service.py")])
                try program.waitUntilListening(on: service)
                let ann = try logIn("ann", "correct horse", at: gateway)
                #expect(ann.hasPrefix("a1 OK"))
                #expect(try logIn("ann", "wrong", at: gateway) == "a1 NO Invalid login or password")
                #expect(gateway.log.contains("upstream: \(backEnds[0].endpoint)"))
            }
        }
    }

    #if PAM
        @Test func loginsByPAM() throws {
            let changes = [
                "auth_pam mailgateway;": "auth_pam mailgateway confdir=pam.d;", "user nobody nogroup;": "",
            ]
            try run("pam", changing: changes) { _, gateway, _ in
                let ann = try logIn("ann", "correct horse", at: gateway)
                #expect(ann.hasPrefix("a1 OK"))
                #expect(try logIn("ann", "wrong", at: gateway).hasPrefix("a1 NO"))
                #expect(try logIn("bob", "correct horse", at: gateway).hasPrefix("a1 NO"), "locked")
                #expect(try logIn("eve", "correct horse", at: gateway).hasPrefix("a1 NO"))
            }
        }
    #endif
}
