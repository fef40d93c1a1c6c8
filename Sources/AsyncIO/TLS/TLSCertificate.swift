import COpenSSL

/// Reads certificates, keys and lists out of PEM texts, and certificates' contents.
// Safety: each object belongs to the function that made it, which frees it before it returns or hands
// it to a caller that says so.
enum TLSCertificate {
    /// A reference to an OpenSSL certificate.
    // Safety: the one reference that it was given, freed once.
    @safe
    final class Certificate {
        let pointer: OpaquePointer

        init(_ pointer: OpaquePointer) { unsafe self.pointer = pointer }

        deinit { unsafe X509_free(pointer) }
    }

    /// A reference to an OpenSSL list of revoked certificates.
    // Safety: as above.
    @safe
    final class RevocationList {
        let pointer: OpaquePointer

        init(_ pointer: OpaquePointer) { unsafe self.pointer = pointer }

        deinit { unsafe X509_CRL_free(pointer) }
    }

    /// Runs `body` with a BIO that reads `content` where it is: no copy is made that would have to be wiped.
    static func withBIO<Result>(over content: Secret, _ body: (OpaquePointer?) -> Result) -> Result {
        unsafe content.withBytes { bytes in
            let bio = unsafe BIO_new_mem_buf(bytes.baseAddress, Int32(bytes.count))
            defer { unsafe BIO_free(bio) }
            return unsafe body(bio)
        }
    }

    /// All certificates of a text, in order. nil, and the error in OpenSSL's queue,
    /// when there is none or one is broken.
    static func all(in content: Secret) -> [Certificate]? {
        unsafe withBIO(over: content) { bio in
            var certificates: [Certificate] = []
            while let certificate = unsafe PEM_read_bio_X509_AUX(bio, nil, nil, nil) {
                unsafe certificates.append(Certificate(certificate))
            }
            guard isAtEnd, !certificates.isEmpty else { return nil }
            ERR_clear_error()
            return certificates
        }
    }

    /// All lists of revoked certificates of a text; as `all`.
    static func revocations(in content: Secret) -> [RevocationList]? {
        unsafe withBIO(over: content) { bio in
            var lists: [RevocationList] = []
            while let list = unsafe PEM_read_bio_X509_CRL(bio, nil, nil, nil) {
                unsafe lists.append(RevocationList(list))
            }
            guard isAtEnd, !lists.isEmpty else { return nil }
            ERR_clear_error()
            return lists
        }
    }

    /// The end of a PEM text shows as "no start line".
    private static var isAtEnd: Bool {
        let error = ERR_peek_last_error()
        return copenssl_error_library(error) == ERR_LIB_PEM && copenssl_error_reason(error) == PEM_R_NO_START_LINE
    }

    /// The private key of a text, tried with each passphrase; the caller frees it; as `all`.
    static func key(in content: Secret, passphrases: [Secret]) -> OpaquePointer? {
        // Without a passphrase OpenSSL's own answer would be to ask at the terminal.
        for passphrase in passphrases.isEmpty ? [Secret([])] : passphrases {
            ERR_clear_error()
            let key = unsafe withUnsafePointer(to: passphrase) { passphrase in
                unsafe withBIO(over: content) { bio in
                    unsafe PEM_read_bio_PrivateKey(
                        bio, nil,
                        { buffer, size, _, context in
                            guard let context = unsafe context, let buffer = unsafe buffer else { return -1 }
                            let passphrase = unsafe context.assumingMemoryBound(to: Secret.self).pointee
                            guard !passphrase.isEmpty, passphrase.count <= Int(size) else { return -1 }
                            let target = unsafe UnsafeMutableRawBufferPointer(start: buffer, count: Int(size))
                            unsafe passphrase.withBytes { unsafe target.copyMemory(from: $0) }
                            return Int32(passphrase.count)
                        }, UnsafeMutableRawPointer(mutating: passphrase))
                }
            }
            if let key = unsafe key { return unsafe key }
        }
        return nil
    }

    // MARK: Contents

