import AsyncIO
import MailSessions
import TestSupport
import Testing

@testable import MailGateway

/// TLS in configurations: what is read, what comes of it, and nginx's words for what is wrong.
@Suite struct TLSConfigurationTests {
    private static let files: [String: String] = {
        let authority = TestAuthority()
        let issued = authority.issue(["mail.example.org"])
        let locked = authority.issue(["mail.example.org"], passphrase: "second")
        return [
            "cert.pem": text(issued.certificate), "key.pem": text(issued.key),
            "other.key": text(authority.issue(["other.example.org"]).key), "locked.pem": text(locked.certificate),
            "locked.key": text(locked.key), "words": "first\r\n\nsecond\n",
            "long": String(repeating: "x", count: 4096),
            "longest": String(repeating: "x", count: 4095) + "\nsecond\n", "ca.pem": text(authority.certificate),
            "crl.pem": text(authority.revokeAll()), "empty.pem": "", "short.key": "xx",
            "ticket.key": String(repeating: "k", count: 48),
        ]
    }()

    private static func text(_ pem: [UInt8]) -> String { String(decoding: pem, as: UTF8.self) }

    private static func server(_ directives: String) -> String {
        "events { }\nmail { auth_http 192.0.2.9; server {\nlisten 143;\n\(directives)\n} }"
    }

    private func load(_ directives: String) throws -> ServerSettings {
        let configuration = try ConfigurationFixture.load(
            TLSConfigurationTests.server(directives), files: TLSConfigurationTests.files)
        return try #require(configuration.servers.first).settings
    }

    private static let pair = "ssl_certificate cert.pem; ssl_certificate_key key.pem;"

    @Test("certificates alone ask for no TLS", arguments: ["", pair, "\(pair) starttls off;", "ssl_certificate none;"])
    func noTLS(_ directives: String) throws {
        #expect(try load(directives).tls == nil)
    }

    @Test(arguments: [
        "\(pair) starttls on;", "\(pair) listen 993 ssl;", "\(pair) starttls only; ssl_protocols TLSv1.3;",
        "starttls on; ssl_certificate locked.pem; ssl_certificate_key locked.key; ssl_password_file words;",
        "starttls on; ssl_certificate locked.pem; ssl_certificate_key locked.key; ssl_password_file longest;",
        "\(pair) starttls on; ssl_session_cache builtin:1000 shared:mail:1m; ssl_session_timeout 1d;",
        "\(pair) starttls on; ssl_session_ticket_key ticket.key; ssl_ecdh_curve P-256:X25519;",
        "\(pair) starttls on; ssl_verify_client on; ssl_client_certificate ca.pem; ssl_crl crl.pem;",
        "\(pair) starttls on; ssl_verify_client optional; ssl_trusted_certificate ca.pem; ssl_verify_depth 3;",
        "\(pair) starttls on; ssl_verify_client optional_no_ca;",
        "\(pair) starttls on; ssl_ciphers ECDHE+AESGCM; ssl_prefer_server_ciphers on; ssl_session_tickets off;",
        "\(pair) starttls on; ssl_conf_command Ciphersuites TLS_AES_256_GCM_SHA384; ssl_certificate_compression on;",
    ])
    func accepted(_ directives: String) throws {
        #expect(try load(directives).tls != nil)
    }

