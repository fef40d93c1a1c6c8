import AsyncIO

/// Asks auth_http services in their order until one answers, over connections that are kept between
/// questions.
///
/// ```
/// service ─┬─ kept connection ──────┐
///          └─ address, address … ───┴──▶ answer
///    │ unreachable, silent, 5xx
///    ▼
/// next service …
/// ```
/// Each connection saved is two sockets' worth of kernel work, about a third of a login
/// (ring-facts.md §8). A kept connection may have been closed by the service meanwhile: if it ends
/// before a byte of the answer came, the question is asked once more over a new one.
package struct AuthHTTPClient: Authenticator {
    package let directive = "auth_http"
    private let services: [AuthHTTPService]
    private let mailProtocol: MailProtocol
    /// There is a `proxy_pass`, to which success without a server leads.
    private let hasBackEnd: Bool
    private let proxy: ProxySettings
    private let budget: ConnectionBudget

    /// How often one attempt may be answered with WAIT; at a second each at least.
    package static let waitsMaximum = 60

    /// - Parameter services: at least one.
    package init(_ services: [AuthHTTPService], for server: ServerSettings, budget: ConnectionBudget) {
        precondition(!services.isEmpty, "somebody decides about logins")
        self.services = services
        mailProtocol = server.mailProtocol
        hasBackEnd = server.backEnd != nil
        proxy = server.proxy
        self.budget = budget
    }

    /// What was answered, and from where.
    private struct Answer {
        var answer: AuthHTTPAnswer
        var address: SocketAddress
    }

    package func decide(
        _ attempt: LoginAttempt, of client: ClientFacts, in scope: CancellationScope,
        report: (AuthenticatorFailure) -> Void
    ) async throws(AuthenticatorFailure) -> LoginDecision {
        var address: SocketAddress?
        for _ in 0...AuthHTTPClient.waitsMaximum {
            let found = try await ask(attempt, of: client, in: scope, report)
            address = found.address
            guard case .waitAndRetry(let pause) = found.answer else { return try decision(found, on: attempt) }
            do throws(IOError) {
                try await scope.executor.sleep(until: scope.executor.now + pause, scope: scope)
            } catch {
                throw .unreachable(found.address, error)
            }
        }
        guard let address else { preconditionFailure("asked nobody") }
        throw .endlessWait(address)
    }

    // Not inlined, as in `MailSession`: what is worked out without waiting is not for the frame that waits.
    @inline(never)
    private func decision(
        _ found: Answer, on attempt: LoginAttempt
    ) throws(AuthenticatorFailure) -> LoginDecision {
        switch found.answer {
        case .success(let server, let login, let password, let smtpAuth, let tls):
            guard server != nil || hasBackEnd else { throw .fault(found.address, .missingServerOrPort) }
            var credentials = BackEndCredentials(login: login ?? attempt.login, password: password, smtpAuth: smtpAuth)
            takeClients(attempt, into: &credentials)
            credentials.security = tls.security
            credentials.certificateName = tls.certificateName
            return .accept(server ?? .configured, credentials)
        case .refusal(let text, let code, let wait, let challenge):
            return .refuse(text: text, code: code, wait: wait, challenge: challenge)
        case .invalid(let fault): throw .fault(found.address, fault)
        case .waitAndRetry: preconditionFailure("who is told to wait waits")
        }
    }

    /// Where the service names no password, the client's own is the back-end's, and its token where that may go
    /// on. A digest is no password.
    private func takeClients(_ attempt: LoginAttempt, into credentials: inout BackEndCredentials) {
        guard credentials.password == nil else { return }
        if attempt.method == .plain { credentials.password = attempt.password }
        guard proxy.passesToken, let mechanism = BearerMechanism(attempt.method) else { return }
        credentials.bearer = mechanism
        credentials.password = attempt.password
    }

    /// Whether success without `Auth-Pass` is of use: the client has shown what the back-end needs, or the
    /// back-end needs nothing of it.
    private func needsPassword(_ attempt: LoginAttempt) -> Bool {
        guard mailProtocol != .smtp, proxy.master == nil else { return false }
        return attempt.method != .plain && !(attempt.method.isBearer && proxy.passesToken)
    }

    // MARK: One question

    /// The first answer of the services in their order, those that failed lately behind the others.
    @inline(__always)
    private func ask(
        _ attempt: LoginAttempt, of client: ClientFacts, in scope: CancellationScope,
        _ report: (AuthenticatorFailure) -> Void
    ) async throws(AuthenticatorFailure) -> Answer {
        var last: AuthenticatorFailure?
        for service in services.count == 1 ? services : await inOrder() {
            if let last { report(last) }
            do throws(AuthenticatorFailure) {
                let found = try await ask(service, about: attempt, of: client, in: scope, report)
                if let fault = found.answer.misfortune { throw AuthenticatorFailure.fault(found.address, fault) }
                if services.count > 1 { await service.recover() }
                return found
            } catch {
                guard error.leadsToNextService else { throw error }
                await service.fail()
                last = error
            }
        }
        guard let last else { preconditionFailure("asked nobody") }
        throw last
    }

    private func inOrder() async -> [AuthHTTPService] {
        var healthy: [AuthHTTPService] = []
        var failing: [AuthHTTPService] = []
        for service in services {
            if await service.isFailing { failing.append(service) } else { healthy.append(service) }
        }
        return healthy + failing
    }

    /// Asks one service, within one deadline: over a kept connection, else at its addresses in turn.
    @inline(__always)
    private func ask(
        _ service: AuthHTTPService, about attempt: LoginAttempt, of client: ClientFacts, in scope: CancellationScope,
        _ report: (AuthenticatorFailure) -> Void
    ) async throws(AuthenticatorFailure) -> Answer {
        let deadline = scope.executor.now + service.settings.timeout
        var addresses = service.settings.addresses
        if service.isNamed {
            let (known, failure) = await service.addresses(in: scope)
            addresses = known
            if let failure { report(.unresolved(service.settings.host, failure)) }
        }
        var kept = service.kept.take(to: addresses)
        var tried = 0
        var last: AuthenticatorFailure?
        while tried < addresses.count {
            let known = kept.take()
            let address = known?.address ?? addresses[tried]
            var exchange = question(to: service, about: attempt, of: client)
            // An answer may end in the middle of a password.
            defer { exchange.input.removeAll() }
            do throws(IOError) {
                let socket: Socket
                if let known {
                    socket = Socket(known.connection, scope: scope)
                } else {
                    if let last { report(last) }
                    // An address that swallows everything leaves time for those behind it.
                    let share = max(.zero, (deadline - scope.executor.now) / (addresses.count - tried))
                    socket = try await Dialer.connect(
                        to: address, deadline: scope.executor.now + share, scope: scope, budget: budget)
                    if let tls = service.settings.tls {
                        try await socket.secure(
                            by: tls.context, peer: "\(address)", name: tls.name, sendsName: true, deadline: deadline)
                    }
                }
                let answer = try await converse(&exchange, over: socket, address, service, deadline)
                return Answer(answer: answer, address: address)
            } catch {
                guard known == nil else {
                    guard error.isLossOfConnection, !exchange.hasAnswer else { throw .unreachable(address, error) }
                    continue
                }
                last = .unreachable(address, error)
                guard error != .cancelled, error != .noPlace, scope.executor.now < deadline else { break }
                tried += 1
            }
        }
        guard let last else { preconditionFailure("a service has an address") }
        throw last
    }

    @inline(never)
    private func question(
        to service: AuthHTTPService, about attempt: LoginAttempt, of client: ClientFacts
    ) -> AuthHTTPExchange {
        var request = AuthHTTPRequest(
            service.template, mailProtocol: mailProtocol, attempt: attempt, client: client)
        request.needsPassword = needsPassword(attempt)
        return AuthHTTPExchange(request, keepsConnection: service.settings.keepAlive > 0)
    }

    @inline(__always)
    private func converse(
        _ exchange: inout AuthHTTPExchange, over socket: Socket, _ address: SocketAddress, _ service: AuthHTTPService,
        _ deadline: Instant
    ) async throws(IOError) -> AuthHTTPAnswer {
        let outcome: AuthHTTPOutcome
        do throws(IOError) {
            outcome = try await Conversation(over: socket, timeout: service.settings.timeout, deadline: deadline)
                .run(&exchange)
        } catch {
            // Without its body an answer is no worse; only the connection is of no more use.
            guard error != .cancelled, let decided = exchange.decided else { throw error }
            return decided
        }
        // Bytes behind an answer would be taken for the next one's.
        if outcome.isReusable, exchange.input.isEmpty { service.kept.keep(socket.handle, to: address) }
        return outcome.answer
    }
}

extension AuthHTTPAnswer {
    /// A page about the server's own misfortune, which is no answer.
    fileprivate var misfortune: AuthHTTPFault? {
        @inline(never) get {
            if case .invalid(let fault) = self, case .status(500...599) = fault { fault } else { nil }
        }
    }
}

extension AuthenticatorFailure {
    /// Another service may do better.
    fileprivate var leadsToNextService: Bool {
        switch self {
        case .unreachable(_, .cancelled), .unreachable(_, .noPlace): false
        case .unreachable, .fault(_, .status(500...599)): true
        case .fault, .endlessWait, .noBackEnd, .overloaded, .unresolved, .database, .pam: false
        }
    }
}
