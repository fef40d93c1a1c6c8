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
            throw backEndFailed(.io(error))
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
                startTLS: { (deadline) async throws(IOError) in
                    try await secure(socket, request.credentials, deadline)
                })
        } catch {
            if context.phase != .handshakingWithBackEnd { context.phase = .loggingInAtBackEnd(login.activity) }
            throw backEndFailed(.io(error))
        }
        context.phase = .loggingInAtBackEnd(login.activity)
        switch outcome {
        case .loggedIn(let reply):
            return Login(backEnd: socket, toBackEnd: request.leftover, toClient: reply + login.input.takeAll())
        case .invalidResponse(let reply):
            let isPassedOn =
                server.settings.proxy.passesErrorMessage && server.settings.mailProtocol.isRefusal(reply)
            throw backEndFailed(
                .invalidResponse(reply, isPassedOn: isPassedOn), saying: isPassedOn ? .line(reply) : nil)
        case .responseTooLong:
            let beginning = login.input[0..<min(login.input.count, FrontEndNote.excerptMaximum)]
            throw backEndFailed(.responseTooLong(beginning.withoutControls))
        case .tlsRefused(let reply): throw backEndFailed(.tlsRefused(reply))
        case .unsendableCredentials: throw backEndFailed(.unsendableCredentials)
        }
    }

    private func backEndFailed(_ failure: BackEndFailure, saying reply: [UInt8]? = nil) -> SessionEnd {
        if case .io(.cancelled) = failure {
            client.sendAtOnce(server.farewell(.shutdown))
            return .cancelled
        }
        report(.backEndFailed(failure))
        client.sendAtOnce(reply ?? server.farewell(.internalError))
        return .unavailable
    }
}
