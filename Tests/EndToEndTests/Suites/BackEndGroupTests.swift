import Foundation
import Glibc
import Testing

/// Groups of back-ends: who serves whom, and what clients see when members die.
@Suite("Groups of back-ends", .endToEnd, .beyondNginx) struct BackEndGroupTests {
    @Test(arguments: ["", "least_conn;", "hash $auth_user consistent;", "random two least_conn;"])
    func membersThatDieOneAfterAnotherCostNoClientAnything(method: String) throws {
        try BackEndGroup.run([.ok, .ok, .ok, .ok], lines: [method]) { group in
            // Three of four are killed while 200 clients log in, eight at a time.
            let victims = [50: 0, 100: 2, 150: 1].mapValues { group.members[$0].process.pid }
            let failures = group.logInAll(0..<BackEndGroup.users) { user in
                if let victim = victims[user] { kill(victim, SIGKILL) }
            }
            #expect(failures.isEmpty, "\(failures)")
            let places = group.places
            #expect(places.count == BackEndGroup.users)
            #expect(Set(places.values).count == 4, "all of them served somebody")
            #expect(group.gateway.log.contains("upstream server temporarily disabled"))
            #expect(group.gateway.log.contains("tried before: "))
        }
    }

    @Test func membersTakeTurns() throws {
        try BackEndGroup.run([.ok, .ok, .ok], parameters: { $0 == 0 ? "weight=2" : "" }) { group in
            for user in 0..<8 { try group.expectLogin(user) }
            #expect((0..<8).map { group.places["u\($0)"] } == [0, 1, 2, 0, 0, 1, 2, 0])
        }
    }

    @Test(arguments: [ScriptedBackEnd.Mode.close, .garbage, .silent])
    func aMemberThatDoesNotGreetIsPassedOver(mode: ScriptedBackEnd.Mode) throws {
        try BackEndGroup.run([mode, .ok], mail: ["timeout 4s;"]) { group in
            for user in 0..<3 { try group.expectLogin(user) }
            #expect(group.places == ["u0": 1, "u1": 1, "u2": 1])
            let complaint = group.gateway.log.split(separator: "\n").filter { $0.contains("temporarily disabled") }
            #expect(complaint.count == 1 && complaint[0].contains("upstream: \(group.members[0].endpoint)"))
        }
    }

    @Test func theAnswerToCredentialsIsFinal() throws {
        try BackEndGroup.run([.refuse, .ok]) { group in
            try group.expectRefusal(0)
            try group.expectLogin(1)
            // It serves, so it is used again.
            try group.expectRefusal(2)
            #expect(!group.gateway.log.contains("temporarily disabled"))
        }
    }

    @Test func noOtherIsTriedWhereThatIsForbidden() throws {
        try BackEndGroup.run([.close, .ok], mail: ["proxy_next_upstream off;"]) { group in
            try group.expectRefusal(0)
            try group.expectLogin(1)
        }
        try BackEndGroup.run([.close, .close, .ok], mail: ["proxy_next_upstream_tries 2;"]) { group in
            try group.expectRefusal(0)
            try group.expectLogin(1)
        }
    }

    @Test func whenNobodyServesTheClientMayComeAgain() throws {
        try BackEndGroup.run([.close, .close]) { group in
            for user in 0..<2 { try group.expectRefusal(user) }
            group.members.forEach { $0.process.stop() }
            try group.expectRefusal(2)
        }
        try BackEndGroup.run([.ok], parameters: { _ in "down" }) { group in
            try group.expectRefusal(0)
            #expect(group.gateway.log.contains("no live upstreams while connecting to upstream"))
        }
    }

    @Test func whoeverComesBackIsFoundAlthoughItFailedLately() throws {
        try BackEndGroup.run([.ok, .ok]) { group in
            let first = group.members[0]
            first.process.stop()
            for user in 0..<4 { try group.expectLogin(user) }
            _ = try ScriptedBackEnd(on: group.stage, .imap, .ok, at: first.endpoint)
            group.members[1].process.stop()
            try group.expectLogin(4)
            #expect(group.places["u4"] == 0)
        }
    }

