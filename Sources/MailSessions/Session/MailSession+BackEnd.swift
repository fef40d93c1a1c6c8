import AsyncIO

/// The login at the back-end.
extension MailSession {
    /// Connects to the back-end, secured where that is asked for.
    func reach(
        _ request: Request, _ facts: ClientFacts, _ deadline: Instant
    ) async throws(SessionEnd) -> Socket {
        context.phase = .connectingToBackEnd
        context.backEnd = request.backEnd
        do throws(IOError) {
            let socket = try await Dialer.connect(
                to: request.backEnd, deadline: deadline, scope: client.scope, budget: server.connections)
            if let version = server.settings.proxy.proxyProtocol {
                context.phase = .sendingProxyHeader
                try await socket.send(ProxyProtocolHeader.bytes(version, for: facts), deadline: deadline)
            }
            if (request.credentials.security ?? server.settings.proxy.tls.security) == .on {
                try await secure(socket, request.credentials, deadline)
            }
            return socket
        } catch {
            throw backEndFailed(.io(error), request)
        }
    }

    /// Logs the client in.
    func logIn(
        _ login: some BackEndLogin, at socket: Socket, _ request: Request, _ deadline: Instant
    ) async throws(SessionEnd) -> Login {
        var login = login
        let outcome: BackEndOutcome
        do throws(IOError) {
            let conversation = Conversation(over: socket, timeout: server.settings.timeout, deadline: deadline)
            outcome = try await conversation.run(
                &login,
                startTLS: { (_, deadline) async throws(IOError) in
                    try await secure(socket, request.credentials, deadline)
                    return nil
                })
        } catch {
            if context.phase != .handshakingWithBackEnd { context.phase = .loggingInAtBackEnd(login.activity) }
            throw backEndFailed(.io(error), request)
        }
        context.phase = .loggingInAtBackEnd(login.activity)
        switch outcome {
        case .loggedIn(let reply):
            return Login(backEnd: socket, toBackEnd: request.leftover, toClient: reply + login.input.takeAll())
        case .invalidResponse(let reply):
            let isPassedOn =
                server.settings.proxy.passesErrorMessage && server.settings.mailProtocol.isRefusal(reply)
            throw backEndFailed(
                .invalidResponse(reply, isPassedOn: isPassedOn), request, saying: isPassedOn ? .line(reply) : nil)
        case .responseTooLong:
            let beginning = login.input[0..<min(login.input.count, FrontEndNote.excerptMaximum)]
            throw backEndFailed(.responseTooLong(beginning.withoutControls), request)
        case .tlsRefused(let reply): throw backEndFailed(.tlsRefused(reply), request)
        case .mechanismNotOffered(let mechanism): throw backEndFailed(.mechanismNotOffered(mechanism), request)
        case .unsendableCredentials: throw backEndFailed(.unsendableCredentials, request)
        }
    }

    /// - Parameter reply: the back-end's own words, where they are passed on.
    private func backEndFailed(
        _ failure: BackEndFailure, _ request: Request, saying reply: [UInt8]? = nil
    ) -> SessionEnd {
        if case .io(.cancelled) = failure {
            client.sendAtOnce(server.farewell(.shutdown))
            return .cancelled
        }
        report(.backEndFailed(failure))
        client.sendAtOnce(reply ?? answer(to: failure, request))
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
