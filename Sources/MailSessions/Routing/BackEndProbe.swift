import AsyncIO

/// Asks a back-end whether it serves, over a connection of its own and as a server's sessions would reach it.
package struct BackEndProbe: Sendable {
    private let settings: ServerSettings
    private let connections: ConnectionBudget

    /// Why a back-end counts as one that does not serve.
    package enum Failure: Error, Sendable, Equatable {
        case io(IOError)
        /// Its greeting or its capabilities are none; one line, bounded, control bytes replaced, empty where it
        /// was too long.
        case refused([UInt8])
        /// The account of the checks could not log in.
        case loginRefused
    }

    /// - Parameters:
    ///   - settings: of the server on whose behalf it asks.
    ///   - connections: the worker's.
    package init(for settings: ServerSettings, connections: ConnectionBudget) {
        var settings = settings
        // A check is nobody's session: there is no client to tell of.
        settings.proxy.xclient = .off
        settings.proxy.smtpAuth = true
        settings.proxy.master = nil
        self.settings = settings
        self.connections = connections
    }

    /// Asks; nil when the back-end serves, else why it does not.
    /// - Parameters:
    ///   - address: with port 0 for the protocol's own.
    ///   - host: the name of its host, whom its certificate must be for, if it has one.
    ///   - login: whom to log in; nil for a look at greeting and capabilities.
    package func failure(
        of address: SocketAddress, host: String?, login: HealthCheckSettings.Login?, deadline: Instant,
        scope: CancellationScope
    ) async -> Failure? {
        let tls = settings.proxy.tls
        let address =
            address.port == 0 ? address.withPort(settings.mailProtocol.backEndPort(tls.security)) : address
        do throws(IOError) {
            guard connections.take() else { throw .noPlace }
            let socket = try await Dialer.connect(
                to: address, from: settings.proxy.source, deadline: deadline, scope: scope, holding: connections)
            if let version = settings.proxy.proxyProtocol {
                // The connection is our own: from us to it.
                let own = ClientFacts(address: socket.localAddress ?? .unix(""), localAddress: address)
                try await socket.send(ProxyProtocolHeader.bytes(version, for: own), deadline: deadline)
            }
            let name = tls.name ?? host
            if tls.security == .on { try await tls.secure(socket, to: address, as: name, deadline: deadline) }
            let conversation = Conversation(over: socket, timeout: settings.timeout, deadline: deadline)
            func secure(_ deadline: Instant) async throws(IOError) -> Duration? {
                try await tls.secure(socket, to: address, as: name, deadline: deadline)
                return nil
            }
            guard let login else {
                var check = BackEndCheck(settings: settings)
                let outcome = try await conversation.run(
                    &check, startTLS: { (_, deadline) async throws(IOError) in try await secure(deadline) })
                guard case .refused(let reply) = outcome else { return nil }
                return .refused(reply)
            }
            return try await logIn(dialogue(for: login), conversation, secure)
        } catch {
            return .io(error)
        }
    }

    private func dialogue(for login: HealthCheckSettings.Login) -> any BackEndLogin {
        var context = ReplyContext()
        context.tag = Array("c1".utf8)
        // AUTH needs EHLO.
        context.envelope.isExtended = true
        let own = ClientFacts(address: .unix(""), localAddress: .unix(""))
        return settings.mailProtocol.backEndLogin.init(
            credentials: BackEndCredentials(login: Array(login.user.utf8), password: login.password),
            context: context, settings: settings, client: own, offers: [])
    }

    private func logIn(
        _ login: some BackEndLogin, _ conversation: Conversation,
        _ secure: (Instant) async throws(IOError) -> Duration?
    ) async throws(IOError) -> Failure? {
        var login = login
        let outcome = try await conversation.run(
            &login, startTLS: { (_, deadline) async throws(IOError) in try await secure(deadline) })
        switch outcome {
        case .loggedIn: return nil
        case .invalidResponse(let reply), .tlsRefused(let reply):
            return login.hasSentCredentials ? .loginRefused : .refused(reply)
        case .responseTooLong: return .refused([])
        case .mechanismNotOffered, .unsendableCredentials: return .loginRefused
        }
    }
}
