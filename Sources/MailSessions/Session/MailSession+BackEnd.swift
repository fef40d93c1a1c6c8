import AsyncIO

/// The login at the back-end.
///
/// ```
/// what the choice means → candidate → connect → TLS → greeting → credentials → reply
///                             ^_____________________________|
///                             no service: the next candidate
/// ```
/// An answer to the credentials is final. Who dies in place of an answer has decided nothing: the next one is asked,
/// for no client must see that one of several has died. Who ends the connection at what only makes logins shorter is
/// asked once more, without it.
extension MailSession {
    /// An attempt that did not log the client in.
    private struct FailedAttempt: Error {
        var failure: BackEndFailure
        var meaning: Meaning
        /// What the client is to read; nil for its protocol's temporary error.
        var reply: [UInt8]?

        enum Meaning {
            /// The back-end does not serve: another one may.
            case noService
            /// The same at what only makes logins shorter.
            case offended
            /// It ended the connection in place of an answer: another one may do better, but it may be due to this
            /// user, whom no back-end shall be taken out for.
            case lost
            /// It has answered to the credentials.
            case answer
            /// It says nothing about the back-end, or comes too late to ask another one.
            case end
        }
    }

    /// Logs the client in at the first back-end that serves, within `deadline` for all of them.
    func logInAtBackEnd(
        _ request: Request, _ facts: ClientFacts, _ deadline: Instant
    ) async throws(SessionEnd) -> Login {
        var route: BackEndRoute
        do throws(BackEndFailure) {
            route = try await self.route(of: request, deadline)
        } catch {
            throw await backEndFailed(error, request)
        }
        context.phase = .connectingToBackEnd
        let next = server.settings.proxy.next
        let start = client.executor.now
        let limit = next.timeout > .zero ? start + next.timeout : .never
        var last: FailedAttempt?
        var tries = 0
        while next.isOn && (next.tries == 0 || tries < next.tries) && client.executor.now < limit || last == nil {
            do throws(FailedAttempt) {
                guard let candidate = try await nextCandidate(of: &route) else { break }
                if let last { report(.backEndFailed(last.failure)) }
                tries += 1
                return try await attempt(candidate, of: &route, request, facts, deadline)
            } catch {
                last = error
                if error.meaning == .answer || error.meaning == .end { break }
            }
        }
        throw await backEndFailed(last?.failure ?? .noneServes, request, saying: last?.reply)
    }

    @inline(__always)
    private func nextCandidate(of route: inout BackEndRoute) async throws(FailedAttempt) -> BackEndRoute.Candidate? {
        do throws(IOError) {
            return try await route.next()
        } catch {
            throw FailedAttempt(failure: .io(error), meaning: .end)
        }
    }

    /// A back-end that is connected.
    private struct Place {
        var candidate: BackEndRoute.Candidate
        var socket: Socket
        /// Until when it may greet.
        var patience: Instant
    }

    // MARK: What the choice means

    @inline(__always)
    private func route(of request: Request, _ deadline: Instant) async throws(BackEndFailure) -> BackEndRoute {
        let port = server.settings.mailProtocol.backEndPort(security(of: request))
        switch request.backEnd {
        case .address(let address):
            return BackEndRoute([address], host: nil, port: port, connections: server.connections)
        case .name(let name, let own):
            let target: BackEndRouter.Target
            context.phase = .resolvingBackEnd
            do throws(DNSFailure) {
                target = try await server.router.target(named: name, deadline: deadline, in: client.scope)
            } catch {
                throw error == .cancelled ? .io(.cancelled) : .unresolved(name, error)
            }
            switch target {
            case .addresses(let addresses):
                return BackEndRoute(addresses, host: name, port: own ?? port, connections: server.connections)
            case .group(let group):
                context.group = group.settings.name
                for (name, failure) in await group.refresh(until: deadline, in: client.scope) {
                    report(.backEndFailed(.unresolved(name, failure)))
                }
                return BackEndRoute(
                    group, key: request.credentials.login, port: own ?? port, connections: server.connections)
            }
        case .configured: preconditionFailure("what is configured is known by now")
        }
    }

    // MARK: One attempt

