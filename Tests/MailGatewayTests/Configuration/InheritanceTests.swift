import AsyncIO
import MailSessions
import Testing

@testable import MailGateway

/// What a server gets from `mail`, and what saying something twice means (nginx-mail.md §1.5).
@Suite struct InheritanceTests {
    /// A directive with its value in mail and in server, and how the typed value reads.
    struct Row: Sendable, CustomTestStringConvertible {
        let name: String
        let outer: String
        let inner: String
        let expected: (byDefault: String, outer: String, inner: String)
        let listen: String
        let value: @Sendable (ServerSettings) -> String

        init(
            _ name: String, _ outer: String, _ inner: String, _ expected: (String, String, String),
            listen: String = "listen 143;", _ value: @escaping @Sendable (ServerSettings) -> String
        ) {
            self.name = name
            self.outer = outer
            self.inner = inner
            self.expected = (expected.0, expected.1, expected.2)
            self.listen = listen
            self.value = value
        }

        var testDescription: String { name }
    }

    private static let rows: [Row] = [
        Row("server_name", "a", "b", ("mail.example.org", "a", "b")) { $0.name },
        Row("timeout", "1m", "2s", ("60.0 seconds", "60.0 seconds", "2.0 seconds")) { "\($0.timeout)" },
        Row("resolver_timeout", "1s", "2s", ("30.0 seconds", "1.0 seconds", "2.0 seconds")) { "\($0.resolverTimeout)" },
        Row("max_errors", "1", "2", ("5", "1", "2")) { "\($0.maxErrors)" },
        Row("max_connections", "1", "2", ("nil", "Optional(1)", "Optional(2)")) { "\($0.maxConnections as Int?)" },
        Row("imap_client_buffer", "8k", "1k", ("4096", "8192", "1024")) { "\($0.clientBuffer)" },
        Row("pop3_client_buffer", "8k", "1k", ("4096", "8192", "1024"), listen: "listen 110;") { "\($0.clientBuffer)" },
        Row("smtp_client_buffer", "8k", "1k", ("4096", "8192", "1024"), listen: "listen 25;") { "\($0.clientBuffer)" },
        Row("smtp_greeting_delay", "1s", "2s", ("0.0 seconds", "1.0 seconds", "2.0 seconds"), listen: "listen 25;") {
            "\($0.greetingDelay)"
        },
        Row("bare_line_feed", "refuse", "accept", ("accept", "refuse", "accept")) { "\($0.bareLineFeed)" },
        Row("bare_line_feed", "accept", "refuse", ("refuse", "accept", "refuse"), listen: "listen 25;") {
            "\($0.bareLineFeed)"
        },
        Row("proxy_pass", "192.0.2.1:1", "[::1]:2", ("nil", "192.0.2.1:1", "[::1]:2")) {
            $0.backEnd?.description ?? "nil"
        },
        Row("proxy_buffer", "8k", "1k", ("4096", "8192", "1024")) { "\($0.proxy.buffer)" },
        Row("proxy_timeout", "1s", "2s", ("86400.0 seconds", "1.0 seconds", "2.0 seconds")) { "\($0.proxy.timeout)" },
        Row("proxy_pass_error_message", "on", "off", ("false", "true", "false")) { "\($0.proxy.passesErrorMessage)" },
        Row("proxy_smtp_auth", "on", "off", ("false", "true", "false")) { "\($0.proxy.smtpAuth)" },
        Row("proxy_protocol", "on", "v2", ("none", "v1", "v2")) {
            switch $0.proxy.proxyProtocol {
            case nil: "none"
            case .v1: "v1"
            case .v2: "v2"
            }
        },
        Row("proxy_protocol", "v2", "off", ("none", "v2", "none")) { $0.proxy.proxyProtocol == nil ? "none" : "v2" },
        Row("xclient", "off", "auto", ("on", "off", "automatic")) { "\($0.proxy.xclient)" },
        Row("proxy_pipelining", "off", "on", ("true", "false", "true")) { "\($0.proxy.usesOffers)" },
        Row("auth_http_timeout", "1s", "2s", ("60.0 seconds", "1.0 seconds", "2.0 seconds")) {
            "\(service($0)?.timeout ?? .zero)"
        },
        Row("auth_http_keepalive", "1", "2", ("32", "1", "2")) { "\(service($0)?.keepAlive ?? -1)" },
    ]

    private static func services(_ settings: ServerSettings) -> [AuthHTTPSettings] {
        guard case .http(let services) = settings.authenticators.first else { return [] }
        return services
    }

    private static func service(_ settings: ServerSettings) -> AuthHTTPSettings? { services(settings).last }

