import AsyncIO
import MailSessions

/// Makes TLS contexts of the values in force: reads the files, checks that nothing is missing, lets OpenSSL try.
///
/// Everything is read through the context, so that a worker makes the same of what the master has read;
/// the texts are wiped once OpenSSL has them.
struct TLSAssembly {
    private let values: ScopeChain
    /// The line of the `server {`.
    private let position: Position

    init(_ values: ScopeChain, at position: Position) {
        self.values = values
        self.position = position
    }

    // MARK: Clients

    /// The context of a server; nil where neither a `listen` nor `starttls` asks for TLS.
    /// - Parameter label: tells the server from others (security-checklist A8).
    func serverContext(
        _ listeners: [ListenSettings], _ mailProtocol: MailProtocol, label: String, _ context: inout ParseContext
    ) throws(ConfigurationError) -> TLSContext? {
        let asking: (directive: String, position: Position)
        if let listener = listeners.first(where: \.options.hasTLS) {
            asking = ("listen ... ssl", listener.position)
        } else if values[TLSDirectives.startTLS] != .off {
            asking = ("starttls", values.position(of: TLSDirectives.startTLS) ?? position)
        } else {
            return nil
        }
        try checkCertificates(for: asking.directive, at: asking.position)
        var common = TLSCommonSettings(ciphers: values[TLSDirectives.ciphers])
        common.versions = values[TLSDirectives.versions]
        common.identities = try identities(
            values[TLSDirectives.certificate] ?? [], values[TLSDirectives.certificateKey] ?? [], &context)
        common.passphrases = try passphrases(TLSDirectives.passwordFile, &context)
        common.verificationDepth = values[TLSDirectives.verificationDepth]
        common.commands = values[TLSDirectives.commands] ?? []
        var settings = TLSServerSettings(common)
        settings.verification = values[TLSDirectives.verification]
        if settings.verification != .off {
            settings.namedAuthorities = try authorities(TLSDirectives.clientAuthorities, &context)
            settings.common.authorities = try authorities(TLSDirectives.trustedAuthorities, &context)
            settings.common.revocations = try revocations(TLSDirectives.revocations, &context)
            let hasAuthority = settings.namedAuthorities != nil || settings.common.authorities != nil
            guard hasAuthority || settings.verification == .optionalWithoutAuthority else {
                throw ConfigurationError(
                    "no ssl_client_certificate or ssl_trusted_certificate for ssl_verify_client", at: position,
                    accepted: "One of them must say who vouches for clients.")
            }
        }
        settings.dhParameters = try values[TLSDirectives.dhParameters].map { (path) throws(ConfigurationError) in
            try text(path, &context) { "BIO_new_file(\(quoted($0.path))) failed (\($0.reason))" }
        }
        settings.groups = values[TLSDirectives.curves] == "auto" ? nil : values[TLSDirectives.curves]
        settings.prefersOwnCiphers = values[TLSDirectives.prefersOwnCiphers]
        settings.cache = values[TLSDirectives.sessionCache]
        settings.usesTickets = values[TLSDirectives.usesTickets]
        settings.sessionSeconds = Int(values[TLSDirectives.sessionTimeout].components.seconds)
        if settings.usesTickets {
            for path in values[TLSDirectives.ticketKeys] ?? [] {
                settings.ticketKeys.append(try text(path, &context) { $0.text })
            }
        }
        settings.applicationProtocol = mailProtocol.rawValue
        settings.label = label
        defer {
            settings.common.wipe()
            for index in settings.ticketKeys.indices { wipe(&settings.ticketKeys[index].content) }
        }
        do throws(TLSSettingsError) {
            return try TLSContext(server: settings, seed: context.ticketSeed)
        } catch {
            // As in nginx without a place: it is the file that is wrong, not the line that names it.
            throw ConfigurationError(error.text, at: .whole, accepted: "It is about the server at \(position).")
        }
    }

