import COpenSSL

/// Makes an SSL_CTX of settings, in nginx's order of complaints and with its words (nginx-mail.md §8.1).
// Safety: `handle` belongs to whoever takes it (`take`), or is freed with the builder, as when a setting is refused; it
// is used on the thread that reads the configuration only.
@safe
struct TLSContextBuilder: ~Copyable {
    let handle: OpaquePointer

    /// X25519 first: clients send its key share unasked, which saves a round trip.
    private static let groups = "X25519:P-256:X448:P-521:P-384"
    /// AES-128-GCM costs least where every client has AES in hardware (ring-facts.md §4).
    private static let ciphersuites = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"

    /// A context with what all of ours have.
    init(role: TLSContext.Role) throws(TLSSettingsError) {
        ERR_clear_error()
        let method = unsafe role == .server ? TLS_server_method() : TLS_client_method()
        guard let handle = unsafe SSL_CTX_new(method) else {
            throw TLSSettingsError("SSL_CTX_new() failed\(errorQueueText())")
        }
        unsafe self.handle = handle
        let options = copenssl_no_renegotiation | copenssl_no_compression
        unsafe SSL_CTX_set_options(handle, options)
        let modes = SSL_MODE_RELEASE_BUFFERS | SSL_MODE_AUTO_RETRY | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER
        _ = unsafe copenssl_ctx_set_mode(handle, Int(modes))
        unsafe SSL_CTX_set_ciphersuites(handle, TLSContextBuilder.ciphersuites)
    }

    deinit { unsafe SSL_CTX_free(handle) }

    /// The finished context, which is the caller's from here on.
    consuming func take() -> OpaquePointer {
        let handle = unsafe handle
        discard self
        return unsafe handle
    }

    /// Applies a server's settings.
    func apply(_ settings: TLSServerSettings) throws(TLSSettingsError) {
        try applyVersions(settings.common)
        try applyCiphers(settings.common)
        if settings.prefersOwnCiphers {
            unsafe SSL_CTX_set_options(handle, copenssl_server_preference | copenssl_prioritize_chacha)
        }
        try applyIdentities(settings.common)
        try applyVerification(settings)
        try applyDH(settings.dhParameters)
        try applyGroups(settings.groups ?? TLSContextBuilder.groups, shown: settings.groups)
        try applySessions(settings)
        try applyCommands(settings.common)
    }

    /// Applies a client's settings.
    func apply(_ settings: TLSClientSettings) throws(TLSSettingsError) {
        try applyVersions(settings.common)
        try applyCiphers(settings.common)
        try applyIdentities(settings.common)
        try applyGroups(TLSContextBuilder.groups, shown: nil)
        unsafe SSL_CTX_set_verify(handle, settings.verifies ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nil)
        unsafe SSL_CTX_set_verify_depth(handle, Int32(clamping: settings.common.verificationDepth))
        try trust(settings.common.authorities)
        try applyRevocations(settings.common.revocations)
        let mode = settings.reusesSessions ? SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL : SSL_SESS_CACHE_OFF
        unsafe copenssl_ctx_set_cache(handle, Int(mode), 0, 24 * 3600)
        try applyCommands(settings.common)
    }

    private func refuse(_ what: String) -> TLSSettingsError { TLSSettingsError(what + errorQueueText()) }

    // MARK: Both sides

    private func applyVersions(_ settings: TLSCommonSettings) throws(TLSSettingsError) {
        var options = copenssl_no_versions
        for (version, option) in [
            (TLSVersions.v1, copenssl_no_tls1), (.v1_1, copenssl_no_tls1_1), (.v1_2, copenssl_no_tls1_2),
            (.v1_3, copenssl_no_tls1_3),
        ] where settings.versions.contains(version) {
            options &= ~option
        }
        unsafe SSL_CTX_clear_options(handle, copenssl_no_versions)
        unsafe SSL_CTX_set_options(handle, options)
        // Debian's own floor in openssl.cnf must not override what was asked for.
        guard unsafe copenssl_ctx_set_version_range(handle, 0, 0) == 1 else {
            throw refuse("SSL_CTX_set_min_proto_version() failed")
        }
    }

