/// What a finished handshake agreed on, for logs, authenticators and PROXY headers.
package struct TLSFacts: Sendable, Hashable {
    /// Such as `TLSv1.3`.
    package var version: String
    /// Such as `TLS_AES_256_GCM_SHA384`.
    package var cipher: String
    /// The server name asked for (SNI).
    package var serverName: String?
    /// The application protocol agreed on (ALPN).
    package var applicationProtocol: String?
    /// A session of before was gone on with.
    package var isResumed: Bool
    /// OpenSSL's code for the peer's certificate: 0 when it is good, or when there is none.
    package var verificationCode: Int32
    /// OpenSSL's words for that code.
    package var verificationText: String
    package var peerCertificate: TLSCertificateFacts?
    /// Of our own certificate, by OpenSSL's short names: what it is signed with, and its key, such as `EC256`.
    package var signatureAlgorithm: String?
    package var keyAlgorithm: String?
}

/// A certificate as others are told of it.
package struct TLSCertificateFacts: Sendable, Hashable {
    /// RFC 2253 text, like the issuer.
    package var subject: String
    package var issuer: String
    /// Upper-case hexadecimal.
    package var serial: String
    /// SHA-1, lower-case hexadecimal.
    package var fingerprint: String
    package var pem: String
    /// The subject's common name.
    package var commonName: String?
    /// The first e-mail address of the subject, else of the alternative names.
    package var emailAddress: String?
    /// The subject's user id (RFC 4519 §2.39).
    package var userID: String?
}
