import Testing

/// Connections that go on without OpenSSL behind their handshake, and those that do not.
@Suite("Going on without OpenSSL", .endToEnd, .beyondNginx) struct HandoverTests {
    @Test("a client that takes new keys time and again notices nothing", arguments: ["on", "off"])
    func newKeys(handsOver: String) throws {
        try Site.runSecurely(implicitly: true, directives: ["ssl_handover \(handsOver);"]) { site, certificates in
            let endpoint = try site.gateway.endpoint(.imap)
            let result = try site.stage.run([
                "/usr/bin/python3", Stage.script("key_updates.py"), endpoint.host, "\(endpoint.port)",
                certificates.authorityFile, Mail.imap.loginLine,
            ])
            #expect(result.succeeded && result.output == "20\n", "\(result)")
        }
    }
}
