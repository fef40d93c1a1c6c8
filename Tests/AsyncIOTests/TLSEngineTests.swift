import COpenSSL
import TestSupport
import Testing

@testable import AsyncIO

/// TLS with both ends in memory.
@Suite struct TLSEngineTests {
    @Test("bytes pass both ways, however they are cut", arguments: [TLSVersions.v1_2, .v1_3], [1, 2, 5, 100, Int.max])
    func everyCut(_ version: TLSVersions, _ cut: Int) throws {
        var fixture = TLSFixture()
        fixture.server.common.versions = version
        let pair = try fixture.pair().settle(cut: cut)
        #expect(pair.isOpen)
        pair.clientSays("a1 NOOP\r\n")
        pair.serverSays("* OK ready\r\n")
        pair.settle(cut: cut)
        #expect(pair.takeServerText() == "a1 NOOP\r\n")
        #expect(pair.takeClientText() == "* OK ready\r\n")
        #expect(pair.server.facts.version == (version == .v1_2 ? "TLSv1.2" : "TLSv1.3"))
        pair.clientCloses()
        pair.settle(cut: cut)
        #expect(pair.server.state == .ended(isTruncated: false))
    }

    @Test(
        "what the handshake left behind is let go where OpenSSL goes on, and all is as before",
        arguments: [TLSVersions.v1_2, .v1_3])
    func lettingGo(_ version: TLSVersions) throws {
        var fixture = TLSFixture()
        (fixture.server.handsOver, fixture.client.handsOver) = (false, false)
        fixture.server.common.versions = version
        let (server, client) = (try fixture.serverContext(), try fixture.clientContext())
        for round in 1...2 {
            let pair = TLSPair(server, client).settle()
            #expect(pair.server.facts.isResumed == (round == 2))
            if version == .v1_3 { #expect(unsafe hasPrivateKey(copenssl_own_exchange_key(pair.server.ssl))) }
            pair.server.beginRelay()
            pair.client.beginRelay()
            #expect(unsafe !hasPrivateKey(copenssl_own_exchange_key(pair.server.ssl)))
            #expect(unsafe !hasPrivateKey(copenssl_own_exchange_key(pair.client.ssl)))
            for turn in 1...3 {
                if version == .v1_3, turn > 1 { pair.clientUpdatesKeys() }
                pair.clientSays("a\(turn) NOOP\r\n")
                pair.settle(cut: 7)
                pair.serverSays("a\(turn) OK\r\n")
                pair.settle(cut: 7)
                #expect(pair.takeServerText() == "a\(turn) NOOP\r\n")
                #expect(pair.takeClientText() == "a\(turn) OK\r\n")
            }
            pair.clientCloses()
            pair.settle()
            #expect(pair.server.state == .ended(isTruncated: false))
        }
    }

    /// Takes over the reference to `key`.
    private func hasPrivateKey(_ key: OpaquePointer?) -> Bool {
        guard let key = unsafe key else { return false }
        defer { unsafe EVP_PKEY_free(key) }
        var length = 0
        return unsafe EVP_PKEY_get_raw_private_key(key, nil, &length) == 1
    }

    @Test("1.3 with AES-128-GCM and X25519 at the defaults, in one round trip")
    func defaults() throws {
        let pair = try TLSFixture().pair().settle()
        #expect(pair.server.facts.version == "TLSv1.3")
        #expect(pair.server.facts.cipher == "TLS_AES_128_GCM_SHA256")
        #expect(pair.server.facts.serverName == "mail.test")
        #expect(pair.server.facts.keyAlgorithm == "EC256")
        #expect(pair.server.facts.signatureAlgorithm == "ecdsa-with-SHA256")
        #expect(pair.server.facts.peerCertificate == nil)
    }

    @Test("our order of ciphers counts where we say so", arguments: [true, false])
    func order(_ isOurs: Bool) throws {
        var fixture = TLSFixture()
        fixture.server.prefersOwnCiphers = isOurs
        fixture.client.common.commands = [
            TLSCommand(name: "Ciphersuites", value: "TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256")
        ]
        let cipher = try fixture.pair().settle().server.facts.cipher
        #expect(cipher == (isOurs ? "TLS_AES_128_GCM_SHA256" : "TLS_AES_256_GCM_SHA384"))
    }

    @Test("long data crosses in records")
    func longData() throws {
        let pair = try TLSFixture().pair().settle()
        let text = String(repeating: "0123456789abcdef", count: 20_000)
        pair.clientSays(text)
        pair.settle(cut: 4096)
        #expect(pair.takeServerText() == text)
    }

    @Test("what the client says in one packet with its Finished is not left behind (nginx-mail.md §13 row 26)")
    func plaintextBehindFinished() throws {
        let fixture = TLSFixture()
        let client = TLSEngine(client: try fixture.clientContext(), peer: "p", name: "mail.test", sendsName: true)
        let server = TLSEngine(server: try fixture.serverContext())
        var none = ByteQueue()
        let reply = server.receive(client.start(), into: &none)
        let packet = client.receive(reply, into: &none) + client.send(Array("a1 LOGIN".utf8))
        var heard = ByteQueue()
        _ = server.receive(packet, into: &heard)
        #expect(heard.bytes == Array("a1 LOGIN".utf8))
    }

    @Test("an end of stream without close_notify is noticed (security-checklist A7)")
    func truncation() throws {
        let pair = try TLSFixture().pair().settle()
        pair.server.endOfStream()
        #expect(pair.server.state == .ended(isTruncated: true))
        let unfinished = TLSEngine(server: try TLSFixture().serverContext())
        unfinished.endOfStream()
        #expect(unfinished.state == .failed(.closedInHandshake))
    }

    @Test("garbage and other protocols fail the handshake, and nothing is said in clear")
    func garbage() throws {
        for bytes in [Array("a1 LOGIN u p\r\n".utf8), Array("GET / HTTP/1.1\r\n\r\n".utf8), [22, 3, 1, 255, 255, 0]] {
            let server = TLSEngine(server: try TLSFixture().serverContext())
            var heard = ByteQueue()
            let answer = server.receive(bytes, into: &heard)
            guard case .failed(let failure) = server.state else {
                Issue.record("\(server.state)")
                continue
            }
            #expect(failure.reason == .peer && failure.text.hasPrefix("SSL_do_handshake() failed (SSL: error:"))
            #expect(answer.isEmpty || answer[0] == 21)
            #expect(heard.isEmpty && server.send([1]).isEmpty)
        }
    }

    @Test("a broken record ends the connection")
    func brokenRecord() throws {
        let pair = try TLSFixture().pair().settle()
        pair.injectToServer([23, 3, 3, 0, 20] + [UInt8](repeating: 7, count: 20))
        pair.settle()
        guard case .failed = pair.server.state else { return #expect(Bool(false), "\(pair.server.state)") }
        #expect(pair.heardByServer.isEmpty)
    }

    @Test("renegotiation is refused (security-checklist A7)")
    func renegotiation() throws {
        var fixture = TLSFixture()
        fixture.server.common.versions = .v1_2
        let pair = try fixture.pair().settle()
        pair.clientRenegotiates()
        pair.settle()
        #expect(pair.takeServerText().isEmpty)
        guard case .failed = pair.client.state else { return #expect(Bool(false), "\(pair.client.state)") }
    }

    // MARK: Whom one talks to

    @Test(
        "a server whose certificate does not convince hears nothing (security-checklist A4)",
        arguments: [
            "wrong name", "expired", "untrusted",
        ])
    func unconvincingServers(_ what: String) throws {
        var fixture = TLSFixture()
        switch what {
        case "wrong name": fixture.server.common.identities = [fixture.identity(["other.test"])]
        case "expired": fixture.server.common.identities = [fixture.identity(["mail.test"], days: -20 ..< -10)]
        default: fixture.client.common.authorities = TLSText(name: "ca", content: Secret(TestAuthority().certificate))
        }
        let pair = try fixture.pair().settle()
        guard case .failed(let failure) = pair.client.state, case .certificate(let code) = failure.reason else {
            return #expect(Bool(false), "\(pair.client.state)")
        }
        let codes = [X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_CERT_HAS_EXPIRED]
        #expect(what == "untrusted" ? !codes.contains(code) : codes.contains(code))
        #expect(pair.client.send([1]).isEmpty)
        // Where the administrator says so, anyone will do.
        fixture.client.verifies = false
        #expect(try fixture.pair().settle().isOpen)
    }

    @Test("an address is compared with the certificate's addresses")
    func addresses() throws {
        let fixture = TLSFixture(["mail.test", "IP:127.0.0.1"])
        #expect(try fixture.pair(name: "127.0.0.1").settle().isOpen)
        #expect(try !fixture.pair(name: "127.0.0.2").settle().isOpen)
    }

    @Test("a revoked certificate is refused")
    func revocation() throws {
        var fixture = TLSFixture()
        fixture.client.common.revocations = TLSText(name: "crl", content: Secret(fixture.authority.revokeAll()))
        let pair = try fixture.pair().settle()
        guard case .failed(let failure) = pair.client.state else { return #expect(Bool(false)) }
        #expect(failure.reason == .certificate(X509_V_ERR_CERT_REVOKED))
    }

    @Test("certificates of clients are asked for and told of; a bad one does not fail the handshake")
    func clientCertificates() throws {
        var fixture = TLSFixture()
        fixture.server.verification = .optional
        fixture.server.namedAuthorities = TLSText(name: "ca", content: Secret(fixture.authority.certificate))
        #expect(try fixture.pair().settle().server.facts.peerCertificate == nil)
        fixture.client.common.identities = [fixture.identity(["ann"])]
        let facts = try fixture.pair().settle().server.facts
        #expect(facts.verificationCode == X509_V_OK)
        #expect(facts.peerCertificate?.subject == "CN=ann" && facts.peerCertificate?.commonName == "ann")
        #expect(facts.peerCertificate?.issuer == "CN=Test Authority")
        #expect(facts.peerCertificate?.fingerprint.count == 40)
        fixture.server.namedAuthorities = TLSText(name: "ca", content: Secret(TestAuthority().certificate))
        let pair = try fixture.pair().settle()
        #expect(pair.isOpen && pair.server.facts.verificationCode != X509_V_OK)
        #expect(!pair.server.facts.verificationText.isEmpty)
    }

    // MARK: What is agreed on

    @Test("so many certificates may stand between a client's and its authority's", arguments: [(0, false), (1, true)])
    func verificationDepth(_ depth: Int, isGood: Bool) throws {
        var fixture = TLSFixture()
        let middle = TestAuthority(name: "Middle", issuedBy: fixture.authority)
        let issued = middle.issue(["ann"])
        fixture.client.common.identities = [
            TLSIdentity(
                certificate: TLSText(name: "chain.pem", content: Secret(issued.certificate + middle.certificate)),
                key: TLSText(name: "key.pem", content: Secret(issued.key)))
        ]
        fixture.server.verification = .optional
        fixture.server.namedAuthorities = TLSText(name: "ca", content: Secret(fixture.authority.certificate))
        fixture.server.common.verificationDepth = depth
        let pair = try fixture.pair().settle()
        #expect(pair.isOpen && pair.server.facts.peerCertificate != nil)
        #expect((pair.server.facts.verificationCode == 0) == isGood)
    }

    @Test("ALPN: our protocol, or none; any other is refused (security-checklist A5)")
    func applicationProtocols() throws {
        var fixture = TLSFixture()
        fixture.server.applicationProtocol = "imap"
        #expect(try fixture.pair().settle().server.facts.applicationProtocol == nil)
        let server = try fixture.serverContext()
        for (offered, accepted) in [(["h2", "imap"], true), (["http/1.1"], false), (["pop3", "ima"], false)] {
            let pair = TLSPair(server, try fixture.clientContext(), offering: offered)
            pair.settle()
            #expect(pair.isOpen == accepted, "\(offered)")
            if accepted { #expect(pair.server.facts.applicationProtocol == "imap") }
        }
    }

    @Test("RSA beside ECDSA: the client's abilities choose")
    func severalCertificates() throws {
        var fixture = TLSFixture()
        fixture.server.common.identities.append(fixture.identity(["mail.test"], .rsa))
        fixture.server.common.versions = .v1_2
        for (ciphers, cipher) in [("ECDHE+aRSA", "RSA"), ("ECDHE+ECDSA", "ECDSA")] {
            fixture.client.common.ciphers = ciphers
            #expect(try fixture.pair().settle().server.facts.cipher.contains("-\(cipher)-"))
        }
    }

    @Test("DHE is offered with parameters for it, and not without")
    func finiteFields() throws {
        var fixture = TLSFixture(["mail.test"], kind: .rsa)
        fixture.server.common.versions = .v1_2
        fixture.client.common.ciphers = "DHE-RSA-AES128-GCM-SHA256"
        #expect(try !fixture.pair().settle().isOpen)
        fixture.server.dhParameters = TLSText(name: "dh.pem", content: Secret(Array(TLSEngineTests.ffdhe2048.utf8)))
        #expect(try fixture.pair().settle().server.facts.cipher == "DHE-RSA-AES128-GCM-SHA256")
    }

    /// The group of RFC 7919 §A.1.
    private static let ffdhe2048 = """
        -----BEGIN DH PARAMETERS-----
        MIIBCAKCAQEA//////////+t+FRYortKmq/cViAnPTzx2LnFg84tNpWp4TZBFGQz
        +8yTnc4kmz75fS/jY2MMddj2gbICrsRhetPfHtXV/WVhJDP1H18GbtCFY2VVPe0a
        87VXE15/V8k1mE8McODmi3fipona8+/och3xWKE2rec1MKzKT0g6eXq8CrGCsyT7
        YdEIqUuyyOP7uWrat2DX9GgdT0Kj3jlN9K5W7edjcrsZCwenyO4KbXCeAvzhzffi
        7MA0BM0oNC9hkXL+nOmFg/+OTxIy7vKBg8P+OxtMb61zO7X8vC7CIAXFjvGDfRaD
        ssbzSibBsu/6iGtCOGEoXJf//////////wIBAg==
        -----END DH PARAMETERS-----

        """

    @Test("TLS 1.1 finds somebody where version and security level are allowed")
    func permittedOldVersions() throws {
        var fixture = TLSFixture()
        fixture.client.common.versions = .v1_1
        fixture.client.common.ciphers = "ALL:@SECLEVEL=0"
        fixture.server.common.versions = [.v1_1, .v1_2]
        #expect(try !fixture.pair().settle().isOpen)
        fixture.server.common.ciphers = "ALL:@SECLEVEL=0"
        #expect(try fixture.pair().settle().server.facts.version == "TLSv1.1")
    }

    @Test("revoked clients are told apart from others")
    func revokedClients() throws {
        var fixture = TLSFixture()
        fixture.server.verification = .optional
        fixture.server.namedAuthorities = TLSText(name: "ca", content: Secret(fixture.authority.certificate))
        fixture.client.common.identities = [fixture.identity(["ann"])]
        fixture.server.common.revocations = TLSText(name: "crl", content: Secret(fixture.authority.revokeAll()))
        #expect(try fixture.pair().settle().server.facts.verificationCode == X509_V_ERR_CERT_REVOKED)
        fixture.client.common.identities = [fixture.identity(["bob"])]
        #expect(try fixture.pair().settle().server.facts.verificationCode == X509_V_OK)
    }

    @Test("TLS 1.1 finds nobody at the defaults")
    func oldVersions() throws {
        var fixture = TLSFixture()
        fixture.client.common.versions = [.v1, .v1_1]
        fixture.client.common.ciphers = "ALL:@SECLEVEL=0"
        #expect(try !fixture.pair().settle().isOpen)
    }

    @Test("the server that a client names is the one it gets; others get the default")
    func serverNames() throws {
        let fixture = TLSFixture()
        var names = TLSServerNames()
        var other = fixture
        for name in ["a.test", "*.b.test"] {
            other.server.common.identities = [other.identity([name])]
            names.add(name, try other.serverContext())
        }
        let server = try fixture.serverContext()
        let client = try fixture.clientContext()
        for (name, opens) in [
            ("mail.test", true), ("a.test", true), ("A.TEST", true), ("x.b.test", true), ("b.test", false),
            ("c.test", false),
        ] {
            let pair = TLSPair(server, client, name: name, names: names)
            pair.settle()
            #expect(pair.isOpen == opens, "\(name)")
        }
    }
}
