import AsyncIO
import MailSessions
import Testing

@testable import MailGateway

/// Every row of the directive table: values, places, counts of arguments, repetition and inheritance
/// (nginx-mail.md §1.2, §1.5, §2).
@Suite struct DirectiveRowTests {
    private static let directives = DirectiveTable.areas.flatMap(\.rows)

    /// Rows with values, that is all but blocks.
    private static let valued = DirectiveRow.all.filter { $0.refused != nil }

    @Test func `every directive has its row here, and one`() {
        let names = DirectiveRow.all.map(\.name)
        #expect(Set(names).count == names.count)
        #expect(Set(names) == Set(Self.directives.map(\.rowName)))
        for row in Self.valued { #expect(row.accepted.isEmpty == false, "\(row.name)") }
        #expect(DirectiveRow.all.count - Self.valued.count == 7, "only blocks and least_conn have no values")
    }

    @Test(arguments: DirectiveRow.all.map(\.name))
    func `accepted wherever it may stand`(_ key: String) throws {
        let (row, directive) = try Self.find(key)
        let name = directive.name
        for context in directive.contexts.each {
            for value in row.accepted {
                let said = value.hasSuffix("}") ? "\(name) \(value)" : "\(name) \(value);"
                let text = Self.configuration(said, in: context)
                // An empty server is no server; nginx says so itself.
                let refusal = key == "server" ? "no \"listen\" is defined for server in \(Self.path):3" : nil
                #expect(ConfigurationFixture.message(text) == refusal, "\(text)")
            }
        }
    }

    @Test(arguments: valued.map(\.name))
    func `refused in nginx's words, with file and line`(_ key: String) throws {
        let (row, directive) = try Self.find(key)
        let name = directive.name
        let refused = try #require(row.refused)
        for context in directive.contexts.each {
            let text = Self.configuration("\(name)\n\(refused.arguments)\n;", in: context)
            #expect(ConfigurationFixture.message(text) == "\(refused.text) in \(Self.path):5", "\(text)")
        }
    }

    @Test(arguments: DirectiveRow.all.map(\.name))
    func `refused where it may not stand`(_ key: String) throws {
        let (row, directive) = try Self.find(key)
        let name = directive.name
        let value = row.accepted[0]
        // `server` is one thing in `mail`, and another in `upstream`.
        let namesakes = DirectiveTable.directives(named: name).reduce(into: DirectiveContexts()) {
            $0.formUnion($1.contexts)
        }
        for context in DirectiveContexts.anywhere.subtracting(namesakes).each {
            let text = Self.configuration(value.hasSuffix("}") ? "\(name) \(value)" : "\(name) \(value);", in: context)
            #expect(
                ConfigurationFixture.message(text) == "\"\(name)\" directive is not allowed here in \(Self.path):3",
                "\(text)")
        }
    }

