import AsyncIO

/// The dialogue with the client until somebody has accepted its login.
extension MailSession {
    /// A login that the authenticator has accepted; one for all who wait with it.
    final class Request: Sendable {
        let attempt: LoginAttempt
        /// Not `configured`: what is configured is known by then.
        let backEnd: BackEndChoice
        let credentials: BackEndCredentials
        /// What the front-end knows that the back-end needs.
        let context: ReplyContext
        /// What the client has said behind it.
        let leftover: [UInt8]

        init(attempt: LoginAttempt, backEnd: BackEndChoice, credentials: BackEndCredentials) {
            self.attempt = attempt
            self.backEnd = backEnd
            self.credentials = credentials
            context = ReplyContext()
            leftover = []
        }

        /// The same, once the front-end is done.
        @inline(never)
        init(_ accepted: Request, context: ReplyContext, leftover: [UInt8]) {
            attempt = accepted.attempt
            backEnd = accepted.backEnd
            credentials = accepted.credentials
            self.context = context
            self.leftover = leftover
        }
    }

    func converse<Front: CommandFrontEnd>(
        _ type: Front.Type, with facts: inout ClientFacts, _ opening: inout Opening
    ) async throws(SessionEnd) -> Request {
        var frontEnd = Front(for: server, isSecure: beginsWithTLS, greeting: opening.greeting)
        swap(&opening.heard, &frontEnd.input)
        // Half a login may be left, of a client that has gone, or was sent away.
        defer { frontEnd.input.removeAll() }
        var accepted: Request?
        context.phase = .authenticating
        let outcome: FrontEndOutcome
        do throws(IOError) {
            outcome = try await Conversation(
                over: client, timeout: server.settings.timeout, deadline: opening.takeDeadline()
            ).run(
                &frontEnd, note: { take($0) },
                startTLS: { (frontEnd, deadline) async throws(IOError) in
                    guard try await startTLS(&facts, deadline) else { return nil }
                    frontEnd.goOn(by: server.settings)
                    return server.settings.timeout
                },
                answer: { (attempt) async throws(IOError) in
                    if let limit = limitReached(by: attempt) { return .limited(limit) }
                    let (verdict, delay) = count(try await decide(attempt, facts, &accepted), on: attempt)
                    if delay > .zero {
                        try await client.executor.sleep(until: client.executor.now + delay, scope: client.scope)
                    }
                    return verdict
                })
        } catch {
            throw clientFailed(error)
        }
        switch outcome {
        case .accepted(let context):
            guard let accepted else { preconditionFailure("accepted by nobody") }
            return Request(accepted, context: context, leftover: frontEnd.input.takeAll())
        case .quit: throw .quit
        case .unavailable:
            await linger()
            throw .unavailable
        case .limited:
            await linger()
            throw .limited
        case .refused:
            await linger()
            throw .refused
        case .violation:
            await linger()
            throw .violation
        }
    }

    @inline(never)
    private func take(_ note: FrontEndNote) {
        if case .rejectedBeforeGreeting = note { context.phase = .delayingGreeting }
        report(.note(note))
    }

    @inline(never)
    func clientFailed(_ error: IOError, saysFarewell: Bool = true) -> SessionEnd {
        switch error {
        case .timedOut:
            report(.clientFailed(error))
            if saysFarewell { sayFarewell(.timeout) }
            return .timedOut
        case .cancelled:
            if saysFarewell { sayFarewell(.shutdown) }
            return .cancelled
        default:
            report(.clientFailed(error))
            return .clientFailed(error)
        }
    }

    /// Says why the client must go, if it can be said: never in clear to a client of TLS.
    @inline(never)
    func sayFarewell(_ reason: Farewell) {
        guard !beginsWithTLS || client.handle.tls != nil else { return }
        client.sendAtOnce(server.farewell(reason))
    }

    @inline(__always)
    private func decide(
        _ attempt: LoginAttempt, _ facts: ClientFacts, _ accepted: inout Request?
    ) async throws(IOError) -> Verdict {
        context.phase = .askingAuthenticator
        defer { context.phase = .authenticating }
        guard let attempt = identified(attempt, facts) else { return .refuse(text: MailSession.certificateMissing) }
        let decision: LoginDecision
        do throws(AuthenticatorFailure) {
            decision = try await server.authenticator.decide(attempt, of: facts, in: client.scope) { failure in
                report(.authenticatorFailed(failure))
            }
        } catch {
            return try verdict(after: error)
        }
        return try verdict(on: attempt, decision, &accepted)
    }

    private static let certificateMissing = Array("No verified SSL certificate".utf8)

    /// The attempt with the name that the client's certificate proves, where that is its password; nil where none does.
    @inline(never)
    private func identified(_ attempt: LoginAttempt, _ facts: ClientFacts) -> LoginAttempt? {
        guard let attempt = attempt.identified(by: facts.tls, server.settings.clientIdentity) else {
            report(.loginRefused(text: MailSession.certificateMissing))
            return nil
        }
        context.login = attempt.login
        return attempt
    }

    @inline(never)
    private func verdict(
        on attempt: LoginAttempt, _ decision: LoginDecision, _ accepted: inout Request?
    ) throws(IOError) -> Verdict {
        switch decision {
        case .accept(let choice, var credentials):
            let isClients = credentials.password.map { !$0.isEmpty && $0 == attempt.password } ?? false
            credentials.areClients = isClients && server.settings.proxy.master == nil
            do throws(AuthenticatorFailure) {
                accepted = Request(attempt: attempt, backEnd: try backEnd(choice), credentials: credentials)
            } catch {
                return try verdict(after: error)
            }
            context.login = credentials.login
            return .accept
        case .refuse(let text, let code, let wait, let challenge):
            report(.loginRefused(text: text))
            return .refuse(text: text, code: code, wait: wait, challenge: challenge)
        case .unknown: preconditionFailure("the chain knows whoever nobody knows")
        }
    }

    @inline(never)
    private func verdict(after failure: AuthenticatorFailure) throws(IOError) -> Verdict {
        // The end of the worker is no fault of the authenticator's.
        if failure.isCancellation { throw .cancelled }
        report(.authenticatorFailed(failure))
        return .unavailable
    }

    private func backEnd(_ choice: BackEndChoice) throws(AuthenticatorFailure) -> BackEndChoice {
        guard case .configured = choice else { return choice }
        guard let backEnd = server.settings.backEnd else { throw .noBackEnd }
        return backEnd
    }

    /// The longest a client that was sent away is listened to, so that it can read why:
    /// closing with bytes unread would make the kernel drop the reply on its way.
    static let lingerTime = Duration.seconds(1)
    private static let lingerBytes = 256 * 1024

    func linger() async {
        client.shutdownSending()
        let deadline = client.executor.now + MailSession.lingerTime
        var discarded = 0
        var input = ByteQueue()
        while discarded < MailSession.lingerBytes {
            do throws(IOError) {
                let count = try await client.receive(into: &input, deadline: deadline)
                if count == 0 { return }
                discarded += count
                input.removeAll()
            } catch {
                // Whatever it is, the session is over and has said so.
                return
            }
        }
    }
}