    /// What others are told of `certificate`.
    static func facts(of certificate: OpaquePointer) -> TLSCertificateFacts {
        unsafe TLSCertificateFacts(
            subject: name(X509_get_subject_name(certificate)), issuer: name(X509_get_issuer_name(certificate)),
            serial: text { unsafe i2a_ASN1_INTEGER($0, X509_get0_serialNumber(certificate)) },
            fingerprint: hexadecimal(digest(of: certificate, EVP_sha1())),
            pem: text { unsafe PEM_write_bio_X509($0, certificate) },
            commonName: subjectPart(NID_commonName, of: certificate), emailAddress: emailAddress(of: certificate),
            userID: subjectPart(NID_userId, of: certificate))
    }

    /// The digest of the whole certificate.
    static func digest(of certificate: OpaquePointer, _ algorithm: OpaquePointer?) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        var length: UInt32 = 0
        guard unsafe X509_digest(certificate, algorithm, &digest, &length) == 1 else { return [] }
        return Array(digest.prefix(Int(length)))
    }

    /// The algorithm that `certificate` is signed with, and its key's kind and size.
    static func algorithms(of certificate: OpaquePointer) -> (signature: String?, key: String?) {
        let signature = unsafe OBJ_nid2sn(X509_get_signature_nid(certificate)).map { unsafe String(cString: $0) }
        guard let key = unsafe X509_get0_pubkey(certificate) else { return (signature, nil) }
        let bits = unsafe EVP_PKEY_get_bits(key)
        let kind: String? =
            switch unsafe EVP_PKEY_get_base_id(key) {
            case EVP_PKEY_RSA: "RSA\(bits)"
            case EVP_PKEY_EC: "EC\(bits)"
            case EVP_PKEY_DSA: "DSA\(bits)"
            default: nil
            }
        return (signature, kind)
    }

    /// The subject's first attribute of this kind.
    private static func subjectPart(_ kind: Int32, of certificate: OpaquePointer) -> String? {
        guard let subject = unsafe X509_get_subject_name(certificate) else { return nil }
        let index = unsafe X509_NAME_get_index_by_NID(subject, kind, -1)
        guard index >= 0, let entry = unsafe X509_NAME_get_entry(subject, index) else { return nil }
        var bytes: UnsafeMutablePointer<UInt8>?
        let length = unsafe ASN1_STRING_to_UTF8(&bytes, X509_NAME_ENTRY_get_data(entry))
        guard length >= 0, let start = unsafe bytes else { return nil }
        defer { unsafe CRYPTO_free(start, "", 0) }
        return unsafe String(decoding: UnsafeBufferPointer(start: start, count: Int(length)), as: UTF8.self)
    }

    /// OpenSSL leaves out addresses with a NUL in them, which would end early.
    private static func emailAddress(of certificate: OpaquePointer) -> String? {
        guard let addresses = unsafe X509_get1_email(certificate) else { return nil }
        defer { unsafe X509_email_free(addresses) }
        guard unsafe OPENSSL_sk_num(addresses) > 0, let first = unsafe OPENSSL_sk_value(addresses, 0) else {
            return nil
        }
        return unsafe String(cString: first.assumingMemoryBound(to: CChar.self))
    }

    private static func name(_ name: OpaquePointer?) -> String {
        unsafe text { unsafe X509_NAME_print_ex($0, name, 0, copenssl_name_rfc2253) }
    }

    /// What `write` puts into a BIO.
    private static func text(_ write: (OpaquePointer?) -> Int32) -> String {
        let bio = unsafe BIO_new(BIO_s_mem())
        defer { unsafe BIO_free(bio) }
        _ = unsafe write(bio)
        var start: UnsafeMutablePointer<CChar>?
        let length = unsafe copenssl_bio_memory(bio, &start)
        guard length > 0, let start = unsafe start else { return "" }
        return unsafe String(decoding: UnsafeRawBufferPointer(start: start, count: length), as: UTF8.self)
    }

    static func hexadecimal(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
