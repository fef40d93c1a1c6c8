import COpenSSL

/// What all TLS connections of one server, or to one kind of server, share: certificates, keys, rules.
///
/// Made once when the configuration is read, used by every connection, never changed afterwards, but
/// for the sessions it remembers and where it shares them. Settings of ours that OpenSSL lacks as defaults: buffers of silent
/// connections are let go, one ticket, X25519 first (its key share is what clients send unasked),
/// no renegotiation, no compression.
// Safety: OpenSSL's contexts may be shared; ours belong to one thread once they are made, which the
// engines that use them assert by their connection's executor.
@safe
package final class TLSContext: @unchecked Sendable {
    package enum Role: Sendable, Hashable { case server, client }

    let handle: OpaquePointer
    package let role: Role
    /// The keys of a server's tickets.
    let tickets: TLSTickets?
    /// A server's answer to certificates that do not convince.
    package let verification: TLSClientVerification
    /// What ALPN may agree on, in its wire form; empty for anything.
    private let applicationProtocols: [UInt8]
    /// What a client remembers of servers.
    let sessions = TLSClientSessions()
    /// Whether a server's certificates are sent compressed to whoever takes them so.
    package let compressesCertificates: Bool
    /// `ssl_session_cache shared`: where a server's sessions are, once the memory is there; the name of its zone.
    package let sharedZone: String?
    package var sharedSessions: TLSSharedSessions?
    let verifies: Bool
    let reusesSessions: Bool
    /// Whether connections go on without OpenSSL where they can: a server's behind their handshake, a client's behind
    /// their login.
    let handsOver: Bool
    private let ownAlgorithms: (signature: String?, key: String?)

    /// A server's context.
    /// - Parameter seed: what self-made ticket keys come from, the same in all processes that share clients.
    package init(server settings: TLSServerSettings, seed: TLSTicketSeed) throws(TLSSettingsError) {
        let builder = try TLSContextBuilder(role: .server)
        try builder.apply(settings)
        compressesCertificates = settings.compressesCertificates && builder.compressCertificates()
        role = .server
        verification = settings.verification
        if case .shared(let zone, _) = settings.cache { sharedZone = zone } else { sharedZone = nil }
        tickets = settings.usesTickets ? try TLSTickets(settings, seed: seed) : nil
        applicationProtocols = settings.applicationProtocol.map { [UInt8($0.utf8.count)] + $0.utf8 } ?? []
        verifies = false
        reusesSessions = false
        ownAlgorithms =
            unsafe SSL_CTX_get0_certificate(builder.handle).map { unsafe TLSCertificate.algorithms(of: $0) }
            ?? (nil, nil)
        unsafe handle = builder.take()
        handsOver = settings.handsOver && !settings.common.padsRecords
        installCallbacks()
    }

    /// A client's context.
    package init(client settings: TLSClientSettings) throws(TLSSettingsError) {
        let builder = try TLSContextBuilder(role: .client)
        try builder.apply(settings)
        unsafe handle = builder.take()
        compressesCertificates = false
        role = .client
        verification = .off
        sharedZone = nil
        tickets = nil
        applicationProtocols = []
        verifies = settings.verifies
        reusesSessions = settings.reusesSessions
        handsOver = settings.handsOver && !settings.common.padsRecords
        ownAlgorithms = (nil, nil)
        installCallbacks()
    }

    deinit {
        // OpenSSL's may live on: a connection whose client named another server keeps the one that it began with.
        unsafe copenssl_ctx_set_object(handle, nil)
        unsafe SSL_CTX_free(handle)
    }

    /// Algorithms of our own certificate, for facts.
    var algorithms: (signature: String?, key: String?) { ownAlgorithms }

    // MARK: Callbacks

    /// The context that OpenSSL calls back about; it outlives `handle`'s last connection, for engines hold it.
    static func of(_ ssl: OpaquePointer?) -> TLSContext? {
        guard let object = unsafe copenssl_ctx_object(SSL_get_SSL_CTX(ssl)) else { return nil }
        return unsafe Unmanaged<TLSContext>.fromOpaque(object).takeUnretainedValue()
    }

    private func installCallbacks() {
        unsafe copenssl_ctx_set_object(handle, Unmanaged.passUnretained(self).toOpaque())
        if handsOver { unsafe TLSHandshake.watch(handle) }
        switch role {
        case .client:
            if reusesSessions {
                unsafe SSL_CTX_sess_set_new_cb(handle) { ssl, session in
                    guard let engine = unsafe TLSEngine.of(ssl), let peer = engine.peer else { return 0 }
                    unsafe engine.context.sessions.keep(session, for: peer)
                    return 1
                }
            }
        case .server:
            if sharedZone != nil { installSharedCacheCallbacks() }
            if tickets != nil {
                unsafe SSL_CTX_set_tlsext_ticket_key_evp_cb(handle) { ssl, name, iv, cipher, mac, encrypts in
                    guard let tickets = unsafe TLSContext.of(ssl)?.tickets, let name = unsafe name, let iv = unsafe iv
                    else { return -1 }
                    let isRenewing = unsafe SSL_version(ssl) == TLS1_3_VERSION
                    return unsafe tickets.prepare(name, iv, cipher, mac, encrypts: encrypts == 1, isRenewing)
                }
            }
            if !applicationProtocols.isEmpty {
                unsafe SSL_CTX_set_alpn_select_cb(
                    handle,
                    { ssl, chosen, chosenLength, offered, offeredLength, _ in
                        guard let context = unsafe TLSContext.of(ssl) else { return SSL_TLSEXT_ERR_ALERT_FATAL }
                        return unsafe context.selectProtocol(chosen, chosenLength, offered, offeredLength)
                    }, nil)
            }
            unsafe SSL_CTX_set_client_hello_cb(
                handle,
                { ssl, _, _ in
                    unsafe TLSServerNames.choose(for: ssl)
                    return SSL_CLIENT_HELLO_SUCCESS
                }, nil)
        }
    }

    /// Picks our protocol out of those offered; a client that does not offer it means another server
    /// (ALPACA, CVE-2021-3618) and is refused.
    private func selectProtocol(
        _ chosen: UnsafeMutablePointer<UnsafePointer<UInt8>?>?, _ chosenLength: UnsafeMutablePointer<UInt8>?,
        _ offered: UnsafePointer<UInt8>?, _ offeredLength: UInt32
    ) -> Int32 {
        let list = unsafe UnsafeBufferPointer(start: offered, count: Int(offeredLength))
        let name = applicationProtocols.dropFirst()
        var offset = 0
        while offset < list.count {
            let length = unsafe Int(list[offset])
            guard offset + 1 + length <= list.count else { break }
            if unsafe list[(offset + 1)..<(offset + 1 + length)].elementsEqual(name) {
                // What is handed out must outlive this call: the client's own list does.
                unsafe chosen?.pointee = list.baseAddress?.advanced(by: offset + 1)
                unsafe chosenLength?.pointee = UInt8(length)
                return SSL_TLSEXT_ERR_OK
            }
            offset += 1 + length
        }
        return SSL_TLSEXT_ERR_ALERT_FATAL
    }
}

extension TLSContext: Hashable {
    /// The same context, not the same settings.
    package static func == (one: TLSContext, other: TLSContext) -> Bool { one === other }

    package func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }
}
