import AsyncIO
import MailSessions

/// Makes TLS contexts of the values in force: reads the files, checks that nothing is missing, lets OpenSSL try.
///
/// Everything is read through the context, so that a worker makes the same of what the master has read.
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
        settings.compressesCertificates = values[TLSDirectives.compressesCertificates]
        settings.prefersOwnCiphers = values[TLSDirectives.prefersOwnCiphers]
        settings.handsOver = values[TLSDirectives.handover]
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
        do throws(TLSSettingsError) {
            let made = try TLSContext(server: settings, seed: context.ticketSeed)
            if settings.compressesCertificates, !made.compressesCertificates {
                let place = values.position(of: TLSDirectives.compressesCertificates) ?? position
                context.addOnce(
                    .warn, about: "ssl_certificate_compression",
                    "\"ssl_certificate_compression\" ignored, not supported", at: place)
            }
            return made
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

    // MARK: Back-ends

    /// Where the system keeps the authorities that it trusts: Debian and its kin, Fedora and its kin.
    static let systemAuthorities = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"]

    /// TLS with back-ends.
    ///
    /// Where no directive asks for it, an auth_http service may (`Auth-SSL-Backend`): then the defaults count, and the
    /// context is made when the first session needs it. It is verified by the system's authorities; without such
    /// there is no context, and no TLS.
    /// - Parameter mayBeAskedFor: the server has a service that can ask.
    func backEnds(mayBeAskedFor: Bool, _ context: inout ParseContext) throws(ConfigurationError) -> BackEndTLS {
        var tls = BackEndTLS()
        tls.security = values[ProxyTLSDirectives.security]
        tls.name = values[ProxyTLSDirectives.name]
        tls.sendsName = values[ProxyTLSDirectives.sendsName]
        let hasIdentity =
            values[ProxyTLSDirectives.certificate] != nil && values[ProxyTLSDirectives.certificateKey] != nil
        let isUsed =
            tls.security != .off || values.position(of: ProxyTLSDirectives.trustedAuthorities) != nil
            || mayBeAskedFor && hasIdentity
        guard isUsed || mayBeAskedFor else { return tls }
        var common = TLSCommonSettings(ciphers: values[ProxyTLSDirectives.ciphers])
        common.versions = values[ProxyTLSDirectives.versions]
        common.verificationDepth = values[ProxyTLSDirectives.verificationDepth]
        common.commands = values[ProxyTLSDirectives.commands] ?? []
        if isUsed, let certificate = values[ProxyTLSDirectives.certificate] {
            guard let key = values[ProxyTLSDirectives.certificateKey] else {
                throw ConfigurationError(
                    "no \"proxy_ssl_certificate_key\" is defined for certificate \(quoted(certificate))", at: position,
                    accepted: "Add proxy_ssl_certificate_key.")
            }
            common.identities = try identities([certificate], [key], &context)
            common.passphrases = try passphrases(ProxyTLSDirectives.passwordFile, &context)
        }
        var settings = TLSClientSettings(common)
        settings.verifies = values[ProxyTLSDirectives.verifies]
        settings.reusesSessions = values[ProxyTLSDirectives.reusesSessions]
        settings.handsOver = values[ProxyTLSDirectives.handover]
        if settings.verifies {
            do throws(ConfigurationError) {
                settings.common.authorities = try trusted(
                    ProxyTLSDirectives.trustedAuthorities, "proxy_ssl_verify", &context)
            } catch {
                // Whoever asks for TLS nevertheless meets a session that ends.
                guard isUsed else { return tls }
                throw error
            }
            settings.common.revocations = try revocations(ProxyTLSDirectives.revocations, &context)
        }
        tls.context =
            isUsed ? LazyTLSContext(try clientContext(settings, &context)) : lazyContext(settings, &context)
        return tls
    }

    private func lazyContext(_ settings: TLSClientSettings, _ context: inout ParseContext) -> LazyTLSContext {
        if let made = context.clientContexts[settings] { return LazyTLSContext(made) }
        if let known = context.lazyContexts[settings] { return known }
        let lazy = LazyTLSContext(settings)
        context.lazyContexts[settings] = lazy
        return lazy
    }

    /// TLS with an auth_http service.
    func service(named host: String, _ context: inout ParseContext) throws(ConfigurationError) -> AuthHTTPTLS {
        var settings = TLSClientSettings(TLSCommonSettings(ciphers: "DEFAULT"))
        // Questions are all that there is; they never become a relay.
        settings.handsOver = false
        settings.verifies = values[AuthenticatorDirectives.verifies]
        if settings.verifies {
            settings.common.authorities = try trusted(
                AuthenticatorDirectives.trustedAuthorities, "auth_http_ssl_verify", &context)
        }
        return AuthHTTPTLS(
            context: try clientContext(settings, &context),
            name: values[AuthenticatorDirectives.certificateName] ?? host)
    }

    /// TLS with a database; nil for none.
    func database(_ context: inout ParseContext) throws(ConfigurationError) -> MySQLTLS? {
        guard values[MySQLDirectives.usesTLS] else { return nil }
        guard values[MySQLDirectives.verifies] else { return MySQLTLS(authorities: nil) }
        return MySQLTLS(
            authorities: try trusted(MySQLDirectives.trustedAuthorities, "auth_mysql_ssl_verify", &context))
    }

    /// The authorities of `setting`, else the system's.
    private func trusted(
        _ setting: Setting<String?>, _ verify: String, _ context: inout ParseContext
    ) throws(ConfigurationError) -> TLSText {
        if let named = try authorities(setting, &context) { return named }
        for path in TLSAssembly.systemAuthorities {
            do throws(ConfigurationError) {
                return TLSText(name: path, content: try context.read(path, as: .tls, at: position))
            } catch {
                // Perhaps the next.
            }
        }
        throw ConfigurationError(
            "no \(setting.directive.name) for \(verify)", at: position,
            accepted:
                "This system has no authorities of its own in \(TLSAssembly.systemAuthorities.joined(separator: " or "))."
        )
    }

    /// One context for all that have the same settings, so that they share sessions and kept connections.
    private func clientContext(
        _ settings: TLSClientSettings, _ context: inout ParseContext
    ) throws(ConfigurationError) -> TLSContext {
        if let known = context.clientContexts[settings] { return known }
        do throws(TLSSettingsError) {
            let made = try TLSContext(client: settings)
            context.clientContexts[settings] = made
            return made
        } catch {
            throw ConfigurationError(error.text, at: .whole, accepted: "It is about the server at \(position).")
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
        var lines = content.bytes
        defer { wipe(&lines) }
        guard lines.split(separator: UInt8(ascii: "\n")).allSatisfy({ $0.count < TLSAssembly.passphraseMaximum })
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
            return TLSText(name: "data:", content: Secret(argument.utf8.dropFirst("data:".utf8.count)))
        }
        let path = context.pathOfConfiguration(argument)
        return TLSText(name: path, content: try context.read(path, as: .tls, at: .whole, failure: failure))
    }

    private func shown(_ argument: String) -> String { argument.hasPrefix("data:") ? "data:" : argument }
}
