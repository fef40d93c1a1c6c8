import COpenSSL

/// Makes certificates for tests while they run: no key lies in the repository, and none expires.
// Safety: it owns its key and certificate, and frees them in `deinit`.
@safe
package final class TestAuthority {
    /// A certificate and its key, as PEM.
    package struct Issued: Sendable {
        package let certificate: [UInt8]
        package let key: [UInt8]
    }

    /// What a certificate's key is.
    package enum KeyKind: Sendable { case ecdsa, rsa, ed25519 }

    private let name: String
    private let key: OpaquePointer
    private let own: OpaquePointer
    private var serial = 100

    /// A new authority whose certificate another has issued.
    package init(name: String, issuedBy parent: TestAuthority) {
        self.name = name
        parent.serial += 1
        unsafe key = TestAuthority.makeKey(.ecdsa)
        unsafe own = TestAuthority.makeCertificate(
            subject: name, issuer: parent.name, key: key, signer: parent.key, serial: parent.serial, days: -1..<3650,
            extensions: TestAuthority.extensions)
    }

    /// A new authority; its certificate is self-signed.
    package init(name: String = "Test Authority", kind: KeyKind = .ecdsa) {
        self.name = name
        unsafe key = TestAuthority.makeKey(kind)
        unsafe own = TestAuthority.makeCertificate(
            subject: name, issuer: name, key: key, signer: key, serial: 1, days: -1..<3650,
            extensions: TestAuthority.extensions)
    }

    private static let extensions = [
        (NID_basic_constraints, "critical,CA:TRUE"), (NID_key_usage, "critical,keyCertSign,cRLSign"),
    ]

    deinit {
        unsafe EVP_PKEY_free(key)
        unsafe X509_free(own)
    }

    /// The authority's own certificate, as PEM.
    package var certificate: [UInt8] { unsafe TestAuthority.pem { unsafe PEM_write_bio_X509($0, own) } }

    /// Issues a certificate.
    /// - Parameters:
    ///   - names: DNS names, or addresses as `IP:127.0.0.1` or `email:ann@example.test`; the first is the common name.
    ///   - userID: of the subject.
    ///   - days: when it is good, in days from now.
    ///   - passphrase: what the key is encrypted with.
    package func issue(
        _ names: [String], commonName: String? = nil, userID: String? = nil, kind: KeyKind = .ecdsa,
        days: Range<Int> = -1..<365, passphrase: String? = nil
    ) -> Issued {
        serial += 1
        let own = unsafe TestAuthority.makeKey(kind)
        defer { unsafe EVP_PKEY_free(own) }
        let list = names.map { $0.hasPrefix("IP:") || $0.hasPrefix("email:") ? $0 : "DNS:\($0)" }.joined(separator: ",")
        let certificate = unsafe TestAuthority.makeCertificate(
            subject: commonName ?? names.first ?? "nobody", userID: userID, issuer: name, key: own, signer: key,
            serial: serial,
            days: days, extensions: names.isEmpty ? [] : [(NID_subject_alt_name, list)])
        defer { unsafe X509_free(certificate) }
        return unsafe Issued(
            certificate: TestAuthority.pem { unsafe PEM_write_bio_X509($0, certificate) },
            key: TestAuthority.pem { bio in
                let cipher = unsafe passphrase == nil ? nil : EVP_aes_128_cbc()
                let text = passphrase.map { Array($0.utf8) } ?? []
                return unsafe PEM_write_bio_PKCS8PrivateKey(
                    bio, own, cipher, text.map { CChar(bitPattern: $0) }, Int32(text.count), nil, nil)
            })
    }

    /// A list that revokes the certificates issued so far, as PEM.
    package func revokeAll() -> [UInt8] {
        let list = unsafe X509_CRL_new()
        defer { unsafe X509_CRL_free(list) }
        unsafe X509_CRL_set_version(list, 1)
        unsafe X509_CRL_set_issuer_name(list, X509_get_subject_name(own))
        let now = unsafe ASN1_TIME_new()
        defer { unsafe ASN1_TIME_free(now) }
        unsafe X509_gmtime_adj(now, -3600)
        unsafe X509_CRL_set1_lastUpdate(list, now)
        unsafe X509_gmtime_adj(now, 24 * 3600)
        unsafe X509_CRL_set1_nextUpdate(list, now)
        for number in 101..<(serial + 1) {
            let entry = unsafe X509_REVOKED_new()
            let integer = unsafe ASN1_INTEGER_new()
            defer { unsafe ASN1_INTEGER_free(integer) }
            unsafe ASN1_INTEGER_set(integer, number)
            unsafe X509_REVOKED_set_serialNumber(entry, integer)
            unsafe X509_gmtime_adj(now, -60)
            unsafe X509_REVOKED_set_revocationDate(entry, now)
            unsafe X509_CRL_add0_revoked(list, entry)
        }
        unsafe X509_CRL_sign(list, key, TestAuthority.digest(for: key))
        return unsafe TestAuthority.pem { unsafe PEM_write_bio_X509_CRL($0, list) }
    }

    private static func makeKey(_ kind: KeyKind) -> OpaquePointer {
        let number =
            switch kind {
            case .ecdsa: EVP_PKEY_EC
            case .rsa: EVP_PKEY_RSA
            case .ed25519: EVP_PKEY_ED25519
            }
        let context = unsafe EVP_PKEY_CTX_new_id(number, nil)
        defer { unsafe EVP_PKEY_CTX_free(context) }
        unsafe EVP_PKEY_keygen_init(context)
        switch kind {
        case .ecdsa: unsafe EVP_PKEY_CTX_set_ec_paramgen_curve_nid(context, NID_X9_62_prime256v1)
        case .rsa: unsafe EVP_PKEY_CTX_set_rsa_keygen_bits(context, 2048)
        case .ed25519: break
        }
        var key: OpaquePointer?
        unsafe EVP_PKEY_keygen(context, &key)
        guard let key = unsafe key else { preconditionFailure("no key could be made") }
        return unsafe key
    }

    /// What is signed with a key; Ed25519 has its own.
    private static func digest(for key: OpaquePointer) -> OpaquePointer? {
        unsafe EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519 ? nil : EVP_sha256()
    }

    private static func makeCertificate(
        subject: String, userID: String? = nil, issuer: String, key: OpaquePointer, signer: OpaquePointer, serial: Int,
        days: Range<Int>,
        extensions: [(Int32, String)]
    ) -> OpaquePointer {
        guard let certificate = unsafe X509_new() else { preconditionFailure("no memory for a certificate") }
        unsafe X509_set_version(certificate, 2)
        unsafe ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial)
        unsafe X509_gmtime_adj(X509_getm_notBefore(certificate), days.lowerBound * 86400)
        unsafe X509_gmtime_adj(X509_getm_notAfter(certificate), days.upperBound * 86400)
        unsafe setName(X509_get_subject_name(certificate), subject)
        if let userID { unsafe setName(X509_get_subject_name(certificate), userID, kind: "UID") }
        unsafe setName(X509_get_issuer_name(certificate), issuer)
        unsafe X509_set_pubkey(certificate, key)
        for (kind, value) in extensions {
            let item = unsafe X509V3_EXT_conf_nid(nil, nil, kind, value)
            unsafe X509_add_ext(certificate, item, -1)
            unsafe X509_EXTENSION_free(item)
        }
        unsafe X509_sign(certificate, signer, digest(for: signer))
        return unsafe certificate
    }

    private static func setName(_ name: OpaquePointer?, _ text: String, kind: String = "CN") {
        unsafe X509_NAME_add_entry_by_txt(name, kind, MBSTRING_UTF8, text, Int32(text.utf8.count), -1, 0)
    }

    private static func pem(_ write: (OpaquePointer?) -> Int32) -> [UInt8] {
        let bio = unsafe BIO_new(BIO_s_mem())
        defer { unsafe BIO_free(bio) }
        let result = unsafe write(bio)
        precondition(result == 1, "PEM could be written")
        var start: UnsafeMutablePointer<CChar>?
        let length = unsafe copenssl_bio_memory(bio, &start)
        return unsafe Array(UnsafeRawBufferPointer(start: start, count: length))
    }
}
