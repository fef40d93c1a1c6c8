import Foundation
import Testing

/// `mailgateway explain` says what a login then does.
@Suite("Explanations", .endToEnd, .beyondNginx) struct ExplainTests {
    private func explain(_ words: [String], on stage: Stage) throws -> CommandResult {
        try stage.run(
            [GatewayKind.builtProduct, "explain"] + words + ["-p", stage.directory.path, "-c", "gateway.conf"])
    }

    @Test func theMemberOfAHashIsTheOneThatIsUsed() throws {
        try BackEndGroup.run([.ok, .ok, .close], lines: ["hash $auth_user consistent;"]) { group in
            let users = 0..<12
            for user in users { try group.expectLogin(user) }
            for user in users {
                let result = try explain(["u\(user)", "--protocol", "imap"], on: group.stage)
                #expect(result.succeeded, "\(result)")
                let lines = result.output.split(separator: "\n").map(String.init)
                #expect(lines.contains("authenticator: auth_file knows \"u\(user)\""))
                #expect(lines.contains("group: pool, by hash of the user, consistent"))
                #expect(lines.contains { $0.hasPrefix("hash: ") && $0.hasSuffix(" of 480") })
                #expect(lines.contains("tls: off"))
                #expect(lines.contains("  \(group.members[0].endpoint): weight 1, serves"))
                let dead = "  \(group.members[2].endpoint): weight 1, does not serve: connection closed by peer"
                #expect(lines.contains(dead), "\(result)")
                let place = try #require(group.places["u\(user)"])
                #expect(lines.last?.hasPrefix("used: \(group.members[place].endpoint)") == true, "\(result)")
            }
        }
    }

    @Test func whatCannotBeKnownIsSaid() throws {
        try BackEndGroup.run([.ok]) { group in
            let stranger = try explain(["nobody"], on: group.stage)
            #expect(stranger.output.contains("authenticator: auth_file does not know \"nobody\""))
            #expect(stranger.output.hasSuffix("nobody knows \"nobody\": the login would be refused\n"))
            let elsewhere = try explain(["u0", "--protocol", "pop3"], on: group.stage)
            #expect(elsewhere.status == .code(1))
            #expect(elsewhere.errors.contains("there is no such server in "))
            let listen = group.gateway.configuration.servers[0].endpoint
            let named = try explain(["u0", "--listen", "\(listen)"], on: group.stage)
            #expect(named.output.contains("used: \(group.members[0].endpoint) first; others take their turns"))
            group.members[0].process.stop()
            let dead = try explain(["u0"], on: group.stage)
            #expect(dead.output.hasSuffix("nobody serves: the login would be a temporary failure\n"))
        }
    }

    @Test func aServiceIsNotAskedWithoutAPassword() throws {
        try Stage.run { stage in
            let auth = try AuthService(on: stage, servers: [:])
            var configuration = try GatewayConfiguration(on: stage, auth: auth.endpoint)
            let backEnd = try ScriptedBackEnd(on: stage, .imap, .ok)
            configuration.mail.append("proxy_pass \(backEnd.endpoint);")
            _ = try GatewayUnderTest.write(configuration, on: stage)
            let result = try explain(["ann"], on: stage)
            #expect(result.output.contains("auth_http decides about \"ann\", and only with a password"))
            #expect(result.output.contains("used: \(backEnd.endpoint)"))
            let requests = try auth.requests
            #expect(requests.isEmpty)
        }
    }
}
