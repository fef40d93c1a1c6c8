/// A text that a TLS context is made from, and the name that messages call it by.
package struct TLSText: Sendable, Hashable {
    /// A path, or `data:…`.
    package var name: String
    /// Perhaps a private key, so it is overwritten when the last who needs it lets it go.
    package var content: Secret

    package init(name: String, content: Secret) {
        self.name = name
        self.content = content
    }
}

/// A certificate with its chain, and its key.
package struct TLSIdentity: Sendable, Hashable {
    package var certificate: TLSText
    package var key: TLSText

    package init(certificate: TLSText, key: TLSText) {
        self.certificate = certificate
        self.key = key
    }
}

/// The versions of the protocol.
package struct TLSVersions: OptionSet, Sendable, Hashable {
    package let rawValue: UInt8
    package init(rawValue: UInt8) { self.rawValue = rawValue }

    package static let v1 = TLSVersions(rawValue: 1)
    package static let v1_1 = TLSVersions(rawValue: 2)
    package static let v1_2 = TLSVersions(rawValue: 4)
    package static let v1_3 = TLSVersions(rawValue: 8)

    /// The floor is 1.2.
    package static let modern: TLSVersions = [.v1_2, .v1_3]
}

/// What both sides of TLS have.
package struct TLSCommonSettings: Sendable, Hashable {
    /// Several for a server (RSA beside ECDSA); a client has at most one.
    package var identities: [TLSIdentity] = []
    /// Tried in order for keys that are encrypted.
    package var passphrases: [TLSText] = []
    package var versions = TLSVersions.modern
    /// OpenSSL's list for TLS up to 1.2.
    package var ciphers: String
    /// The longest chain of the peer's certificate.
    package var verificationDepth = 1
    /// Certificates of authorities that are believed.
    package var authorities: TLSText?
    /// Certificates that were revoked.
    package var revocations: TLSText?
    /// OpenSSL's own commands: name and value.
    package var commands: [TLSCommand] = []

    /// Settings with everything else as usual.
    package init(ciphers: String) { self.ciphers = ciphers }

    /// Whether OpenSSL is told to pad records, by a rule that it keeps to itself.
    var padsRecords: Bool { commands.contains { $0.name.lowercased() == "recordpadding" } }
}

/// A command of SSL_CONF_cmd(3).
package struct TLSCommand: Sendable, Hashable {
    package var name: String
    package var value: String

    package init(name: String, value: String) {
        self.name = name
        self.value = value
    }
}

/// What a server's context is made from.
package struct TLSServerSettings: Sendable {
    package var common: TLSCommonSettings
    package var prefersOwnCiphers = false
    /// Whether connections go on without OpenSSL behind their handshake, where they can.
    package var handsOver = true
    /// Whether certificates are sent compressed to clients that take them so (RFC 8879), where OpenSSL can.
    package var compressesCertificates = false
    /// OpenSSL's list of groups, the most wanted first.
    package var groups: String?
    /// Parameters for DHE.
    package var dhParameters: TLSText?
    package var cache = TLSSessionCache.none
    /// Whether sessions may travel in tickets.
    package var usesTickets = true
    /// 48 or 80 bytes each; the first encrypts, all decrypt. Empty: keys that change by themselves.
    package var ticketKeys: [TLSText] = []
    /// How long a session can be gone on with, in seconds.
    package var sessionSeconds = 300
    package var verification = TLSClientVerification.off
    /// Authorities that clients are told of.
    package var namedAuthorities: TLSText?
    /// The protocol that a client may name by ALPN; any other is refused.
    package var applicationProtocol: String?
    /// Sessions of one server are no sessions of another with another label (security-checklist A8).
    package var label = ""

    package init(_ common: TLSCommonSettings) { self.common = common }
}

/// Sessions kept on the server's side.
package enum TLSSessionCache: Sendable, Hashable {
    /// Clients are told that there is none.
    case off
    /// Clients are not told, but nothing is kept.
    case none
    /// So many sessions.
    case kept(Int)
    /// In the zone of this name, by all workers, and so many in this one besides.
    case shared(zone: String, kept: Int?)
}

/// Whether clients have to show certificates.
package enum TLSClientVerification: Sendable, Hashable, CaseIterable {
    case off, required, optional
    /// As `optional`, and authorities that nobody knows are no mistake.
    case optionalWithoutAuthority
}

/// What a client's context is made from.
package struct TLSClientSettings: Sendable, Hashable {
    package var common: TLSCommonSettings
    /// Whether servers have to prove who they are.
    package var verifies = true
    /// Whether sessions are gone on with.
    package var reusesSessions = true
    /// Whether connections go on without OpenSSL behind their login, where they can.
    package var handsOver = true

    package init(_ common: TLSCommonSettings) { self.common = common }
}

/// Why no context can be made of settings: nginx's text.
package struct TLSSettingsError: Error, Sendable, Hashable {
    package let text: String
    package init(_ text: String) { self.text = text }
}