    /// nginx's three complaints about missing files.
    private func checkCertificates(for directive: String, at position: Position) throws(ConfigurationError) {
        let certificates = values[TLSDirectives.certificate] ?? []
        let keys = values[TLSDirectives.certificateKey] ?? []
        guard let last = certificates.last else {
            throw ConfigurationError(
                "no \"ssl_certificate\" is defined for the \"\(directive)\" directive", at: position,
                accepted: "Add ssl_certificate and ssl_certificate_key, in server or in mail.")
        }
        guard !keys.isEmpty else {
            throw ConfigurationError(
                "no \"ssl_certificate_key\" is defined for the \"\(directive)\" directive", at: position,
                accepted: "Each ssl_certificate has its ssl_certificate_key.")
        }
        guard keys.count >= certificates.count else {
            throw ConfigurationError(
                "no \"ssl_certificate_key\" is defined for certificate \(quoted(shown(last))) and the \"\(directive)\" directive",
                at: position, accepted: "Each ssl_certificate has its ssl_certificate_key.")
        }
    }

    // MARK: Files

    func identities(
        _ certificates: [String], _ keys: [String], _ context: inout ParseContext
    ) throws(ConfigurationError) -> [TLSIdentity] {
        var identities: [TLSIdentity] = []
        for (certificate, key) in zip(certificates, keys) {
            identities.append(
                TLSIdentity(
                    certificate: try text(certificate, &context) {
                        "cannot load certificate \(quoted($0.path)): BIO_new_file() failed (\($0.reason))"
                    },
                    key: try text(key, &context) {
                        "cannot load certificate key \(quoted($0.path)): BIO_new_file() failed (\($0.reason))"
                    }))
        }
        return identities
    }

    func authorities(_ setting: Setting<String?>, _ context: inout ParseContext) throws(ConfigurationError) -> TLSText?
    {
        try values[setting].map { (path) throws(ConfigurationError) in
            try text(path, &context) {
                "SSL_CTX_load_verify_locations(\(quoted($0.path))) failed (\($0.reason))"
            }
        }
    }

    func revocations(_ setting: Setting<String?>, _ context: inout ParseContext) throws(ConfigurationError) -> TLSText?
    {
        try values[setting].map { (path) throws(ConfigurationError) in
            try text(path, &context) { "cannot load CRL \(quoted($0.path)): BIO_new_file() failed (\($0.reason))" }
        }
    }

    /// The longest line of a file of passphrases, in bytes, as in nginx.
    private static let passphraseMaximum = 4096

    func passphrases(_ setting: Setting<String?>, _ context: inout ParseContext) throws(ConfigurationError) -> [TLSText]
    {
        guard let path = values[setting] else { return [] }
        let place = values.position(of: setting) ?? position
        let file = context.pathOfConfiguration(path)
        let content = try context.read(file, as: .tls, at: place)
        guard content.split(separator: UInt8(ascii: "\n")).allSatisfy({ $0.count < TLSAssembly.passphraseMaximum })
        else {
            throw ConfigurationError(
                "too long line in \(quoted(file))", at: place,
                accepted: "A passphrase has \(TLSAssembly.passphraseMaximum - 1) bytes at most.")
        }
        return [TLSText(name: file, content: content)]
    }

    /// The text of a file, or the one behind `data:`.
    private func text(
        _ argument: String, _ context: inout ParseContext, failure: (SourceError) -> String
    ) throws(ConfigurationError) -> TLSText {
        if argument.hasPrefix("data:") {
            return TLSText(name: "data:", content: Array(argument.utf8.dropFirst("data:".utf8.count)))
        }
        let path = context.pathOfConfiguration(argument)
        return TLSText(name: path, content: try context.read(path, as: .tls, at: .whole, failure: failure))
    }

    private func shown(_ argument: String) -> String { argument.hasPrefix("data:") ? "data:" : argument }
}

extension TLSCommonSettings {
    /// Overwrites what is secret, as far as it is not shared.
    mutating func wipe() {
        for index in identities.indices { AsyncIO.wipe(&identities[index].key.content) }
        for index in passphrases.indices { AsyncIO.wipe(&passphrases[index].content) }
    }
}