    private func attempt(
        _ candidate: BackEndRoute.Candidate, of route: inout BackEndRoute, _ request: Request, _ facts: ClientFacts,
        _ deadline: Instant
    ) async throws(FailedAttempt) -> Login {
        if let former = context.backEnd { context.backEndsTried.append(former) }
        context.backEnd = candidate.address
        // Whoever is silent must leave time for the others.
        let now = client.executor.now
        let others = server.settings.proxy.next.isOn ? await route.remaining : 0
        let patience = others > 0 ? now + (deadline - now) / (others + 1) : deadline
        var isFirst = true
        while true {
            context.phase = .connectingToBackEnd
            do throws(FailedAttempt) {
                let socket = try await reach(candidate, request, facts, patience)
                let place = Place(candidate: candidate, socket: socket, patience: patience)
                // By their own types, and made where they are used, as the front-ends are.
                let result =
                    switch server.settings.mailProtocol {
                    case .imap: try await logIn(IMAPBackEnd.self, at: place, request, facts, deadline)
                    case .pop3: try await logIn(POP3BackEnd.self, at: place, request, facts, deadline)
                    case .smtp: try await logIn(SMTPBackEnd.self, at: place, request, facts, deadline)
                    }
                if route.isOfGroup { await route.served(candidate) }
                return result
            } catch {
                switch error.meaning {
                // The connection that has ended has given its place back.
                case .offended where isFirst && candidate.places.take():
                    report(.backEndFailed(error.failure))
                    isFirst = false
                    continue
                case .noService, .offended: if await route.failed(candidate) { report(.backEndDisabled) }
                case .answer: await route.served(candidate)
                case .lost, .end: break
                }
                throw error
            }
        }
    }

    /// Connects to a back-end, secured where that is asked for.
    @inline(__always)
    private func reach(
        _ candidate: BackEndRoute.Candidate, _ request: Request, _ facts: ClientFacts, _ patience: Instant
    ) async throws(FailedAttempt) -> Socket {
        let limit = min(patience, client.executor.now + server.settings.proxy.connectTimeout)
        do throws(IOError) {
            let socket = try await Dialer.connect(
                to: candidate.address, from: server.settings.proxy.source, deadline: limit, scope: client.scope,
                holding: candidate.places)
            if let version = server.settings.proxy.proxyProtocol {
                context.phase = .sendingProxyHeader
                try await socket.send(ProxyProtocolHeader.bytes(version, for: facts), deadline: limit)
            }
            if security(of: request) == .on {
                try await secure(socket, candidate, request.credentials, limit)
            }
            return socket
        } catch {
            throw FailedAttempt(failure: .io(error), meaning: error.isOurs ? .end : .noService)
        }
    }

    /// Logs the client in.
    private func logIn<Back: BackEndLogin>(
        _ type: Back.Type, at place: Place, _ request: Request, _ facts: ClientFacts, _ deadline: Instant
    ) async throws(FailedAttempt) -> Login {
        let (socket, candidate) = (place.socket, place.candidate)
        var login: Back = login(at: candidate, request, facts)
        let known = login.offers
        // Also where the login fails, so that nobody is asked twice.
        defer { if let found = login.offers, found != known { keep(found, of: candidate, request) } }
        let outcome: BackEndOutcome
        do throws(IOError) {
            if login.activity == .awaitingGreeting {
                guard try await socket.receive(into: &login.input, deadline: place.patience) > 0 else { throw .closed }
            }
            let conversation = Conversation(over: socket, timeout: server.settings.timeout, deadline: deadline)
            outcome = try await conversation.run(
                &login,
                startTLS: { (_, deadline) async throws(IOError) in
                    try await secure(socket, candidate, request.credentials, deadline)
                    return nil
                })
        } catch {
            throw failure(of: login, after: error)
        }
        return try result(of: &login, outcome, request, over: socket)
    }

    @inline(never)
    private func login<Back: BackEndLogin>(
        at candidate: BackEndRoute.Candidate, _ request: Request, _ facts: ClientFacts
    ) -> Back {
        Back(
            credentials: request.credentials, context: request.context, settings: server.settings, client: facts,
            offers: Back.usesOffers ? offers(of: candidate, request) : [])
    }

    @inline(never)
    private func failure<Back: BackEndLogin>(of login: Back, after error: IOError) -> FailedAttempt {
        if context.phase != .handshakingWithBackEnd { context.phase = .loggingInAtBackEnd(login.activity) }
        let meaning: FailedAttempt.Meaning =
            if error.isOurs {
                .end
            } else if login.hasSentCredentials {
                error.isLossOfConnection ? .lost : .end
            } else {
                error.isLossOfConnection && login.isShortening ? .offended : .noService
            }
        return FailedAttempt(failure: .io(error), meaning: meaning)
    }

