import AsyncIO

/// Asks an auth_http service, over connections that are kept between questions.
///
/// Each connection saved is two sockets' worth of kernel work, about a third of a login
/// (ring-facts.md §8). A kept connection may have been closed by the service meanwhile: if it ends
/// before a byte of the answer came, the question is asked once more over a new one.
package struct AuthHTTPClient: Authenticator {
    private let settings: AuthHTTPSettings
    private let mailProtocol: MailProtocol
    /// `proxy_pass`: where success without a server leads.
    private let backEnd: SocketAddress?
    private let kept: KeptConnections
    private let budget: ConnectionBudget

    /// How often one attempt may be answered with WAIT; at a second each at least.
    package static let waitsMaximum = 60

    package init(
        _ settings: AuthHTTPSettings, for server: ServerSettings, kept: KeptConnections, budget: ConnectionBudget
    ) {
        self.settings = settings
        mailProtocol = server.mailProtocol
        backEnd = server.backEnd
        self.kept = kept
        self.budget = budget
    }

    package func decide(
        _ attempt: LoginAttempt, of client: ClientFacts, in scope: CancellationScope
    ) async throws(AuthenticatorFailure) -> LoginDecision {
        let request = AuthHTTPRequest(
            settings: settings, mailProtocol: mailProtocol, attempt: attempt, client: client)
        for _ in 0...AuthHTTPClient.waitsMaximum {
            let answer: AuthHTTPAnswer
            do throws(IOError) {
                answer = try await ask(request, in: scope)
            } catch {
                throw .unreachable(settings.address, error)
            }
            switch answer {
            case .success(let server, let login, let password, let smtpAuth, let tls):
                var credentials = BackEndCredentials(
                    login: login ?? attempt.login, password: password ?? attempt.password, smtpAuth: smtpAuth)
                credentials.security = tls.security
                credentials.certificateName = tls.certificateName
                return try accept(credentials, at: server)
            case .refusal(let text, let code, let wait):
                return .refuse(text: text, code: code, wait: wait)
            case .invalid(let fault):
                throw .fault(settings.address, fault)
            case .waitAndRetry(let pause):
                do throws(IOError) {
                    try await scope.executor.sleep(until: scope.executor.now + pause, scope: scope)
                } catch {
                    throw .unreachable(settings.address, error)
                }
            }
        }
        throw .endlessWait(settings.address)
    }

    private func accept(
        _ credentials: BackEndCredentials, at server: SocketAddress?
    ) throws(AuthenticatorFailure) -> LoginDecision {
        guard let backEnd = server ?? backEnd else { throw .fault(settings.address, .missingServerOrPort) }
        return .accept(backEnd: backEnd, credentials)
    }

    // MARK: One question

    private func ask(_ request: AuthHTTPRequest, in scope: CancellationScope) async throws(IOError) -> AuthHTTPAnswer {
        let deadline = scope.executor.now + settings.timeout
        var exchange = AuthHTTPExchange(request)
        if let connection = await kept.take() {
            do throws(IOError) {
                return try await converse(&exchange, over: Socket(connection, scope: scope), deadline)
            } catch {
                guard error.isLossOfConnection, !exchange.hasAnswer else { throw error }
                exchange = AuthHTTPExchange(request)
            }
        }
        let socket = try await Dialer.connect(to: settings.address, deadline: deadline, scope: scope, budget: budget)
        if let tls = settings.tls {
            try await socket.secure(
                by: tls.context, peer: "\(settings.address)", name: tls.name, sendsName: true, deadline: deadline)
        }
        return try await converse(&exchange, over: socket, deadline)
    }

    private func converse(
        _ exchange: inout AuthHTTPExchange, over socket: Socket, _ deadline: Instant
    ) async throws(IOError) -> AuthHTTPAnswer {
        let outcome = try await Conversation(over: socket, timeout: settings.timeout, deadline: deadline)
            .run(&exchange)
        // Bytes behind an answer would be taken for the next one's.
        if outcome.isReusable, exchange.input.isEmpty { await kept.keep(socket.handle) }
        return outcome.answer
    }
}
