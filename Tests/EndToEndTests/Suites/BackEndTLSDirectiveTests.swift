import Foundation
import Testing

/// What the directives of TLS with back-ends say is what a back-end sees (Clients/tls_back_end.py).
@Suite("Directives of TLS with back-ends", .endToEnd, .beyondNginx) struct BackEndTLSDirectiveTests {
    /// What the back-end saw of one login.
    private struct Sight: Decodable {
        let name: String?
        let version: String?
        let cipher: String?
        let resumed: Bool?
        let subject: String?
        let values: [String: String]?
    }

    private static let name = "back.example.test"

    /// Logs in twice through a gateway with `directives`; returns what the back-end saw each time.
    private func sights(
        _ directives: (Certificates) -> [String] = { _ in [] }, hasTLS: Bool = true,
        adjust: (inout GatewayConfiguration, Certificates) -> Void = { _, _ in },
        logIn: (Site) throws -> Void = { site in
            let client = try site.gateway.greetedClient(.imap)
            #expect(try client.logIn(.imap, as: .ann) == "a1 OK in")
        }
    ) throws -> [Sight] {
        try Stage.run { stage in
            let certificates = try Certificates(on: stage)
            try certificates.issue("back", [Self.name])
            try certificates.issue("gateway", ["gateway.example.test"], commonName: "our gateway")
            let records = stage.directory.path("sights")
            let options =
                hasTLS
                ? #""cert": "\#(certificates.path("back.pem"))", "key": "\#(certificates.path("back.key"))", "ca": "\#(certificates.authorityFile)""#
                : #""proxy": true"#
            let backEnd = try stage.start(
                "back-end",
                [
                    "/usr/bin/python3", Stage.script("tls_back_end.py"), stage.host,
                    #"{"records": "\#(records)", \#(options)}"#,
                ])
            let endpoint = Endpoint(host: stage.host, port: try backEnd.announcedPort())
            let auth = try AuthService(on: stage, servers: [.imap: endpoint])
            var configuration = try GatewayConfiguration(on: stage, auth: auth.endpoint)
            configuration.servers.removeAll { $0.mail != .imap }
            if hasTLS {
                configuration.mail += [
                    "proxy_ssl on;", "proxy_ssl_trusted_certificate \(certificates.authorityFile);",
                    "proxy_ssl_name \(Self.name);",
                ]
            }
            configuration.mail += directives(certificates)
            adjust(&configuration, certificates)
            let gateway = try GatewayUnderTest(on: stage, configuration)
            let site = Site(stage: stage, auth: auth, gateway: gateway, postfix: nil)
            for _ in 0..<2 { try logIn(site) }
            return try textOfFile(records).split(separator: "\n")
                .map { try JSONDecoder().decode(Sight.self, from: Data($0.utf8)) }
        }
    }

    @Test("at the defaults: TLS 1.3, no name, no certificate, and the second login goes on with the first's session")
    func defaults() throws {
        let sights = try sights()
        try #require(sights.count == 2)
        #expect(sights[0].version == "TLSv1.3" && sights[0].name == nil && sights[0].subject == nil)
        #expect(sights.map(\.resumed) == [false, true])
    }

    @Test("proxy_ssl_server_name sends the name, proxy_ssl_certificate shows who we are")
    func identity() throws {
        let sights = try sights { certificates in
            [
                "proxy_ssl_server_name on;", "proxy_ssl_certificate \(certificates.path("gateway.pem"));",
                "proxy_ssl_certificate_key \(certificates.path("gateway.key"));",
            ]
        }
        #expect(sights.first?.name == Self.name)
        #expect(sights.first?.subject == "our gateway")
    }

    @Test(
        "proxy_ssl_protocols, proxy_ssl_ciphers and proxy_ssl_conf_command choose, proxy_ssl_session_reuse off forgets")
    func algorithms() throws {
        let old = try sights { _ in
            [
                "proxy_ssl_protocols TLSv1.2;", "proxy_ssl_ciphers ECDHE-ECDSA-CHACHA20-POLY1305;",
                "proxy_ssl_session_reuse off;",
            ]
        }
        #expect(old.map(\.version) == ["TLSv1.2", "TLSv1.2"] && old.map(\.resumed) == [false, false])
        #expect(old.first?.cipher == "ECDHE-ECDSA-CHACHA20-POLY1305")
        let new = try sights { _ in ["proxy_ssl_conf_command Ciphersuites TLS_AES_256_GCM_SHA384;"] }
        #expect(new.first?.cipher == "TLS_AES_256_GCM_SHA384")
    }

    @Test("a PROXY header of version 2 tells of the client's TLS: version, cipher, names")
    func proxyHeader() throws {
        let sights = try sights(
            hasTLS: false,
            adjust: { configuration, certificates in
                configuration.mail += certificates.directives("gateway") + ["proxy_protocol v2;"]
                configuration.servers[0].parameters = "ssl"
            },
            logIn: { site in
                let report = try site.tlsClient(
                    .imap, "implicit",
                    #"{"name": "mail.example.test", "alpn": ["imap"], "say": ["\#(Mail.imap.loginLine)"]}"#)
                #expect(report.secure.last == "a1 OK in", "\(report)")
            })
        let values = try #require(sights.first?.values)
        // PP2_TYPE_ALPN, PP2_TYPE_AUTHORITY, PP2_TYPE_SSL with the version inside.
        #expect(values["01"] == Data("imap".utf8).map { String($0, radix: 16) }.joined())
        #expect(values["02"] == Data("mail.example.test".utf8).map { String($0, radix: 16) }.joined())
        #expect(values["20"]?.contains(Data("TLSv1.3".utf8).map { String($0, radix: 16) }.joined()) == true)
    }
}