    @Test func aBackupStandsIn() throws {
        try BackEndGroup.run([.ok, .ok], parameters: { $0 == 1 ? "backup" : "" }) { group in
            for user in 0..<3 { try group.expectLogin(user) }
            #expect(Set(group.places.values) == [0])
            group.members[0].process.stop()
            try group.expectLogin(3)
            #expect(group.places["u3"] == 1)
        }
    }

    @Test func aFullMemberGetsNobodyUntilSomebodyLeaves() throws {
        try BackEndGroup.run([.ok], parameters: { _ in "max_conns=2" }) { group in
            let stayed = try (0..<2).map { try group.logIn($0) }
            #expect(stayed.allSatisfy { $0.answer.hasPrefix("a1 OK") })
            try group.expectRefusal(2)
            #expect(group.gateway.log.contains("no live upstreams"))
            stayed[0].client.close()
            try waitUntil("a place to come back") { try group.answer(to: 3).hasPrefix("a1 OK") }
        }
    }

    @Test func usersStayWhereTheyAreWhenOthersGoAndCome() throws {
        let modes = Array(repeating: ScriptedBackEnd.Mode.ok, count: 4)
        try BackEndGroup.run(modes, lines: ["hash $auth_user consistent;"]) { group in
            #expect(group.logInAll(0..<BackEndGroup.users).isEmpty)
            let before = group.places
            group.members[3].process.stop()
            #expect(group.logInAll(0..<BackEndGroup.users).isEmpty)
            let during = group.places
            let moved = before.count { $0.value != during[$0.key] }
            #expect(
                before.allSatisfy { $0.value == 3 || during[$0.key] == $0.value }, "only those of the dead one move")
            // A quarter, and four standard deviations (0.036) of what 200 users make of 640 points, which the members'
            // ports make differently each time. Without consistency it would be three quarters.
            #expect(moved > 0 && Double(moved) / Double(BackEndGroup.users) <= 0.25 + 0.15, "\(moved) of 200 moved")
        }
    }

    @Test func theGuidesExampleDoesWhatTheGuideSays() throws {
        let block = try #require(
            DocumentedConfigurationTests.blocks.first { $0.place.hasPrefix("docs/guides/back-end-groups.md:") })
        try Stage.run { stage in
            let members = try (0..<3).map { try ScriptedBackEnd(on: stage, .imap, .ok, name: "member\($0)") }
            let gate = try stage.freeEndpoint()
            var text = block.completed.replacing("127.0.0.1:1143", with: "\(gate)")
            for (address, member) in zip(["192.0.2.1:143", "192.0.2.2:143", "192.0.2.9:143"], members) {
                text = text.replacing(address, with: "\(member.endpoint)")
            }
            let head =
                "error_log \(stage.directory.path("gateway.log")) info; pid \(stage.directory.path("gateway.pid"));\n"
            let configuration = try GatewayConfiguration(on: stage, auth: gate)
            let gateway = try GatewayUnderTest(on: stage, configuration, text: head + text)
            for member in members {
                let client = try RawClient(gate)
                _ = try client.line()
                let answer = try client.logIn(.imap, as: .ann)
                #expect(answer.hasPrefix("a1 OK"))
                #expect(client.isAnswered(.imap))
                member.process.stop()
            }
            #expect(gateway.log.contains("group: \"imap_servers\", upstream: \(members[2].endpoint)"), "the backup")
        }
    }

    @Test func connectionsComeFromTheAddressOfProxyBind() throws {
        try BackEndGroup.run([.ok], mail: ["proxy_bind 127.77.88.99;"]) { group in
            try group.expectLogin(0)
            #expect(group.members[0].process.output.contains("from 127.77.88.99\n"))
        }
        try BackEndGroup.run([.ok], mail: ["proxy_bind 192.0.2.1;"]) { group in
            try group.expectRefusal(0)
            #expect(group.gateway.log.contains("bind() failed (99: Cannot assign requested address)"))
        }
    }
}

/// Active checks of members.
@Suite("Checks of back-ends", .endToEnd, .beyondNginx) struct BackEndCheckTests {
    private static let often = "health_check interval=50ms timeout=500ms;"

