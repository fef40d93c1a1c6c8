import AsyncIO
import MailSessions

/// One `server {}`, complete.
struct ServerConfiguration: Sendable {
    /// The line of its `server {`.
    let position: Position
    let settings: ServerSettings
    /// At least one.
    let listeners: [ListenSettings]
    /// The `error_log`s in force for it. While the configuration is read, empty for those of the main level,
    /// which may still follow; at least one afterwards.
    var logs: [LogSettings]
    /// `limit_conn_log_level`.
    let limitLevel: LogLevel
}

/// A `server {}` as written: checked and completed when `mail {}` ends.
struct ServerDraft: Sendable {
    let position: Position
    var scope = Scope()

    /// An empty server, at its `server {`.
    init(position: Position) { self.position = position }

    /// A server needs an address; nginx says so at its closing brace, before it looks at later servers.
    func checkListens() throws(ConfigurationError) {
        guard scope.value(of: MailDirectives.listen)?.isEmpty == false else {
            throw ConfigurationError(
                "no \"listen\" is defined for server", at: position, accepted: "Add for instance: listen 143;")
        }
    }

    /// Checks and completes all servers. As in nginx one kind of mistake is looked for in all servers
    /// before the next kind: protocols, then authenticators, then back-ends.
    static func configurations(
        of drafts: [ServerDraft], in mail: Scope, _ context: inout ParseContext
    ) throws(ConfigurationError) -> [ServerConfiguration] {
        var protocols: [MailProtocol] = []
        for draft in drafts { protocols.append(try draft.mailProtocol()) }
        var contexts: [TLSContext?] = []
        for (draft, mailProtocol) in zip(drafts, protocols) {
            contexts.append(try draft.tlsContext(mailProtocol, mail, &context))
        }
        try checkSharedAddresses(drafts, protocols, contexts)
        var authenticators: [[AuthenticatorSettings]] = []
        for draft in drafts { authenticators.append(try draft.authenticators(mail, &context)) }
        for (draft, its) in zip(drafts, authenticators) { try draft.checkBackEnd(its, mail) }
        var backEnds: [BackEndTLS] = []
        for (draft, its) in zip(drafts, authenticators) {
            let isAsked = its.contains { if case .http = $0 { true } else { false } }
            let assembly = TLSAssembly(ScopeChain(draft.scope, mail), at: draft.position)
            backEnds.append(try assembly.backEnds(mayBeAskedFor: isAsked, &context))
        }
        var masters: [MasterUser?] = []
        for draft in drafts { masters.append(try draft.masterUser(mail, &context)) }
        var limits: [LimitSettings] = []
        for draft in drafts { limits.append(try LimitStatement.settings(ScopeChain(draft.scope, mail), context.zones)) }
        return drafts.indices.map { index in
            let draft = drafts[index]
            var settings = draft.settings(protocols[index], authenticators[index], mail, hostName: context.hostName)
            settings.tls = contexts[index]
            settings.limits = limits[index]
            settings.proxy.tls = backEnds[index]
            settings.proxy.master = masters[index]
            settings.groups = context.groups.sorted { $0.key < $1.key }.map(\.value)
            return ServerConfiguration(
                position: draft.position, settings: settings,
                listeners: draft.scope.value(of: MailDirectives.listen) ?? [],
                logs: draft.scope.value(of: CoreDirectives.errorLog) ?? mail.value(of: CoreDirectives.errorLog) ?? [],
                limitLevel: ScopeChain(draft.scope, mail)[LimitDirectives.logLevel])
        }
    }

    /// The `protocol` said, or the one of the first well-known port.
    private func mailProtocol() throws(ConfigurationError) -> MailProtocol {
        if let named = scope.value(of: MailDirectives.mailProtocol) { return named }
        for listener in scope.value(of: MailDirectives.listen) ?? [] {
            if let guess = MailProtocol(wellKnownPort: listener.address.port) { return guess }
        }
        throw ConfigurationError(
            "unknown mail protocol for server", at: position,
            accepted: "No port of the server is a well-known one; add protocol imap, pop3 or smtp.")
    }