    @Test(arguments: DirectiveRow.all.map(\.name))
    func `refused with too few or too many arguments, or another end`(_ key: String) throws {
        let (_, directive) = try Self.find(key)
        let name = directive.name
        let isBlock = if case .block = directive.action { true } else { false }
        let context = try #require(directive.contexts.each.first)
        func message(_ said: String) -> String? { ConfigurationFixture.message(Self.configuration(said, in: context)) }
        let wrongCount = "invalid number of arguments in \"\(name)\" directive in \(Self.path):3"
        if isBlock {
            #expect(message("\(name);") == "directive \"\(name)\" has no opening \"{\" in \(Self.path):3")
            #expect(message("\(name) x y { }") == wrongCount)
            return
        }
        #expect(message("\(name) x { }") == "directive \"\(name)\" is not terminated by \";\" in \(Self.path):3")
        if directive.arguments.minimum > 0 { #expect(message("\(name);") == wrongCount) }
        guard let maximum = directive.arguments.maximum else { return }
        let words = Array(repeating: "x", count: maximum + 1).joined(separator: " ")
        #expect(message("\(name) \(words);") == wrongCount)
    }

    @Test(arguments: DirectiveRow.all.map(\.name))
    func `said twice on one level`(_ key: String) throws {
        let (row, directive) = try Self.find(key)
        let name = directive.name
        // Servers share no address, and have to have one; groups share no name; a zone is declared once, and limited
        // once.
        let isOne = name.hasPrefix("limit_") && directive.repetition == .adds
        guard !["listen", "server", "upstream"].contains(key), !isOne else { return }
        for context in directive.contexts.each {
            let value = row.accepted[0]
            let said = value.hasSuffix("}") ? "\(name) \(value)" : "\(name) \(value);"
            let text = Self.configuration("\(said)\n\(said)", in: context)
            let message = ConfigurationFixture.message(text)
            switch directive.repetition {
            case .refused:
                #expect(message?.hasPrefix("\"\(name)\" directive is duplicate in \(Self.path):") == true, "\(text)")
            case .replaces, .adds: #expect(message == nil, "\(text)")
            }
        }
    }

    /// Directives whose value shows in no text: certificates become a TLS context, which
    /// `TLSConfigurationTests` looks at; accounts print nothing of themselves.
    private static let opaque: Set<String> = [
        "auth_file", "starttls", "ssl", "proxy_master_user", "proxy_master_password_file",
    ]

    private static let inherited = directives.filter { directive in
        guard directive.contexts == [.mail, .server] || directive.name == "error_log" else { return false }
        let isIgnored = directive.manual.hasPrefix("Accepted without effect")
        return !isIgnored && !opaque.contains(directive.name)
            && !["ssl_", "proxy_ssl", "auth_http_ssl", "auth_mysql_ssl"].contains { directive.name.hasPrefix($0) }
    }.map(\.name)

    @Test(arguments: inherited)
    func `a server's value replaces mail's as a whole, and that the default`(_ name: String) throws {
        let (row, _) = try Self.find(name)
        let (one, other) = ("\(name) \(row.accepted[0]);", "\(name) \(row.accepted[1]);")
        let byDefault = try Self.effect(mail: "", server: "", name)
        let inner = try Self.effect(mail: "", server: one, name)
        #expect(try Self.effect(mail: one, server: "", name) == inner, "inherited")
        #expect(try Self.effect(mail: other, server: one, name) == inner, "replaced")
        let otherInner = try Self.effect(mail: one, server: other, name)
        #expect(otherInner != inner, "the two values differ")
        #expect(byDefault != inner || byDefault != otherInner, "one of them is not the default")
    }

    @Test func `most directives of servers are shown to be inherited`() {
        #expect(Self.inherited.count >= 33)
    }

    /// All that a server is, as text, with a directive in `mail` or in `server`.
    private static func effect(mail: String, server: String, _ name: String) throws -> String {
        let port = name.hasPrefix("pop3") ? "110" : name.hasPrefix("imap") ? "143" : "25"
        let auth = authenticators(besides: name, isSaid: !(mail + server).isEmpty)
        let configuration = try ConfigurationFixture.load(
            "events { } mail { \(mail) server { listen \(port); \(auth) \(server) } \(zones) }")
        let made = try #require(configuration.servers.first)
        return "\(made.settings) \(made.logs) \(made.listeners) \(made.limitLevel)"
    }

    /// What a server needs besides the directive `name` so that it has an effect.
    private static func authenticators(besides name: String, isSaid: Bool) -> String {
        let service = "auth_http 192.0.2.9;"
        let query = "auth_mysql_query \"SELECT password FROM c WHERE d = ?\";"
        return switch name {
        case "auth_http": isSaid ? "" : service
        case "auth_mysql": query + (isSaid ? "" : service)
        case "auth_mysql_query": "auth_mysql 192.0.2.9 user=a;" + (isSaid ? "" : query)
        case "auth_pam": isSaid ? "proxy_pass 192.0.2.8:1;" : service
        case "auth_pam_timeout": "auth_pam x; proxy_pass 192.0.2.8:1;"
        case _ where name.hasPrefix("auth_mysql_"): "auth_mysql 192.0.2.9 user=a;" + query
        default: service
        }
    }

    private static let path = ConfigurationFixture.path

    private static func find(_ name: String) throws -> (DirectiveRow, Directive) {
        (
            try #require(DirectiveRow.all.first { $0.name == name }),
            try #require(directives.first { $0.rowName == name })
        )
    }

    /// What limits need.
    private static let zones =
        "limit_conn_zone $remote_addr zone=sessions:1m; limit_login_zone $remote_addr zone=guesses:1m;"

    /// A whole configuration with `said` from line 3 on.
    private static func configuration(_ said: String, in context: DirectiveContexts) -> String {
        let auth =
            said.hasPrefix("auth_file")
            ? ""
            : said.hasPrefix("auth_mysql ")
                ? "auth_mysql_query \"SELECT password FROM c WHERE d = ?\";" : "auth_http 192.0.2.9;"
        // Whoever logs in for all has a password; where it is, is said where the name is not.
        let master = said.hasPrefix("proxy_master_user") ? "proxy_master_password_file master.password;" : ""
        let server = "\(auth) \(master) \(said.hasPrefix("proxy_pass ") ? "" : "proxy_pass 192.0.2.8:1;")"
        switch context {
        case .main where said.hasPrefix("events"): return "\n\n\(said)\n"
        case .main: return "events { }\n\n\(said)\n"
        case .events: return "events {\n\n\(said)\n}\n"
        case .mail:
            let other = "server { listen 143; auth_http 192.0.2.9; \(master) }"
            return "events { } mail {\n\n\(said)\n\(other) \(zones) }\n"
        case .upstream: return "events { } mail { upstream g {\n\n\(said)\nserver 192.0.2.7; } }\n"
        default: return "events { } mail { server { listen 143;\n\n\(said)\n\(server) } \(zones) }\n"
        }
    }
}

extension DirectiveContexts {
    /// The single places in it.
    fileprivate var each: [DirectiveContexts] { [.main, .events, .mail, .server, .upstream].filter { contains($0) } }
}

extension Directive {
    /// Of its row here: within `upstream` a name may mean something else.
    fileprivate var rowName: String { contexts == .upstream ? "upstream \(name)" : name }
}