    @Test func whoDoesNotServeIsFoundBeforeClientsDo() throws {
        try BackEndGroup.run([.garbage, .ok, .close], lines: [Self.often]) { group in
            for place in [0, 2] {
                try waitUntil("the check of \(place)") {
                    group.gateway.log.contains(
                        "upstream \(group.members[place].endpoint) of group \"pool\" is unhealthy")
                }
            }
            #expect(group.logInAll(0..<20).isEmpty)
            #expect(Set(group.places.values) == [1])
            #expect(!group.gateway.log.contains("[error]"), "no client was sent anywhere else")
        }
    }

    @Test func whoServesAgainIsUsedAgain() throws {
        try BackEndGroup.run([.ok, .ok], lines: ["health_check interval=50ms fails=2 passes=2;"]) { group in
            let first = group.members[0]
            first.process.stop()
            try waitUntil("its loss") { group.gateway.log.contains("is unhealthy: connect() failed (111: ") }
            #expect(group.logInAll(0..<8).isEmpty)
            #expect(Set(group.places.values) == [1])
            _ = try ScriptedBackEnd(on: group.stage, .imap, .ok, at: first.endpoint)
            try waitUntil("its return") { group.gateway.log.contains("is healthy again") }
            #expect(group.logInAll(8..<16).isEmpty)
            #expect(group.places.contains { $0.value == 0 })
        }
    }

    @Test func checksEndWithTheirConfiguration() throws {
        try BackEndGroup.run([.ok, .close], lines: [Self.often]) { group in
            try waitUntil("the first check") { group.gateway.log.contains("is unhealthy") }
            try group.gateway.rewrite(
                { configuration in configuration.mail.removeAll { $0.hasPrefix("health_check") } }, on: group.stage)
            try group.gateway.reload()
            let old = group.members[1]
            old.process.stop()
            _ = try ScriptedBackEnd(on: group.stage, .imap, .ok, at: old.endpoint)
            // Nobody checks any more, and what was known of its members is no reason to wait.
            #expect(group.logInAll(0..<8).isEmpty)
            group.gateway.process.signal(SIGQUIT)
            let status = try group.gateway.process.waitForExit()
            #expect(status == .code(0))
        }
    }

    @Test func realServersPassThem() throws {
        try Stage.run { stage in
            let dovecot = try Dovecot(on: stage)
            let postfix = try Postfix(on: stage)
            try stage.directory.write("check.password", "\(Account.bob.password)\nand nothing else\n")
            let auth = try AuthService(
                on: stage,
                servers: [
                    .imap: Endpoint(host: "imaps", port: 0), .pop3: Endpoint(host: "pop3s", port: 0),
                    .smtp: Endpoint(host: "smtps", port: 0),
                ])
            var configuration = try GatewayConfiguration(on: stage, auth: auth.endpoint)
            let login = "login=bob password_file=\(stage.directory.path("check.password"))"
            // Nobody listens at the second of each, which the checks find out.
            for (name, endpoint, parameters) in [
                ("imaps", dovecot.imap, ""), ("pop3s", dovecot.pop3, login), ("smtps", postfix.smtp, ""),
            ] {
                configuration.mail += [
                    "upstream \(name) { server \(endpoint); server \(try stage.freeEndpoint());",
                    "health_check interval=100ms timeout=5s \(parameters); }",
                ]
            }
            for (index, server) in configuration.servers.enumerated() {
                configuration.servers[index].directives.append("proxy_pass \(server.mail.rawValue)s;")
            }
            let gateway = try GatewayUnderTest(on: stage, configuration)
            try waitUntil("three to be found dead") { gateway.occurrences(of: "is unhealthy") == 3 }
            for _ in 0..<4 {
                for mail in Mail.allCases {
                    let client = try gateway.greetedClient(mail)
                    let answer = try client.logIn(mail, as: .ann)
                    #expect(answer.hasPrefix(mail.loggedInPrefix))
                }
            }
            #expect(gateway.occurrences(of: "is unhealthy") == 3, "the others pass")
            #expect(!gateway.log.contains("[error]"))
            let dovecotLog = textOfFile(dovecot.log)
            #expect(dovecotLog.contains("pop3-login: Info: Login: user=<bob>"), "the test login")
            #expect(!gateway.everythingSaid.contains(Account.bob.password))
        }
    }
}
