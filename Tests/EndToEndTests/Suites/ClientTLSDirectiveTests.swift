import Foundation
import Testing

/// What the directives of TLS with clients say is what a client gets.
@Suite("Directives of TLS with clients", .endToEnd) struct ClientTLSDirectiveTests {
    /// One directive, a client, and what it gets.
    struct Row: Sendable, CustomTestStringConvertible {
        let directives: [String]
        /// For Clients/tls_client.py.
        let options: String
        let expectation: @Sendable (TLSReport) -> Bool
        var testDescription: String { directives.joined(separator: " ") }

        init(_ directives: String..., client options: String, _ expectation: @escaping @Sendable (TLSReport) -> Bool) {
            self.directives = directives
            self.options = options
            self.expectation = expectation
        }
    }

    @Test(
        "each directive has its effect",
        arguments: [
            Row("ssl_protocols TLSv1.2;", client: "{}") { $0.version == "TLSv1.2" },
            Row("ssl_protocols TLSv1.3;", client: #"{"version": "TLSv1_2"}"#) { $0.error != nil },
            Row("ssl_protocols TLSv1.2 TLSv1.3;", client: "{}") { $0.version == "TLSv1.3" },
            Row("ssl_ciphers ECDHE-ECDSA-CHACHA20-POLY1305;", client: #"{"version": "TLSv1_2"}"#) {
                $0.cipher == "ECDHE-ECDSA-CHACHA20-POLY1305"
            },
            Row("ssl_conf_command Ciphersuites TLS_AES_256_GCM_SHA384;", client: "{}") {
                $0.cipher == "TLS_AES_256_GCM_SHA384"
            },
            Row("ssl_session_tickets on;", client: resuming) { $0.resumed == true },
            Row("ssl_session_tickets off;", client: resuming) { $0.resumed == false },
            Row("ssl_session_tickets off;", "ssl_session_cache builtin;", client: resuming) { $0.resumed == true },
            Row("ssl_session_tickets off;", "ssl_session_cache shared:TLS:1m;", client: resuming) {
                $0.resumed == true
            },
            Row("ssl_session_tickets off;", "ssl_session_cache off;", client: resuming) { $0.resumed == false },
            Row("ssl_session_timeout 1h;", client: #"{"version": "TLSv1_2"}"#) { $0.lifetime == 3600 },
        ]) func effects(_ row: Row) throws
    {
        try Site.runSecurely(implicitly: true, directives: row.directives) { site, _ in
            let report = try site.tlsClient(.imap, "implicit", row.options)
            #expect(row.expectation(report), "\(report)")
        }
    }

    /// A client that comes again with its session.
    private static let resuming = #"{"resume": true, "say": ["n1 NOOP"], "version": "TLSv1_2"}"#

    @Test("ssl_ecdh_curve says which group is agreed on", arguments: ["auto", "secp384r1"])
    func curves(curve: String) throws {
        try Site.runSecurely(implicitly: true, directives: ["ssl_ecdh_curve \(curve);"]) { site, certificates in
            let result = try site.openSSL(.imap, certificates, ["-brief"], implicitly: true)
            #expect(result.errors.contains(curve == "auto" ? "X25519" : curve), "\(result)")
        }
    }

    @Test("openssl s_client verifies us over each form of STARTTLS", arguments: Mail.allCases)
    func openSSL(mail: Mail) throws {
        try Site.runSecurely(implicitly: false) { site, certificates in
            let result = try site.openSSL(
                mail, certificates, ["-brief", "-starttls", mail.rawValue], implicitly: false)
            #expect(result.errors.contains("Verification: OK") && result.errors.contains("TLSv1.3"), "\(result)")
        }
    }

    @Test(
        "each protocol agrees on its own name and refuses the others' (security-checklist A5)", arguments: Mail.allCases
    )
    func applicationProtocols(mail: Mail) throws {
        try Site.runSecurely(implicitly: true) { site, _ in
            for name in Mail.allCases {
                let report = try site.tlsClient(mail, "implicit", #"{"alpn": ["\#(name.rawValue)"]}"#)
                #expect(report.alpn == (name == mail ? mail.rawValue : nil))
                #expect((report.error == nil) == (name == mail), "\(report)")
            }
        }
    }
}

extension Site {
    /// Runs openssl s_client, which verifies the gateway and says goodbye at once.
    fileprivate func openSSL(
        _ mail: Mail, _ certificates: Certificates, _ options: [String], implicitly: Bool
    ) throws -> CommandResult {
        try stage.run(
            [
                "/usr/bin/openssl", "s_client", "-connect", "\(try gateway.endpoint(mail))", "-CAfile",
                certificates.authorityFile, "-verify_return_error", "-verify_hostname", "gateway.example.test",
            ] + options)
    }
}
