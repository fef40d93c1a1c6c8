import COpenSSL

/// What was found out about the peer.
extension TLSEngine {
    /// What was agreed on; meaningful between the handshake's end and `concludeHandshake`.
    package var facts: TLSFacts {
        guard let ssl = unsafe ssl else { preconditionFailure("facts of a handshake that was let go") }
        let code = unsafe SSL_get_verify_result(ssl)
        var facts = unsafe TLSFacts(
            version: String(cString: SSL_get_version(ssl)), cipher: String(cString: copenssl_cipher_name(ssl)),
            serverName: SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name).map { unsafe String(cString: $0) },
            isResumed: SSL_session_reused(ssl) == 1, verificationCode: Int32(truncatingIfNeeded: code),
            verificationText: String(cString: X509_verify_cert_error_string(code)),
            signatureAlgorithm: context.algorithms.signature, keyAlgorithm: context.algorithms.key)
        var name: UnsafePointer<UInt8>?
        var length: UInt32 = 0
        unsafe SSL_get0_alpn_selected(ssl, &name, &length)
        if length > 0 {
            let bytes = unsafe UnsafeBufferPointer(start: name, count: Int(length))
            facts.applicationProtocol = unsafe String(decoding: bytes, as: UTF8.self)
        }
        if let certificate = unsafe SSL_get1_peer_certificate(ssl) {
            facts.peerCertificate = unsafe TLSCertificate.facts(of: certificate)
            unsafe X509_free(certificate)
        }
        return facts
    }

    /// Makes the session of this connection one that nobody goes on with: its client was refused.
    package func forgetSession() {
        guard let session = unsafe SSL_get_session(ssl) else { return }
        // OpenSSL has it where the connection began, shared memory where its client's name led.
        unsafe SSL_CTX_remove_session((handshake?.first ?? context).handle, session)
        unsafe context.forgetShared(session)
    }
}