    private func applyCiphers(_ settings: TLSCommonSettings) throws(TLSSettingsError) {
        guard unsafe SSL_CTX_set_cipher_list(handle, settings.ciphers) == 1 else {
            throw refuse("SSL_CTX_set_cipher_list(\"\(settings.ciphers)\") failed")
        }
    }

    private func applyIdentities(_ settings: TLSCommonSettings) throws(TLSSettingsError) {
        let passphrases = settings.passphrases.flatMap { Secret.lines(of: $0.content) }
        for identity in settings.identities { try apply(identity, passphrases) }
    }

    private func apply(_ identity: TLSIdentity, _ passphrases: [Secret]) throws(TLSSettingsError) {
        let name = identity.certificate.name
        guard let chain = TLSCertificate.all(in: identity.certificate.content) else {
            throw refuse("cannot load certificate \"\(name)\": PEM_read_bio_X509_AUX() failed")
        }
        guard unsafe SSL_CTX_use_certificate(handle, chain[0].pointer) == 1 else {
            throw refuse("SSL_CTX_use_certificate(\"\(name)\") failed")
        }
        for link in chain.dropFirst() {
            guard unsafe copenssl_ctx_add_chain_certificate(handle, link.pointer) == 1 else {
                throw refuse("SSL_CTX_add1_chain_cert(\"\(name)\") failed")
            }
        }
        let keyName = identity.key.name
        guard let key = unsafe TLSCertificate.key(in: identity.key.content, passphrases: passphrases) else {
            throw refuse("cannot load certificate key \"\(keyName)\": PEM_read_bio_PrivateKey() failed")
        }
        defer { unsafe EVP_PKEY_free(key) }
        guard unsafe X509_check_private_key(chain[0].pointer, key) == 1, unsafe SSL_CTX_use_PrivateKey(handle, key) == 1
        else {
            throw refuse("SSL_CTX_use_PrivateKey(\"\(keyName)\") failed")
        }
    }

    private func applyGroups(_ groups: String, shown: String?) throws(TLSSettingsError) {
        guard unsafe copenssl_ctx_set_groups(handle, groups) == 1 else {
            throw refuse("SSL_CTX_set1_curves_list(\"\(shown ?? groups)\") failed")
        }
    }

    private func trust(_ text: TLSText?) throws(TLSSettingsError) {
        guard let text else { return }
        guard let certificates = TLSCertificate.all(in: text.content) else {
            throw refuse("SSL_CTX_load_verify_locations(\"\(text.name)\") failed")
        }
        let store = unsafe SSL_CTX_get_cert_store(handle)
        for certificate in certificates {
            // Twice the same is no mistake.
            _ = unsafe X509_STORE_add_cert(store, certificate.pointer)
        }
        ERR_clear_error()
    }

    private func applyRevocations(_ text: TLSText?) throws(TLSSettingsError) {
        guard let text else { return }
        guard let lists = TLSCertificate.revocations(in: text.content) else {
            throw refuse("cannot load CRL \"\(text.name)\": PEM_read_bio_X509_CRL() failed")
        }
        let store = unsafe SSL_CTX_get_cert_store(handle)
        for list in lists {
            _ = unsafe X509_STORE_add_crl(store, list.pointer)
        }
        unsafe X509_STORE_set_flags(store, UInt(X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL))
    }

    private func applyCommands(_ settings: TLSCommonSettings) throws(TLSSettingsError) {
        guard !settings.commands.isEmpty else { return }
        let commands = unsafe SSL_CONF_CTX_new()
        defer { unsafe SSL_CONF_CTX_free(commands) }
        // Without the flag for certificates OpenSSL knows no command that names a file: workers read none.
        let flags = SSL_CONF_FLAG_FILE | SSL_CONF_FLAG_SERVER | SSL_CONF_FLAG_CLIENT | SSL_CONF_FLAG_SHOW_ERRORS
        unsafe SSL_CONF_CTX_set_flags(commands, UInt32(flags))
        unsafe SSL_CONF_CTX_set_ssl_ctx(commands, handle)
        for command in settings.commands {
            guard unsafe SSL_CONF_cmd(commands, command.name, command.value) > 0 else {
                throw refuse("SSL_CONF_cmd(\"\(command.name)\", \"\(command.value)\") failed")
            }
        }
        guard unsafe SSL_CONF_CTX_finish(commands) == 1 else { throw refuse("SSL_CONF_finish() failed") }
    }