    @inline(never)
    private func result<Back: BackEndLogin>(
        of login: inout Back, _ outcome: BackEndOutcome, _ request: Request, over socket: Socket
    ) throws(FailedAttempt) -> Login {
        context.phase = .loggingInAtBackEnd(login.activity)
        let meaning: FailedAttempt.Meaning = login.hasSentCredentials ? .answer : .noService
        switch outcome {
        case .loggedIn(let reply):
            return Login(backEnd: socket, toBackEnd: request.leftover, toClient: reply + login.input.takeAll())
        case .invalidResponse(let reply):
            let isPassedOn =
                server.settings.proxy.passesErrorMessage && server.settings.mailProtocol.isRefusal(reply)
            throw FailedAttempt(
                failure: .invalidResponse(reply, isPassedOn: isPassedOn), meaning: meaning,
                reply: isPassedOn ? .line(reply) : nil)
        case .responseTooLong:
            let beginning = login.input[0..<min(login.input.count, FrontEndNote.excerptMaximum)]
            throw FailedAttempt(failure: .responseTooLong(beginning.withoutControls), meaning: meaning)
        case .tlsRefused(let reply): throw FailedAttempt(failure: .tlsRefused(reply), meaning: meaning)
        case .mechanismNotOffered(let mechanism):
            throw FailedAttempt(failure: .mechanismNotOffered(mechanism), meaning: .end)
        case .unsendableCredentials: throw FailedAttempt(failure: .unsendableCredentials, meaning: .end)
        }
    }

    /// What the back-end is known to offer; nil where it is to be asked.
    private func offers(of candidate: BackEndRoute.Candidate, _ request: Request) -> BackEndOffers? {
        guard server.settings.proxy.usesOffers else { return [] }
        return server.offers.offers(at: place(of: candidate, request), now: client.executor.now)
    }

    @inline(never)
    private func keep(_ offers: BackEndOffers, of candidate: BackEndRoute.Candidate, _ request: Request) {
        server.offers.keep(offers, of: place(of: candidate, request), now: client.executor.now)
    }

    private func place(of candidate: BackEndRoute.Candidate, _ request: Request) -> RememberedOffers.Place {
        RememberedOffers.Place(address: candidate.address, isSecured: security(of: request) != .off)
    }

    /// How connections to back-ends are secured: as the authenticator says, else as configured.
    private func security(of request: Request) -> BackEndSecurity {
        request.credentials.security ?? server.settings.proxy.tls.security
    }

    /// - Parameter reply: the back-end's own words, where they are passed on.
    private func backEndFailed(
        _ failure: BackEndFailure, _ request: Request, saying reply: [UInt8]? = nil
    ) async -> SessionEnd {
        if case .io(.cancelled) = failure {
            client.sendAtOnce(server.farewell(.shutdown))
            return .cancelled
        }
        report(.backEndFailed(failure))
        do throws(IOError) {
            // The whole of it: half a line would leave the client in doubt whether to keep its password.
            try await client.send(
                reply ?? answer(to: failure, request), deadline: client.executor.now + MailSession.lingerTime)
        } catch {
            // The client has gone, or reads no more: nobody is left to be told.
        }
        return .unavailable
    }

    /// What the client reads. Where the authenticator has accepted it, a refusal is no reason to ask for another
    /// password, but for one case: what was refused is the client's own password or token, and the back-end
    /// says that it is wrong.
    private func answer(to failure: BackEndFailure, _ request: Request) -> [UInt8] {
        guard server.settings.errorTexts == .rfc else { return server.farewell(.internalError) }
        let mailProtocol = server.settings.mailProtocol
        if case .invalidResponse(let reply, _) = failure, request.credentials.areClients,
            mailProtocol.blamesCredentials(reply)
        {
            return mailProtocol.wrongCredentials(request.context, text: AuthenticatorChain.refusal)
        }
        return mailProtocol.temporaryFailure(request.context)
    }
}

extension IOError {
    /// It says nothing about the peer, and no other peer would help.
    fileprivate var isOurs: Bool {
        switch self {
        case .cancelled, .noPlace: true
        case .tls(let failure): failure.reason == .notConfigured
        case .system(.socket, _): true
        default: isExhaustion
        }
    }
}