    @Test(arguments: rows)
    func `a server's value replaces mail's, and that the default`(_ row: Row) throws {
        let byDefault = try ConfigurationFixture.server("", listen: row.listen)
        #expect(row.value(byDefault.settings) == row.expected.byDefault)
        let outer = try ConfigurationFixture.server("", mail: "\(row.name) \(row.outer);", listen: row.listen)
        #expect(row.value(outer.settings) == row.expected.outer)
        let inner = try ConfigurationFixture.server(
            "\(row.name) \(row.inner);", mail: "\(row.name) \(row.outer);", listen: row.listen)
        #expect(row.value(inner.settings) == row.expected.inner)
    }

    @Test(arguments: rows)
    func `saying it twice on one level is a mistake`(_ row: Row) {
        let error = #expect(throws: ConfigurationError.self) {
            try ConfigurationFixture.server("\(row.name) \(row.outer); \(row.name) \(row.outer);", listen: row.listen)
        }
        #expect(error?.text == "\"\(row.name)\" directive is duplicate")
    }

    @Test(
        arguments: [
            ("imap", "listen 143;", ["IMAP4", "IMAP4rev1", "UIDPLUS"]),
            ("pop3", "listen 110;", ["TOP", "USER", "UIDL"]),
            ("smtp", "listen 25;", []),
        ] as [(String, String, [String])])
    func `capabilities add up on a level and are replaced as a whole`(
        _ prefix: String, _ listen: String, _ byDefault: [String]
    ) throws {
        let name = "\(prefix)_capabilities"
        #expect(try ConfigurationFixture.server("", listen: listen).settings.capabilities == byDefault)
        let mail = "\(name) A \"B 1\"; \(name) A;"
        #expect(
            try ConfigurationFixture.server("", mail: mail, listen: listen).settings.capabilities == ["A", "B 1", "A"])
        #expect(
            try ConfigurationFixture.server("\(name) C;", mail: mail, listen: listen).settings.capabilities == ["C"])
    }

    @Test(
        arguments: [
            ("imap", "listen 143;", MechanismSet.plain), ("pop3", "listen 110;", .plain),
            ("smtp", "listen 25;", [.plain, .login]),
        ] as [(String, String, MechanismSet)])
    func `mechanisms add up on a level and are replaced as a whole`(
        _ prefix: String, _ listen: String, _ byDefault: MechanismSet
    ) throws {
        #expect(try ConfigurationFixture.server("", listen: listen).settings.mechanisms == byDefault)
        let mail = "\(prefix)_auth external; \(prefix)_auth cram-md5;"
        #expect(
            try ConfigurationFixture.server("", mail: mail, listen: listen).settings.mechanisms == [
                .external, .cramMD5,
            ])
        #expect(
            try ConfigurationFixture.server("\(prefix)_auth plain;", mail: mail, listen: listen).settings.mechanisms
                == .plain)
    }

    @Test func `another protocol's values do not matter`() throws {
        let settings = try ConfigurationFixture.server(
            "smtp_capabilities X; smtp_auth none; pop3_client_buffer 1k; smtp_greeting_delay 1s;"
        ).settings
        #expect(settings.capabilities == ["IMAP4", "IMAP4rev1", "UIDPLUS"])
        #expect(settings.mechanisms == .plain)
        #expect(settings.clientBuffer == 4096)
        #expect(settings.greetingDelay == .zero)
    }

    @Test func `several auth_http are asked in order, and their headers add up`() throws {
        let mail =
            "auth_http 192.0.2.1/a; auth_http http://192.0.2.2:81/b?c; auth_http_header X 1; auth_http_header X \"\";"
        let outer = Self.services(try ConfigurationFixture.server("", mail: mail, auth: "").settings)
        #expect(outer.map { $0.addresses.map(\.description) } == [["192.0.2.1:80"], ["192.0.2.2:81"]])
        #expect(outer.map(\.host) == ["192.0.2.1", "192.0.2.2"])
        #expect(outer.map(\.uri) == ["/a", "/b?c"])
        for service in outer { #expect(service.headers.map(\.value) == ["1", ""]) }
        let inner = Self.services(
            try ConfigurationFixture.server("auth_http_header Y 3;", mail: mail, auth: "").settings)
        #expect(inner.map { $0.headers.map(\.name) } == [["Y"], ["Y"]])
        let own = Self.services(try ConfigurationFixture.server("", mail: mail, auth: "auth_http 192.0.2.3;").settings)
        #expect(own.map(\.host) == ["192.0.2.3"])
    }

    @Test func `names of auth_http are looked up again, by the resolver of the server`() throws {
        let text = "auth_http two.example:81; auth_http 192.0.2.5; resolver 192.0.2.53; resolver_timeout 2s;"
        let services = Self.services(try ConfigurationFixture.server("", mail: text, auth: "").settings)
        #expect(services.map(\.hostName) == ["two.example", nil])
        #expect(services[0].addresses.map(\.description) == ["192.0.2.1:81", "[::1]:81", "192.0.2.1:81"])
        #expect(services.map { $0.resolver?.servers.map(\.description) } == [["192.0.2.53:53"], nil])
        #expect(services[0].resolverTimeout == .seconds(2))
        let off = Self.services(try ConfigurationFixture.server("resolver off;", mail: text, auth: "").settings)
        #expect(off[0].resolver == nil)
    }

    @Test(arguments: [
        ("192.0.2.1", "192.0.2.1:80", "192.0.2.1", "/"), ("http://192.0.2.1:81", "192.0.2.1:81", "192.0.2.1", "/"),
        ("two.example:8080/auth", "192.0.2.1:8080", "two.example", "/auth"),
        ("[::1]:81/x/y?z=1", "[::1]:81", "[::1]", "/x/y?z=1"),
        ("[::1]/[]", "[::1]:80", "[::1]", "/[]"), ("192.0.2.1?a", "192.0.2.1:80", "192.0.2.1", "/?a"),
        ("192.0.2.1/a:b", "192.0.2.1:80", "192.0.2.1", "/a:b"), ("unix:/run/a", "unix:/run/a", "localhost", "/"),
        ("unix:/run/a:/auth", "unix:/run/a", "localhost", "/auth"),
        ("http://unix:/run/a:/b", "unix:/run/a", "localhost", "/b"),
    ])
    func `auth_http in all its forms`(_ url: String, _ address: String, _ host: String, _ uri: String) throws {
        let service = try #require(
            Self.service(try ConfigurationFixture.server("", auth: "auth_http \(url);").settings))
        #expect(service.addresses.first?.description == address)
        #expect(service.host == host)
        #expect(service.uri == uri)
    }

    @Test func `the innermost level with an authenticator decides`() throws {
        let accounts = "auth_file \"data:ann:{PLAIN}secret\"; proxy_pass 192.0.2.7:143;"
        let inner = try ConfigurationFixture.server("", mail: "auth_http 192.0.2.1;", auth: accounts)
        guard case .accounts(let file) = inner.settings.authenticators.first else {
            Issue.record("the server's accounts decide")
            return
        }
        #expect(file.count == 1)
        #expect(inner.settings.backEnd?.description == "192.0.2.7:143")
        #expect(Self.service(try ConfigurationFixture.server("", mail: accounts).settings)?.host == "192.0.2.9")
    }

    @Test func `authenticators are kept in the order written, services in a row as one`() throws {
        let server = try ConfigurationFixture.server(
            "proxy_pass 192.0.2.7:143;",
            auth: "auth_file data:; auth_http 192.0.2.1; auth_http 192.0.2.2; auth_file data:; auth_pam x; "
                + "auth_http 192.0.2.3; auth_pam_timeout 5s;")
        let kinds = server.settings.authenticators.map { authenticator in
            switch authenticator {
            case .mysql: "mysql"
            case .accounts: "file"
            case .pam(let settings): "pam \(settings.service.name) \(settings.timeout)"
            case .http(let services): "http \(services.map(\.host).joined(separator: " "))"
            }
        }
        #expect(kinds == ["file", "http 192.0.2.1 192.0.2.2", "file", "pam x 5.0 seconds", "http 192.0.2.3"])
    }

    @Test func `logs are replaced as a set, and may follow at the end`() throws {
        let configuration = try ConfigurationFixture.load(
            """
            events { }
            mail {
                auth_http 192.0.2.1;
                server { listen 143; }
                server { listen 110; error_log stderr info; error_log a; }
            }
            error_log m warn;
            """)
        #expect(configuration.servers[0].logs == [LogSettings(target: .file("/var/gw/m"), level: .warn)])
        #expect(
            configuration.servers[1].logs == [
                LogSettings(target: .stderr, level: .info), LogSettings(target: .file("/var/gw/a"), level: .error),
            ])
        let mail = try ConfigurationFixture.server("", mail: "error_log stderr crit;")
        #expect(mail.logs == [LogSettings(target: .stderr, level: .crit)])
    }

    @Test(arguments: [("listen 143;", MailProtocol.imap), ("listen 110;", .pop3), ("listen 25;", .smtp)])
    func `the defaults are those that settings have by themselves`(_ listen: String, _ mailProtocol: MailProtocol)
        throws
    {
        let read = try ConfigurationFixture.server("", listen: listen).settings
        let made = ServerSettings(
            mailProtocol: mailProtocol, name: "mail.example.org", authenticators: read.authenticators)
        #expect("\(read)" == "\(made)")
    }

    @Test func `the default of every setting is accepted by its own directive`() throws {
        let rows = DirectiveTable.areas.flatMap(\.rows)
        #expect(Set(rows.map { "\($0.contexts.rawValue) \($0.name)" }).count == rows.count)
        for row in rows { #expect(DirectiveTable.directive(named: row.name, in: row.contexts) != nil) }
        // Looking a setting up parses its default; a bad one would end here.
        let server = try ConfigurationFixture.server("")
        #expect(server.settings.timeout == .seconds(60))
    }
}
