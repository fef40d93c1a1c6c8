import AsyncIO

/// What is known of a client beyond its own words: addresses, its verified name, its TLS.
package struct ClientFacts: Sendable {
    /// Where it comes from, after `set_real_ip_from`.
    package var address: SocketAddress
    /// Where it connected to.
    package var localAddress: SocketAddress
    /// The verified name, `[UNAVAILABLE]` or `[TEMPUNAVAIL]` (nginx-mail.md §7.3); used by SMTP only.
    package var hostName = ClientNameLookup.unavailable
    /// The addresses of a PROXY header, whether they are believed or not.
    package var proxyAddresses: ProxyAddresses?
    /// Its TLS, nil on a plain connection.
    package var tls: ClientTLS? {
        get { connection?.tls }
        set { connection = newValue.map(SecureConnection.init) }
    }
    private var connection: SecureConnection?

    /// Apart from the rest, of which it would be most: facts are handed on from one wait to the next, each of which has
    /// room for them.
    private final class SecureConnection: Sendable {
        let tls: ClientTLS

        init(_ tls: ClientTLS) { self.tls = tls }
    }

    package init(address: SocketAddress, localAddress: SocketAddress) {
        self.address = address
        self.localAddress = localAddress
    }

    /// The addresses a received PROXY header named.
    package struct ProxyAddresses: Sendable, Hashable {
        package var source: SocketAddress
        package var destination: SocketAddress

        package init(source: SocketAddress, destination: SocketAddress) {
            self.source = source
            self.destination = destination
        }
    }
}

/// A client's TLS connection, in the words of auth_http and the PROXY protocol.
package struct ClientTLS: Sendable, Hashable {
    /// Such as `TLSv1.3`.
    package var version: String
    /// Such as `TLS_AES_256_GCM_SHA384`.
    package var cipher: String
    /// The server name the client asked for (SNI).
    package var serverName: String?
    /// The application protocol agreed on (ALPN).
    package var applicationProtocol: String?
    /// `SUCCESS`, `FAILED:<reason>` or `NONE`; nil when certificates are not asked for.
    package var verification: String?
    /// OpenSSL's code of the verification: 0 is good; 1 without a certificate.
    package var verificationCode: UInt32 = 1
    package var certificate: ClientCertificate?
    /// A session of before was gone on with.
    package var isResumed = false
    /// What our certificate is signed with, and its key, such as `EC256`.
    package var signatureAlgorithm: String?
    package var keyAlgorithm: String?

    package init(version: String, cipher: String) {
        self.version = version
        self.cipher = cipher
    }
}

/// A client's certificate as others are told of it.
package struct ClientCertificate: Sendable, Hashable {
    /// RFC 2253 text, like the issuer.
    package var subject: String
    package var issuer: String
    /// Upper-case hexadecimal.
    package var serial: String
    /// SHA-1, lower-case hexadecimal.
    package var fingerprint: String
    /// PEM, only with `auth_http_pass_client_cert`.
    package var pem: String?
    /// The subject's common name.
    package var commonName: String?
    /// The first e-mail address of the subject, else of the alternative names.
    package var emailAddress: String?
    /// The subject's user id.
    package var userID: String?
    /// Shown in this connection rather than remembered with the session.
    package var isFromThisConnection = true

    package init(subject: String, issuer: String, serial: String, fingerprint: String) {
        self.subject = subject
        self.issuer = issuer
        self.serial = serial
        self.fingerprint = fingerprint
    }
}
