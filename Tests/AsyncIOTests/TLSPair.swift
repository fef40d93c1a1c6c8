import COpenSSL
import TestSupport

@testable import AsyncIO

/// Both ends of a TLS connection in memory, and what each has heard.
final class TLSPair {
    let client: TLSEngine
    let server: TLSEngine
    private(set) var heardByClient = ByteQueue()
    private(set) var heardByServer = ByteQueue()
    private var toClient: [UInt8] = []
    private var toServer: [UInt8] = []
    /// Bytes that went over the wire to the server.
    private(set) var sentToServer = 0

    init(
        _ server: TLSContext, _ client: TLSContext, name: String = "mail.test", offering protocols: [String] = [],
        names: TLSServerNames? = nil
    ) {
        self.server = TLSEngine(server: server, names: names)
        self.client = TLSEngine(client: client, peer: "peer", name: name, sendsName: true)
        let list = protocols.flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) }
        unsafe SSL_set_alpn_protos(self.client.ssl, list, UInt32(list.count))
        toServer = self.client.start()
    }

    /// Carries what there is to carry, `cut` bytes at a time, until both are silent.
    @discardableResult
    func settle(cut: Int = .max) -> TLSPair {
        while !toServer.isEmpty || !toClient.isEmpty {
            let up = Array(toServer.prefix(cut))
            toServer.removeFirst(up.count)
            sentToServer += up.count
            toClient += server.receive(up, into: &heardByServer)
            let down = Array(toClient.prefix(cut))
            toClient.removeFirst(down.count)
            toServer += client.receive(down, into: &heardByClient)
        }
        return self
    }

    /// Carries so many bytes to the client, and no more.
    func settle(upTo count: Int) {
        let down = Array(toClient.prefix(count))
        toClient.removeFirst(down.count)
        toServer += client.receive(down, into: &heardByClient)
    }

    func clientSays(_ text: String) { toServer += client.send(Array(text.utf8)) }
    func serverSays(_ text: String) { toClient += server.send(Array(text.utf8)) }
    func clientCloses() { toServer += client.close() }
    func serverCloses() { toClient += server.close() }
    /// The client takes new keys and asks the server to do the same (RFC 8446 §4.6.3).
    func clientUpdatesKeys() { unsafe SSL_key_update(client.ssl, SSL_KEY_UPDATE_REQUESTED) }

    func injectToServer(_ bytes: [UInt8]) { toServer += bytes }
    func injectToClient(_ bytes: [UInt8]) { toClient += bytes }

    /// Makes the client begin a handshake anew, as ours never would.
    func clientRenegotiates() {
        unsafe SSL_clear_options(client.ssl, copenssl_no_renegotiation)
        unsafe SSL_renegotiate(client.ssl)
        // The hello leaves in front of what is said next.
        clientSays("again")
    }

    /// Whether the second of two connections goes on with the session of the first.
    static func isResumed(_ first: TLSContext, _ second: TLSContext, client: TLSContext) -> Bool {
        var results: [Bool] = []
        for server in [first, second] {
            let pair = TLSPair(server, client).settle()
            pair.serverSays("behind the ticket")
            pair.settle()
            results.append(pair.isOpen && pair.server.facts.isResumed)
        }
        return results == [false, true]
    }

    func takeServerText() -> String { String(decoding: heardByServer.takeAll(), as: UTF8.self) }
    func takeClientText() -> String { String(decoding: heardByClient.takeAll(), as: UTF8.self) }

    var isOpen: Bool { client.state == .open && server.state == .open }
}

extension TLSCommonSettings {
    /// nginx's default ciphers.
    static var usual: TLSCommonSettings { TLSCommonSettings(ciphers: "HIGH:!aNULL:!MD5") }
}

/// An authority, a server certificate of it, and the contexts of both sides, to be changed before use.
struct TLSFixture {
    let authority = TestAuthority()
    var server = TLSServerSettings(.usual)
    var client = TLSClientSettings(.usual)

    init(_ names: [String] = ["mail.test"], kind: TestAuthority.KeyKind = .ecdsa) {
        server.common.identities = [identity(names, kind)]
        client.common.authorities = TLSText(name: "ca.pem", content: Secret(authority.certificate))
    }

    func identity(_ names: [String], _ kind: TestAuthority.KeyKind = .ecdsa, days: Range<Int> = -1..<90) -> TLSIdentity
    {
        let issued = authority.issue(names, kind: kind, days: days)
        return TLSIdentity(
            certificate: TLSText(name: "cert.pem", content: Secret(issued.certificate)),
            key: TLSText(name: "key.pem", content: Secret(issued.key)))
    }

    func serverContext(seed: TLSTicketSeed = TLSTicketSeed()) throws -> TLSContext {
        try TLSContext(server: server, seed: seed)
    }

    func clientContext() throws -> TLSContext { try TLSContext(client: client) }

    func pair(name: String = "mail.test") throws -> TLSPair {
        TLSPair(try serverContext(), try clientContext(), name: name)
    }
}