    private func tlsContext(
        _ mailProtocol: MailProtocol, _ mail: Scope, _ context: inout ParseContext
    ) throws(ConfigurationError) -> TLSContext? {
        let values = ScopeChain(scope, mail)
        let listeners = scope.value(of: MailDirectives.listen) ?? []
        let name = values[MailDirectives.serverName] ?? context.hostName
        let label = ([mailProtocol.rawValue, name] + listeners.map(\.address.description)).joined(separator: " ")
        return try TLSAssembly(values, at: position)
            .serverContext(listeners, mailProtocol, label: label, &context)
    }

    /// Servers may share an address where TLS tells whom a client wants: they differ by `server_name`, and
    /// are alike in what comes before TLS.
    private static func checkSharedAddresses(
        _ drafts: [ServerDraft], _ protocols: [MailProtocol], _ contexts: [TLSContext?]
    ) throws(ConfigurationError) {
        var first: [SocketAddress: (server: Int, options: ListenOptions)] = [:]
        var names: [SocketAddress: Set<String>] = [:]
        for (index, draft) in drafts.enumerated() {
            let name = draft.scope.value(of: MailDirectives.serverName)?.lowercased()
            for listen in draft.scope.value(of: MailDirectives.listen) ?? [] {
                defer { if let name { names[listen.address, default: []].insert(name) } }
                guard let other = first[listen.address] else {
                    first[listen.address] = (index, listen.options)
                    continue
                }
                let isAlike =
                    protocols[other.server] == protocols[index] && other.options.hasTLS == listen.options.hasTLS
                    && other.options.hasProxyHeaders == listen.options.hasProxyHeaders
                let isNamed = name.map { names[listen.address]?.contains($0) != true } ?? false
                guard isAlike, isNamed, contexts[other.server] != nil, contexts[index] != nil else {
                    throw ConfigurationError(
                        "duplicate \(quoted(listen.address.description)) address and port pair", at: listen.position,
                        accepted: "Servers share an address only with TLS, one protocol, and a server_name each.")
                }
            }
        }
    }

    /// The authenticators in the order written; the innermost level that has any decides.
    private func authenticators(
        _ mail: Scope, _ context: inout ParseContext
    ) throws(ConfigurationError) -> [AuthenticatorSettings] {
        guard let written = ScopeChain(scope, mail)[AuthenticatorDirectives.authHTTP] else {
            throw ConfigurationError(
                "no \"auth_http\", \"auth_file\", \"auth_mysql\" or \"auth_pam\" is defined for server", at: position,
                accepted: "One of them must say who may log in, here or in mail.")
        }
        var authenticators: [AuthenticatorSettings] = []
        for authenticator in written {
            switch authenticator {
            case .http(let services):
                var completed: [AuthHTTPSettings] = []
                for service in services { completed.append(try self.completed(service, mail, &context)) }
                authenticators.append(.http(completed))
            case .accounts: authenticators.append(authenticator)
            case .mysql(let settings):
                let values = ScopeChain(scope, mail)
                authenticators.append(
                    .mysql(try MySQLDirectives.completed(settings, values, at: position, &context)))
            case .pam(var settings):
                settings.timeout = ScopeChain(scope, mail)[PAMDirectives.timeout]
                authenticators.append(.pam(settings))
            }
        }
        return authenticators
    }

    /// The service with the values that are inherited one by one.
    private func completed(
        _ service: AuthHTTPSettings, _ mail: Scope, _ context: inout ParseContext
    ) throws(ConfigurationError) -> AuthHTTPSettings {
        let values = ScopeChain(scope, mail)
        var service = service
        service.headers = values[AuthenticatorDirectives.authHTTPHeader] ?? []
        service.timeout = values[AuthenticatorDirectives.authHTTPTimeout]
        service.keepAlive = values[AuthenticatorDirectives.authHTTPKeepAlive]
        if service.isSecure {
            service.tls = try TLSAssembly(values, at: position).service(named: service.host, &context)
        }
        if service.hostName != nil {
            service.resolver = values[ClientDirectives.resolver]
            service.resolverTimeout = values[ClientDirectives.resolverTimeout]
        }
        return service
    }

