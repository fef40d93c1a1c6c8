import AsyncIO
import MailSessions
import Testing

@testable import MailGateway

/// `set_real_ip_from`, `allow`, `deny` and `resolver`.
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

    // MARK: resolver

    private func resolver(_ directives: String, mail: String = "") throws -> ResolverSettings? {
        try ConfigurationFixture.server(directives, mail: mail).settings.resolver
    }

    @Test(arguments: [
        ("192.0.2.1", ["192.0.2.1:53"]), ("192.0.2.1:5353", ["192.0.2.1:5353"]), ("[::1]", ["[::1]:53"]),
        ("[::1]:54", ["[::1]:54"]), ("two.example:99", ["192.0.2.1:99", "[::1]:99", "192.0.2.1:99"]),
        ("192.0.2.1 192.0.2.2", ["192.0.2.1:53", "192.0.2.2:53"]),
    ])
    func `name servers`(_ value: String, _ servers: [String]) throws {
        let settings = try #require(try resolver("resolver \(value);"))
        #expect(settings.servers.map(\.description) == servers)
        #expect(settings.validity == nil)
        #expect(settings.usesIPv4 && settings.usesIPv6)
    }

    @Test func `parameters of resolver, before or behind the servers`() throws {
        let settings = try #require(try resolver("resolver valid=1m30s ipv6=off 192.0.2.1 ipv4=on;"))
        #expect(settings.validity == .seconds(90))
        #expect(settings.usesIPv4 && !settings.usesIPv6)
        #expect(try resolver("resolver 192.0.2.1 ipv4=off;")?.usesIPv4 == false)
        // As in nginx, 0 is no time of its own.
        #expect(try resolver("resolver 192.0.2.1 valid=0;")?.validity == nil)
    }

    @Test func `resolver is inherited, and off takes it away`() throws {
        #expect(try resolver("") == nil)
        #expect(try resolver("", mail: "resolver 192.0.2.1;")?.servers.count == 1)
        #expect(try resolver("resolver 192.0.2.2 192.0.2.3;", mail: "resolver 192.0.2.1;")?.servers.count == 2)
        #expect(try resolver("resolver off;", mail: "resolver 192.0.2.1;") == nil)
    }

    @Test(arguments: [
        Mistake("resolver", "invalid number of arguments in \"resolver\" directive"),
        Mistake("resolver valid=1m", "no name servers defined"),
        Mistake("resolver 192.0.2.1 ipv4=off ipv6=off", "\"ipv4\" and \"ipv6\" cannot both be \"off\""),
        Mistake("resolver 192.0.2.1 \"valid=a\nb\"", "invalid parameter: valid=a\\x0Ab"),
        Mistake("resolver 192.0.2.1 valid=x", "invalid parameter: valid=x"),
        Mistake("resolver 192.0.2.1 valid=1ms", "invalid parameter: valid=1ms"),
        Mistake("resolver 192.0.2.1 ipv4=maybe", "invalid parameter: ipv4=maybe"),
        Mistake("resolver 192.0.2.1 ipv6=ON", "invalid parameter: ipv6=ON"),
        Mistake("resolver 192.0.2.1:0", "invalid port in resolver \"192.0.2.1:0\""),
        Mistake("resolver 192.0.2.1:1-2", "invalid port in resolver \"192.0.2.1:1-2\""),
        Mistake("resolver nosuch.example", "host not found in resolver \"nosuch.example\""),
        Mistake("resolver 192.0.2.1/x", "invalid host in resolver \"192.0.2.1/x\""),
        Mistake("resolver unix:/x", "invalid host in resolver \"unix:/x\""),
        Mistake("resolver 53", "host not found in resolver \"53\""),
        Mistake("resolver 192.0.2.1 off", "host not found in resolver \"off\""),
        Mistake("resolver 192.0.2.1; resolver 192.0.2.1", "\"resolver\" directive is duplicate"),
        Mistake("resolver_timeout x", "\"resolver_timeout\" directive invalid value"),
    ])
    func `refused resolvers`(_ row: Mistake) {
        let error = #expect(throws: ConfigurationError.self) { try ConfigurationFixture.server("\(row.text);") }
        #expect(error?.text == row.message)
    }
}
