import COpenSSL
import TestSupport
import Testing

@testable import AsyncIO

/// When a connection goes on without OpenSSL, a server's behind its handshake and a client's behind its login, and that
/// the other end does not notice.
@Suite struct TLSHandoverTests {
    @Test("with each cipher, and however many tickets there are", arguments: TLSSuite.allCases, [0, 1, 5])
    func ciphers(_ suite: TLSSuite, _ tickets: Int) throws {
        var fixture = TLSFixture()
        fixture.client.common.commands = [TLSCommand(name: "Ciphersuites", value: suite.name)]
        fixture.server.common.commands = [TLSCommand(name: "NumTickets", value: "\(tickets)")]
        let pair = try fixture.pair().settle()
        #expect(pair.server.facts.cipher == suite.name)
        try expectTalk(pair, goesOnWithOpenSSL: false)
    }

    @Test("without tickets, resumed, with a client's certificate, and with a second hello")
    func handshakes() throws {
        var fixture = TLSFixture()
        // Another group than the client has sent a share for (RFC 8446 §4.1.4).
        fixture.server.groups = "P-384"
        fixture.server.usesTickets = false
        try expectTalk(fixture.pair().settle(), goesOnWithOpenSSL: false)
        fixture.server.usesTickets = true
        fixture.server.verification = .optional
        fixture.server.namedAuthorities = TLSText(name: "ca", content: Secret(fixture.authority.certificate))
        fixture.client.common.identities = [fixture.identity(["ann"])]
        let (server, client) = (try fixture.serverContext(), try fixture.clientContext())
        for isResumed in [false, true] {
            let pair = TLSPair(server, client).settle()
            #expect(pair.server.facts.isResumed == isResumed && pair.server.facts.peerCertificate != nil)
            try expectTalk(pair, goesOnWithOpenSSL: false)
        }
    }

    @Test("OpenSSL goes on where it alone can", arguments: ["TLS 1.2", "padding", "short records", "off"])
    func refusals(_ reason: String) throws {
        var fixture = TLSFixture()
        switch reason {
        case "TLS 1.2": fixture.server.common.versions = .v1_2
        case "padding": fixture.server.common.commands = [TLSCommand(name: "recordpadding", value: "512")]
        case "off": fixture.server.handsOver = false
        default: break
        }
        let client = try fixture.clientContext()
        if reason == "short records" {
            unsafe SSL_CTX_set_tlsext_max_fragment_length(client.handle, UInt8(TLSEXT_max_fragment_length_512))
        }
        try expectTalk(TLSPair(try fixture.serverContext(), client).settle(), goesOnWithOpenSSL: true)
    }

    @Test("where a client names a server, both it and the one it came to have to agree")
    func names() throws {
        for (first, named) in [(true, true), (true, false), (false, true), (false, false)] {
            var fixture = TLSFixture()
            fixture.server.handsOver = first
            var other = fixture
            other.server.handsOver = named
            var names = TLSServerNames()
            names.add("mail.test", try other.serverContext())
            let pair = TLSPair(try fixture.serverContext(), try fixture.clientContext(), names: names).settle()
            try expectTalk(pair, goesOnWithOpenSSL: !(first && named))
        }
    }

    @Test("a client's padding is none of our business")
    func padding() throws {
        let pair = try TLSFixture().pair()
        unsafe SSL_set_block_padding(pair.client.ssl, 512)
        pair.settle()
        try expectTalk(pair, goesOnWithOpenSSL: false)
    }