    /// Where an authenticator names no back-end, the server must.
    private func checkBackEnd(_ authenticators: [AuthenticatorSettings], _ mail: Scope) throws(ConfigurationError) {
        let values = ScopeChain(scope, mail)
        guard values[ProxyDirectives.proxyPass] == nil else { return }
        for authenticator in authenticators {
            let (directive, reason) =
                switch authenticator {
                case .http, .mysql: ("", "")
                case .accounts(let accounts) where accounts.allNameBackEnds: ("", "")
                case .accounts: ("auth_file", "Not every account names a back-end")
                case .pam: ("auth_pam", "PAM names no back-end")
                }
            guard !directive.isEmpty else { continue }
            throw ConfigurationError(
                "no \"proxy_pass\" is defined for the \(quoted(directive)) directive",
                at: values.position(of: AuthenticatorDirectives.authFile) ?? position,
                accepted: "\(reason); add for instance: proxy_pass 192.0.2.1:143;")
        }
    }

    private func settings(
        _ mailProtocol: MailProtocol, _ authenticators: [AuthenticatorSettings], _ mail: Scope, hostName: String
    ) -> ServerSettings {
        let values = ScopeChain(scope, mail)
        let own = ProtocolDirectives.settings(of: mailProtocol)
        let name = values[MailDirectives.serverName] ?? hostName
        var settings = ServerSettings(
            mailProtocol: mailProtocol, name: name.hasPrefix("*.") ? String(name.dropFirst(2)) : name,
            authenticators: authenticators)
        settings.certificateName = name
        settings.cache = values[AuthenticatorDirectives.cache]
        settings.timeout = values[MailDirectives.timeout]
        settings.maxErrors = values[MailDirectives.maxErrors]
        settings.maxConnections = values[MailDirectives.maxConnections]
        settings.realIPFrom = values[ClientDirectives.setRealIPFrom] ?? AddressSet()
        settings.resolver = values[ClientDirectives.resolver]
        settings.resolverTimeout = values[ClientDirectives.resolverTimeout]
        settings.access = values[ClientDirectives.allow] ?? AccessRules()
        if let policy = values[MailDirectives.bareLineFeed] { settings.bareLineFeed = policy }
        settings.clientBuffer = values[own.clientBuffer]
        settings.capabilities = values[own.capabilities]
        settings.mechanisms = values[own.mechanisms]
        if mailProtocol == .smtp { settings.greetingDelay = values[ProtocolDirectives.smtpGreetingDelay] }
        settings.startTLS = values[TLSDirectives.startTLS]
        settings.passesClientCertificate = values[AuthenticatorDirectives.passesClientCertificate]
        settings.backEnd = values[ProxyDirectives.proxyPass]
        settings.clientIdentity = values[LoginDirectives.clientIdentity]
        let areServices = authenticators.allSatisfy { if case .http = $0 { true } else { false } }
        settings.errorTexts = values[LoginDirectives.errorTexts] ?? (areServices ? .nginx : .rfc)
        settings.proxy = proxySettings(values)
        return settings
    }

    private func proxySettings(_ values: ScopeChain) -> ProxySettings {
        var proxy = ProxySettings()
        proxy.buffer = values[ProxyDirectives.buffer]
        proxy.timeout = values[ProxyDirectives.timeout]
        proxy.passesErrorMessage = values[ProxyDirectives.passesErrorMessage]
        proxy.smtpAuth = values[ProxyDirectives.smtpAuth]
        proxy.xclient = values[ProxyDirectives.xclient]
        proxy.usesOffers = values[ProxyDirectives.pipelining]
        proxy.connectTimeout = values[ProxyDirectives.connectTimeout]
        proxy.source = values[ProxyDirectives.bind]
        proxy.next.isOn = values[ProxyDirectives.nextUpstream]
        proxy.next.tries = values[ProxyDirectives.nextUpstreamTries]
        proxy.next.timeout = values[ProxyDirectives.nextUpstreamTimeout]
        proxy.proxyProtocol = values[ProxyDirectives.proxyProtocol]
        proxy.passesToken = values[LoginDirectives.passesToken]
        return proxy
    }
}

extension MailProtocol {
    /// The protocol of a port that everybody knows; nil for others.
    init?(wellKnownPort port: UInt16) {
        switch port {
        case 143, 993: self = .imap
        case 110, 995: self = .pop3
        case 25, 465, 587: self = .smtp
        default: return nil
        }
    }
}
