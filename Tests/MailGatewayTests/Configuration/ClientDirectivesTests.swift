import AsyncIO
import MailSessions
import Testing

@testable import MailGateway

/// `set_real_ip_from`, `allow` and `deny`.
@Suite struct ClientDirectivesTests {
    private func trusted(_ directives: String, mail: String = "") throws -> [String] {
        let set = try ConfigurationFixture.server(directives, mail: mail).settings.realIPFrom
        return set.blocks.map(\.description) + (set.includesUnix ? ["unix:"] : [])
    }

    private func rules(_ directives: String, mail: String = "") throws -> [String] {
        try ConfigurationFixture.server(directives, mail: mail).settings.access.rules.map { rule in
            let clients =
                switch rule.clients {
                case .all: "all"
                case .unix: "unix:"
                case .block(let block): "\(block)"
                }
            return "\(rule.allows ? "+" : "-")\(clients)"
        }
    }

    @Test(arguments: [
        ("192.0.2.1", ["192.0.2.1/32"]), ("192.0.2.0/24", ["192.0.2.0/24"]), ("::1", ["::1/128"]),
        ("2001:db8::/32", ["2001:db8::/32"]), ("unix:", ["unix:"]),
        ("two.example", ["192.0.2.1/32", "::1/128", "192.0.2.1/32"]),
    ])
    func `set_real_ip_from`(_ value: String, _ expected: [String]) throws {
        #expect(try trusted("set_real_ip_from \(value);") == expected)
    }

    @Test func `set_real_ip_from adds up on a level and is replaced as a whole`() throws {
        #expect(try trusted("").isEmpty)
        let mail = "set_real_ip_from 192.0.2.1; set_real_ip_from unix:;"
        #expect(try trusted("", mail: mail) == ["192.0.2.1/32", "unix:"])
        #expect(try trusted("set_real_ip_from ::1;", mail: mail) == ["::1/128"])
    }

    @Test func `allow and deny keep their common order, and are replaced as one`() throws {
        #expect(try rules("").isEmpty)
        let mail = "deny 192.0.2.1; allow 192.0.2.0/24; allow unix:; deny all;"
        #expect(try rules("", mail: mail) == ["-192.0.2.1/32", "+192.0.2.0/24", "+unix:", "-all"])
        #expect(try rules("allow 2001:db8::/32;", mail: mail) == ["+2001:db8::/32"])
        #expect(try rules("deny unix:;", mail: mail) == ["-unix:"])
    }

    @Test(arguments: [
        Mistake("set_real_ip_from nosuch.example", "host not found in set_real_ip_from \"nosuch.example\""),
        Mistake("set_real_ip_from 192.0.2.0/33", "host not found in set_real_ip_from \"192.0.2.0/33\""),
        Mistake("set_real_ip_from \"\"", "host not found in set_real_ip_from \"\""),
        Mistake("set_real_ip_from a b", "invalid number of arguments in \"set_real_ip_from\" directive"),
        Mistake("allow 192.0.2.0/33", "invalid parameter \"192.0.2.0/33\""),
        Mistake("allow two.example", "invalid parameter \"two.example\""),
        Mistake("deny ALL", "invalid parameter \"ALL\""), Mistake("deny unix:/x", "invalid parameter \"unix:/x\""),
        Mistake("deny 2001:db8::/129", "invalid parameter \"2001:db8::/129\""),
        Mistake("deny", "invalid number of arguments in \"deny\" directive"),
    ])
    func refused(_ row: Mistake) {
        let error = #expect(throws: ConfigurationError.self) { try ConfigurationFixture.server("\(row.text);") }
        #expect(error?.text == row.message)
    }

    @Test(arguments: ["set_real_ip_from", "allow", "deny"]) func `low address bits are worth a warning`(name: String)
        throws
    {
        let configuration = try ConfigurationFixture.load(
            "events { } mail {\n\(name) 192.0.2.1/24; \(name) 192.0.2.0/24; }")
        #expect(configuration.notices.map(\.text) == ["low address bits of 192.0.2.1/24 are meaningless"])
        #expect(configuration.notices.first?.level == .warn)
        #expect(configuration.notices.first?.position == .file(ConfigurationFixture.path, line: 2))
    }
}