    @Test("compression of certificates is done where OpenSSL can, and warned about where it cannot, as in nginx")
    func compression() throws {
        let line = "ssl_certificate_compression on;"
        let configuration = try ConfigurationFixture.load(
            "events { } mail { auth_http 192.0.2.9; \(Self.pair) starttls on;\n\(line)\nserver { listen 143; } "
                + "server { listen 110; } }", files: Self.files)
        let compresses = configuration.servers.compactMap { $0.settings.tls?.compressesCertificates }
        try #require(compresses.count == 2)
        let warnings = configuration.notices.filter { $0.level == .warn }
        #expect(
            warnings.map(\.text)
                == (compresses[0] ? [] : ["\"ssl_certificate_compression\" ignored, not supported"]))
        #expect(warnings.allSatisfy { $0.position == .file(ConfigurationFixture.path, line: 2) })
    }

    @Test("a service may ask for TLS with back-ends where no directive does; then the system's authorities count")
    func askedFor() throws {
        let authority = TestAuthority()
        let file = [TLSAssembly.systemAuthorities[0]: String(decoding: authority.certificate, as: UTF8.self)]
        let served = try ConfigurationFixture.load(
            "events { } mail { auth_http 192.0.2.9; server { listen 143; } server { listen 110; } }", files: file)
        let contexts = try served.servers.map { try #require($0.settings.proxy.tls.context) }
        #expect(contexts[0] === contexts[1])
        #expect(try contexts[0].context() === contexts[1].context())
        let without = try ConfigurationFixture.load(
            "events { } mail { auth_http 192.0.2.9; server { listen 143; } }")
        #expect(without.servers[0].settings.proxy.tls.context == nil)
        let accounts = try ConfigurationFixture.load(
            "events { } mail { auth_file \"data:a:{PLAIN}b\"; proxy_pass 192.0.2.1:143; server { listen 143; } }",
            files: file)
        #expect(accounts.servers[0].settings.proxy.tls.context == nil)
        let broken = try ConfigurationFixture.load(
            "events { } mail { auth_http 192.0.2.9; server { listen 143; } }",
            files: [TLSAssembly.systemAuthorities[0]: "no certificate"])
        #expect(throws: IOError.self) { try broken.servers[0].settings.proxy.tls.context?.context() }
    }

    @Test("data: holds the texts themselves")
    func data() throws {
        let certificate = try #require(TLSConfigurationTests.files["cert.pem"])
        let key = try #require(TLSConfigurationTests.files["key.pem"])
        #expect(
            try load("starttls on; ssl_certificate \"data:\(certificate)\"; ssl_certificate_key \"data:\(key)\";").tls
                != nil)
    }

    @Test("values of mail are inherited")
    func inheritance() throws {
        let configuration = try ConfigurationFixture.load(
            "events { } mail { auth_http 192.0.2.9; \(TLSConfigurationTests.pair) ssl_verify_client optional_no_ca; "
                + "server { listen 143; starttls on; } server { listen 110; } server { listen 995 ssl; } }",
            files: TLSConfigurationTests.files)
        #expect(configuration.servers.map { $0.settings.tls != nil } == [true, false, true])
        #expect(configuration.servers[0].settings.tls?.verification == .optionalWithoutAuthority)
        #expect(configuration.servers[2].listeners[0].options.hasTLS)
        #expect(configuration.servers.map(\.settings.startTLS) == [.on, .off, .off])
    }

    @Test("a worker makes the same from what the master has read, ticket keys included")
    func workers() throws {
        let configuration = try ConfigurationFixture.load(
            TLSConfigurationTests.server("\(TLSConfigurationTests.pair) starttls on;"),
            files: TLSConfigurationTests.files)
        let again = try Configuration.load(from: configuration.origin)
        #expect(again.servers[0].settings.tls != nil)
        #expect(again.origin == configuration.origin)
        #expect(configuration.origin.texts.filter { $0.kind == .tls }.count == 2)
    }

    /// Two servers at one address.
    private static func sharing(_ first: String, _ second: String) -> String {
        "events { }\nmail { auth_http 192.0.2.9; \(pair)\nserver { \(first) }\nserver { \(second) } }"
    }

    @Test(
        "servers share an address where TLS tells them apart",
        arguments: [
            ("listen 993 ssl;", "listen 993 ssl; server_name b.example;"),
            ("listen 143; starttls on; server_name *.a.example;", "listen 143; starttls only; server_name b.example;"),
            ("listen *:993 ssl; listen 127.0.0.1:993 ssl;", "listen 127.0.0.1:993 ssl; server_name b.example;"),
        ])
    func sharedAddresses(_ first: String, _ second: String) throws {
        let configuration = try ConfigurationFixture.load(
            TLSConfigurationTests.sharing(first, second), files: TLSConfigurationTests.files)
        #expect(configuration.sockets.count == 1)
        #expect(configuration.sockets[0].routes.values.contains { $0.server == 0 && $0.named == [1] })
        #expect(configuration.servers[1].settings.name == "b.example")
        if first.contains("*.") && first.contains("server_name") {
            #expect(configuration.servers[0].settings.name == "a.example")
            #expect(configuration.servers[0].settings.certificateName == "*.a.example")
        }
    }

    @Test(
        "and only there",
        arguments: [
            ("listen 993 ssl;", "listen 993 ssl;"), ("listen 143;", "listen 143; server_name b;"),
            ("listen 993 ssl; server_name b;", "listen 993 ssl; server_name B;"),
            ("listen 993 ssl;", "listen 993; starttls on; server_name b;"),
            ("listen 993 ssl;", "listen 993 ssl proxy_protocol; server_name b;"),
            ("listen 993 ssl;", "listen 993 ssl; protocol pop3; server_name b;"),
            ("listen 993 ssl;", "listen 993 ssl; server_name b; } server { listen 993 ssl; server_name b;"),
        ])
    func unsharedAddresses(_ first: String, _ second: String) {
        let message = ConfigurationFixture.message(
            TLSConfigurationTests.sharing(first, second), files: TLSConfigurationTests.files)
        let port = first.contains("143") ? 143 : 993
        #expect(message == "duplicate \"0.0.0.0:\(port)\" address and port pair \(TLSConfigurationTests.at):4")
    }

    private static let at = "in /etc/gw/main.conf"

    @Test(arguments: [
        Mistake("starttls on;", "no \"ssl_certificate\" is defined for the \"starttls\" directive \(at):4"),
        Mistake(
            "listen 993 ssl;\nstarttls on;",
            "no \"ssl_certificate\" is defined for the \"listen ... ssl\" directive \(at):4"),
        Mistake(
            "starttls on; ssl_certificate cert.pem;",
            "no \"ssl_certificate_key\" is defined for the \"starttls\" directive \(at):4"),
        Mistake(
            "\(pair) ssl_certificate locked.pem; starttls on;",
            "no \"ssl_certificate_key\" is defined for certificate \"locked.pem\" and the \"starttls\" directive \(at):4"
        ),
        Mistake(
            "\(pair) starttls on; ssl_verify_client on;",
            "no ssl_client_certificate or ssl_trusted_certificate for ssl_verify_client \(at):2"),
        Mistake(
            "starttls on; ssl_certificate none.pem; ssl_certificate_key key.pem;",
            "cannot load certificate \"/etc/gw/none.pem\": BIO_new_file() failed (2: No such file or directory)"),
        Mistake(
            "starttls on; ssl_certificate cert.pem; ssl_certificate_key none.key;",
            "cannot load certificate key \"/etc/gw/none.key\": BIO_new_file() failed (2: No such file or directory)"),
        Mistake(
            "starttls on; ssl_certificate empty.pem; ssl_certificate_key key.pem;",
            "cannot load certificate \"/etc/gw/empty.pem\": PEM_read_bio_X509_AUX() failed (SSL: error:"),
        Mistake(
            "starttls on; ssl_certificate cert.pem; ssl_certificate_key empty.pem;",
            "cannot load certificate key \"/etc/gw/empty.pem\": PEM_read_bio_PrivateKey() failed (SSL: error:"),
        Mistake(
            "starttls on; ssl_certificate locked.pem; ssl_certificate_key locked.key;",
            "cannot load certificate key \"/etc/gw/locked.key\": PEM_read_bio_PrivateKey() failed (SSL: error:"),
        Mistake(
            "starttls on; ssl_certificate cert.pem; ssl_certificate_key other.key;",
            "SSL_CTX_use_PrivateKey(\"/etc/gw/other.key\") failed (SSL: error:05800074:x509 certificate routines::key values mismatch"
        ),
        Mistake(
            "\(pair) starttls on; ssl_ciphers nonsense;", "SSL_CTX_set_cipher_list(\"nonsense\") failed (SSL: error:"),
        Mistake("\(pair) starttls on; ssl_ecdh_curve none;", "SSL_CTX_set1_curves_list(\"none\") failed"),
        Mistake("\(pair) starttls on; ssl_conf_command No such;", "SSL_CONF_cmd(\"No\", \"such\") failed"),
        Mistake(
            "\(pair) starttls on; ssl_conf_command Certificate /etc/x;",
            "SSL_CONF_cmd(\"Certificate\", \"/etc/x\") failed (SSL: error:"),
        Mistake(
            "\(pair) starttls on; ssl_verify_client on; ssl_client_certificate ca.pem; ssl_crl cert.pem;",
            "cannot load CRL \"/etc/gw/cert.pem\": PEM_read_bio_X509_CRL() failed"),
        Mistake(
            "\(pair) starttls on; ssl_verify_client on; ssl_client_certificate none;",
            "SSL_CTX_load_verify_locations(\"/etc/gw/none\") failed (2: No such file or directory)"),
        Mistake("\(pair) starttls on; ssl_dhparam none;", "BIO_new_file(\"/etc/gw/none\") failed (2: No such"),
        Mistake("\(pair) starttls on; ssl_dhparam cert.pem;", "PEM_read_bio_DHparams(\"/etc/gw/cert.pem\") failed"),
        Mistake(
            "\(pair) starttls on; ssl_password_file none;",
            "open() \"/etc/gw/none\" failed (2: No such file or directory) \(at):4"),
        Mistake("\(pair) starttls on; ssl_password_file long;", "too long line in \"/etc/gw/long\" \(at):4"),
        Mistake(
            "\(pair) starttls on; ssl_session_ticket_key short.key;", "\"/etc/gw/short.key\" must be 48 or 80 bytes"),
        Mistake("ssl_session_cache maybe;", "invalid session cache \"maybe\" \(at):4"),
        Mistake("ssl_session_cache builtin:x;", "invalid session cache \"builtin:x\" \(at):4"),
        Mistake("ssl_session_cache shared::1m;", "invalid session cache \"shared::1m\" \(at):4"),
        Mistake("ssl_session_cache shared:a:32767;", "session cache \"shared:a:32767\" is too small \(at):4"),
        Mistake(
            "ssl_session_cache shared:a:1m; } server { listen 110; ssl_session_cache shared:a:2m;",
            "the size 2097152 of shared memory zone \"a\" conflicts with already declared size 1048576 \(at):4"),
        Mistake("ssl_protocols TLSv1.4;", "invalid value \"TLSv1.4\" \(at):4"),
        Mistake("ssl_protocols SSLv3;", "no version of TLS is left \(at):4"),
        Mistake("ssl_verify_client maybe;", "invalid value \"maybe\" \(at):4"),
        Mistake("ssl_session_timeout 5ms;", "\"ssl_session_timeout\" directive invalid value \(at):4"),
        Mistake(
            "ssl_certificate_key engine:x:y;",
            "cannot load certificate key \"engine:x:y\": \"engine:\" is not supported \(at):4"),
    ])
    func refused(_ row: Mistake) {
        let message = ConfigurationFixture.message(
            TLSConfigurationTests.server(row.text), files: TLSConfigurationTests.files)
        #expect(message?.hasPrefix(row.message) == true, "\(message ?? "accepted")")
    }

    @Test("the smallest shared cache is accepted")
    func smallestCache() throws {
        #expect(try load("ssl_session_cache shared:a:32k;").tls == nil)
    }

    @Test("old versions of TLS are named, and never spoken")
    func oldVersions() throws {
        let configuration = try ConfigurationFixture.load(
            TLSConfigurationTests.server("ssl_protocols SSLv3 TLSv1.2 TLSv1.2;"), files: [:])
        #expect(configuration.notices.map(\.text) == ["\"SSLv3\" is never spoken", "duplicate value \"TLSv1.2\""])
    }
}