    @Test("a client is told why its record is refused, and tells us why it refuses ours")
    func alerts() throws {
        let pair = try TLSFixture().pair().settle()
        pair.injectToServer([23, 3, 3, 0, 20] + [UInt8](repeating: 7, count: 20))
        pair.settle()
        #expect(pair.server.state == .failed(TLSFailure(.peer, "SSL_read() failed (bad record mac)")))
        guard case .failed(let theirs) = pair.client.state else { return #expect(Bool(false)) }
        #expect(theirs.text.contains("bad record mac"))
        #expect(pair.server.send([1]).isEmpty && pair.server.close().isEmpty)
        let other = try TLSFixture().pair().settle()
        other.injectToClient([23, 3, 3, 0, 20] + [UInt8](repeating: 7, count: 20))
        other.settle()
        let failure = TLSFailure(.peer, "SSL_read() failed (SSL alert number 20: bad record mac)")
        #expect(other.server.state == .failed(failure))
    }

    // MARK: Clients

    @Test("a client goes on by itself behind its login, with each cipher", arguments: TLSSuite.allCases)
    func clients(_ suite: TLSSuite) throws {
        var fixture = TLSFixture()
        fixture.server.handsOver = false
        fixture.client.common.commands = [TLSCommand(name: "Ciphersuites", value: suite.name)]
        let (server, client) = (try fixture.serverContext(), try fixture.clientContext())
        for isResumed in [false, true] {
            let pair = TLSPair(server, client).settle()
            #expect(pair.server.facts.isResumed == isResumed)
            for cut in [Int.max, 3] { expectExchange(pair, cut) }
            pair.client.beginRelay()
            #expect(unsafe pair.client.ssl == nil)
            expectExchange(pair, .max)
            for cut in [1, 7, Int.max] {
                // A late ticket, and new keys that ask for ours.
                unsafe SSL_new_session_ticket(pair.server.ssl)
                unsafe SSL_key_update(pair.server.ssl, SSL_KEY_UPDATE_REQUESTED)
                expectExchange(pair, cut)
            }
            pair.serverCloses()
            pair.settle()
            #expect(pair.client.state == .ended(isTruncated: false))
        }
    }

    @Test("a client stays with OpenSSL within a record, with new keys, or where it is told to", arguments: 0..<4)
    func clientsThatStay(_ reason: Int) throws {
        var fixture = TLSFixture()
        fixture.server.handsOver = false
        fixture.client.handsOver = reason != 0
        let pair = try fixture.pair().settle()
        expectExchange(pair, .max)
        switch reason {
        case 1:
            unsafe SSL_key_update(pair.server.ssl, SSL_KEY_UPDATE_NOT_REQUESTED)
            expectExchange(pair, .max)
        case 2:
            pair.serverSays("text")
            pair.settle(upTo: 3)
        case 3:
            pair.serverSays("text")
            pair.settle(upTo: 10)
        default: break
        }
        pair.client.beginRelay()
        #expect(unsafe pair.client.ssl != nil)
        pair.settle()
        #expect(pair.takeClientText() == (reason < 2 ? "" : "text"))
        expectExchange(pair, 5)
    }

    @Test("both ends without OpenSSL")
    func bothEnds() throws {
        let pair = try TLSFixture().pair().settle()
        expectExchange(pair, .max)
        pair.client.beginRelay()
        pair.server.beginRelay()
        for cut in [1, 1000] { expectExchange(pair, cut) }
        pair.clientCloses()
        pair.settle()
        #expect(pair.server.state == .ended(isTruncated: false))
    }

    private func expectExchange(_ pair: TLSPair, _ cut: Int) {
        for text in ["short", String(repeating: "long", count: 10_000)] {
            pair.serverSays(text)
            pair.settle(cut: cut)
            pair.clientSays(text)
            pair.settle(cut: cut)
            #expect(pair.takeServerText() == text && pair.takeClientText() == text)
        }
    }

    /// Lets both sides talk as a session and its relay do, with new keys and the end.
    private func expectTalk(_ pair: TLSPair, goesOnWithOpenSSL: Bool) throws {
        pair.server.concludeHandshake()
        #expect(pair.isOpen)
        #expect(unsafe (pair.server.ssl != nil) == goesOnWithOpenSSL)
        let isNew = unsafe SSL_version(pair.client.ssl) == TLS1_3_VERSION
        for (turn, cut) in [Int.max, 7, 3, 100].enumerated() {
            if turn == 2 { pair.server.beginRelay() }
            if isNew, turn > 0 { pair.clientUpdatesKeys() }
            let long = String(repeating: "long", count: 10_000)
            for text in ["a\(turn) NOOP\r\n", turn == 0 ? long : "short"] {
                pair.clientSays(text)
                pair.settle(cut: cut)
                pair.serverSays(text)
                pair.settle(cut: cut)
                #expect(pair.takeServerText() == text && pair.takeClientText() == text)
            }
        }
        // The client has ended, and hears what is left to say.
        pair.clientCloses()
        pair.settle()
        #expect(pair.server.state == .ended(isTruncated: false))
        pair.serverSays("* BYE\r\n")
        pair.serverCloses()
        pair.settle()
        #expect(pair.takeClientText() == "* BYE\r\n")
        #expect(pair.client.state == .ended(isTruncated: false))
    }
}

extension TLSSuite {
    /// As RFC 8446 §B.4 and OpenSSL call it.
    fileprivate var name: String { "TLS_\(cipher.uppercased().replacing("-", with: "_"))_\(digest)" }
}