    // MARK: Servers

    /// Asks for certificates without ever failing the handshake: the refusal is a line of the protocol
    /// inside TLS (nginx-mail.md §8.3).
    private func applyVerification(_ settings: TLSServerSettings) throws(TLSSettingsError) {
        guard settings.verification != .off else { return }
        unsafe SSL_CTX_set_verify(handle, SSL_VERIFY_PEER) { _, _ in 1 }
        unsafe SSL_CTX_set_verify_depth(handle, Int32(clamping: settings.common.verificationDepth))
        try trust(settings.namedAuthorities)
        if let named = settings.namedAuthorities, let certificates = TLSCertificate.all(in: named.content) {
            for certificate in certificates {
                _ = unsafe SSL_CTX_add_client_CA(handle, certificate.pointer)
            }
        }
        try trust(settings.common.authorities)
        try applyRevocations(settings.common.revocations)
    }

    private func applyDH(_ text: TLSText?) throws(TLSSettingsError) {
        guard let text else { return }
        let parameters = unsafe TLSCertificate.withBIO(over: text.content) { unsafe PEM_read_bio_Parameters($0, nil) }
        guard let parameters = unsafe parameters else { throw refuse("PEM_read_bio_DHparams(\"\(text.name)\") failed") }
        guard unsafe copenssl_ctx_set_dh(handle, parameters) == 1 else {
            unsafe EVP_PKEY_free(parameters)
            throw refuse("SSL_CTX_set0_tmp_dh_pkey(\"\(text.name)\") failed")
        }
    }

    /// Compresses the certificates (RFC 8879); false where OpenSSL cannot: before 3.2, or built without.
    func compressCertificates() -> Bool {
        defer { ERR_clear_error() }
        return unsafe copenssl_ctx_compress_certificates(handle) == 1
    }

    private func applySessions(_ settings: TLSServerSettings) throws(TLSSettingsError) {
        let noInternal = SSL_SESS_CACHE_NO_INTERNAL
        let (mode, size): (Int32, Int) =
            switch settings.cache {
            case .off: (SSL_SESS_CACHE_OFF, 0)
            case .none: (SSL_SESS_CACHE_SERVER | noInternal, 0)
            case .kept(let count), .shared(_, let count?): (SSL_SESS_CACHE_SERVER, count)
            case .shared(_, nil): (SSL_SESS_CACHE_SERVER | noInternal, 0)
            }
        unsafe copenssl_ctx_set_cache(handle, Int(mode), size, settings.sessionSeconds)
        if settings.usesTickets {
            // Two are for browsers that open several connections at once; each costs 20 µs.
            unsafe SSL_CTX_set_num_tickets(handle, 1)
        } else {
            unsafe SSL_CTX_set_options(handle, copenssl_no_ticket)
            // TLS 1.3 tells sessions that are kept here by tickets, too.
            switch settings.cache {
            case .kept, .shared: unsafe SSL_CTX_set_num_tickets(handle, 1)
            case .off, .none: unsafe SSL_CTX_set_num_tickets(handle, 0)
            }
        }
        var identity = Array("MAIL\(settings.label)\(settings.verification)".utf8)
        for text in settings.common.identities.map(\.certificate.content) { identity += text.bytes }
        for text in [settings.namedAuthorities, settings.common.authorities] { identity += text?.content.bytes ?? [] }
        let digest = Hashing.sha256(identity)
        guard unsafe SSL_CTX_set_session_id_context(handle, digest, UInt32(digest.count)) == 1 else {
            throw refuse("SSL_CTX_set_session_id_context() failed")
        }
    }
}

extension Secret {
    /// Each line of `text` that is not empty, without CR: the passphrases of a password file.
    static func lines(of text: Secret) -> [Secret] {
        var bytes = text.bytes
        defer { wipe(&bytes) }
        return bytes.split(separator: UInt8(ascii: "\n")).compactMap { line in
            let line = line.last == UInt8(ascii: "\r") ? line.dropLast() : line
            return line.isEmpty ? nil : Secret(line)
        }
    }
}
