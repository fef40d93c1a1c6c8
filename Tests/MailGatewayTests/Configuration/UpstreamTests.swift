import AsyncIO
import MailSessions
import Testing

@testable import MailGateway

/// `upstream {}` and who uses it.
@Suite struct UpstreamTests {
    private static let path = ConfigurationFixture.path

    private func group(_ lines: String) throws -> BackEndGroupSettings {
        let server = try ConfigurationFixture.server("proxy_pass pool;", mail: "upstream pool { \(lines) }")
        return try #require(server.settings.groups.first)
    }

    @Test func `defaults are nginx's`() throws {
        let group = try self.group("server 192.0.2.1:143;")
        let member = try #require(group.members.first)
        #expect(member.weight == 1)
        #expect(member.failsMaximum == 1)
        #expect(member.failTimeout == .seconds(10))
        #expect(member.connectionsMaximum == nil)
        #expect(!member.isBackup && !member.isDown && !member.resolves)
        #expect(member.slowStart == .zero)
        #expect(member.hostName == nil)
        let checked = try self.group("server 192.0.2.1; health_check;")
        #expect(checked.balancing == .roundRobin)
        let check = try #require(checked.check)
        #expect(check.interval == .seconds(5) && check.failsMaximum == 1 && check.passesMinimum == 1)
    }

    @Test func `members are where they are, or where their names lead`() throws {
        let members = try group(
            "server 192.0.2.1; server [2001:db8::1]:1143; server two.example:144; server unix:/run/b; "
                + "server later.example:145 resolve;"
        ).members
        #expect(
            members.map { $0.addresses.map(\.description) } == [
                ["192.0.2.1:0"], ["[2001:db8::1]:1143"], ["192.0.2.1:144", "[::1]:144", "192.0.2.1:144"],
                ["unix:/run/b"], [],
            ])
        #expect(members.map(\.hostName) == [nil, nil, "two.example", nil, "later.example"])
        #expect(members.last?.port == 145)
    }

    @Test(arguments: [
        ("", BackEndGroupSettings.Balancing.roundRobin), ("least_conn;", .leastConnections),
        ("hash $auth_user;", .hash(isConsistent: false)), ("hash $auth_user consistent;", .hash(isConsistent: true)),
        ("random;", .random), ("random two;", .randomOfTwo), ("random two least_conn;", .randomOfTwo),
        ("least_conn; random;", .random),
    ])
    func `methods`(_ line: String, _ expected: BackEndGroupSettings.Balancing) throws {
        let group = try self.group("\(line) server 192.0.2.1;")
        #expect(group.balancing == expected)
    }

    @Test(arguments: [
        ("proxy_pass pool", BackEndChoice.name("pool", port: nil)),
        ("proxy_pass a.example:1", .name("a.example", port: 1)),
        ("proxy_pass 192.0.2.1", .address(.ipv4(IPv4Address(192, 0, 2, 1), port: 0))),
        ("proxy_pass unix:/run/b", .address(.unix("/run/b"))),
    ])
    func `where proxy_pass leads`(_ line: String, _ expected: BackEndChoice) throws {
        let server = try ConfigurationFixture.server("\(line);")
        #expect(server.settings.backEnd == expected)
    }

    @Test func `the password of checks is a file's first line, and goes to workers`() throws {
        let text =
            "events { } mail { auth_http 192.0.2.9; upstream p { server 192.0.2.1; "
            + "health_check login=ann password_file=pw; } server { listen 143; } }"
        let configuration = try ConfigurationFixture.load(text, files: ["pw": "hush hush\r\nand more\n"])
        let login = try #require(configuration.servers.first?.settings.groups.first?.check?.login)
        #expect(login.user == "ann")
        #expect(login.password.equals(Array("hush hush".utf8)))
        #expect(throws: Never.self) { try Configuration.load(from: configuration.origin) }
        let message = ConfigurationFixture.message(text, files: ["pw": "\nsecond"])
        #expect(message == "no password in \"/etc/gw/pw\" in \(Self.path):1")
    }

    @Test(arguments: [
        Mistake("upstream p { }", "no servers are inside upstream \"p\""),
        Mistake("upstream p { server 192.0.2.1 backup; }", "no servers are inside upstream \"p\""),
        Mistake("upstream p { server 192.0.2.1; } upstream P { server 192.0.2.1; }", "duplicate upstream \"P\""),
        Mistake("upstream 192.0.2.1 { server 192.0.2.1; }", "invalid upstream name \"192.0.2.1\""),
        Mistake("upstream p { server a.example:143; }", "host not found in upstream server \"a.example:143\""),
        Mistake("upstream p { server 192.0.2.1 resolve; }", "no name to resolve in upstream server \"192.0.2.1\""),
        Mistake("upstream p { server 192.0.2.300; }", "invalid host in upstream server \"192.0.2.300\""),
        Mistake("upstream p { server 192.0.2.1:0; }", "invalid port in upstream server \"192.0.2.1:0\""),
        Mistake(
            "upstream p { server 192.0.2.1 weight=65536; }",
            "invalid parameter \"weight=65536\" in upstream server \"192.0.2.1\""),
        Mistake(
            "upstream p { server 192.0.2.1 fail_timeout=x; }",
            "invalid parameter \"fail_timeout=x\" in upstream server \"192.0.2.1\""),
        Mistake(
            "upstream p { hash $auth_user; server 192.0.2.1; server 192.0.2.2 backup; }",
            "balancing method does not support parameter \"backup\" in upstream \"p\""),
        Mistake(
            "upstream p { hash $auth_user consistent; server 192.0.2.1 weight=65535; server 192.0.2.2 weight=34466; }",
            "weights are too large for consistent hashing in upstream \"p\""),
        Mistake("upstream p { server 192.0.2.1; random one; }", "invalid parameter \"one\""),
        Mistake("upstream p { server 192.0.2.1; hash $auth_user ketama; }", "invalid parameter \"ketama\""),
        Mistake("upstream p { server 192.0.2.1; health_check uri=/; }", "invalid parameter \"uri=/\""),
        Mistake(
            "upstream p { server 192.0.2.1; health_check login=a; }", "\"login\" and \"password_file\" belong together"),
        Mistake("upstream p { server 192.0.2.1; timeout 1s; }", "\"timeout\" directive is not allowed here"),
        Mistake("upstream { server 192.0.2.1; }", "invalid number of arguments in \"upstream\" directive"),
        Mistake("proxy_bind 192.0.2.1 transparent;", "invalid parameter \"transparent\""),
        Mistake("proxy_bind unix:/run/a;", "invalid address \"unix:/run/a\""),
    ])
    func `is refused`(_ mistake: Mistake) {
        let text = "events { } mail { auth_http 192.0.2.9; \(mistake.text) server { listen 143; } }"
        #expect(ConfigurationFixture.message(text) == "\(mistake.message) in \(Self.path):1")
    }

    @Test func `the largest weights of consistent hashing are accepted`() throws {
        let lines = "hash $auth_user consistent; server 192.0.2.1 weight=65535; server 192.0.2.2 weight=34465;"
        let group = try self.group(lines)
        #expect(group.members.reduce(0) { $0 + $1.weight } == 100_000)
    }
}
