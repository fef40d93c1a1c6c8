import AsyncIO
import Glibc

/// `auth_pam` and what belongs to it.
package struct PAMSettings: Sendable, Hashable {
    package var service: PAMService
    /// `auth_pam_timeout`: from the question to the answer.
    package var timeout: Duration = .seconds(30)

    /// A service with default values.
    package init(_ service: PAMService) { self.service = service }
}

/// Decides by PAM, which the helper asks: modules block, and want privileges that a worker does not have.
///
/// Its account phase counts as well. The back-end is the configured one, and gets the client's password.
package struct PAMAuthenticator: Authenticator {
    /// Who is not let in hears so at full steps of time, so that it does not show what a module did: some
    /// answer at once for whom they do not know, and compute a hash for others (security-checklist G2).
    package static let refusalStep = Duration.milliseconds(250)

    package let directive = "auth_pam"
    private let settings: PAMSettings
    private let asker: QuestionAsker

    /// - Parameter asker: leads to the helper.
    package init(_ settings: PAMSettings, asking asker: QuestionAsker) {
        self.settings = settings
        self.asker = asker
    }

    package func decide(
        _ attempt: LoginAttempt, of client: ClientFacts, in scope: CancellationScope,
        report: (AuthenticatorFailure) -> Void
    ) async throws(AuthenticatorFailure) -> LoginDecision {
        let start = scope.executor.now
        // Digests and certificates are nothing that a module could check, and some names nothing that it shall see.
        var answer = PAMAnswer.unknown
        if attempt.method == .plain,
            let question = PAMQuestion(
                settings.service, user: attempt.login, address: client.address.addressForPAM,
                password: attempt.password)
        {
            answer = try await ask(question, deadline: start + settings.timeout, scope)
        }
        switch answer {
        case .accepted:
            return .accept(.configured, BackEndCredentials(login: attempt.login, password: attempt.password))
        case .refused:
            try await waitForStep(since: start, scope)
            return .wrongCredentials(attempt)
        case .unknown:
            try await waitForStep(since: start, scope)
            return .unknown
        case .overloaded: throw .overloaded
        case .rejected: throw .pam(settings.service.name, .rejected)
        case .failed(let code): throw .pam(settings.service.name, .code(code))
        }
    }

    private func ask(
        _ question: PAMQuestion, deadline: Instant, _ scope: CancellationScope
    ) async throws(AuthenticatorFailure) -> PAMAnswer {
        var bytes = question.encoded
        defer { wipe(&bytes) }
        do throws(IOError) {
            let answer = try await asker.ask(
                bytes, answerMaximum: PAMAnswer.byteCount, deadline: deadline, scope: scope)
            guard let answer = PAMAnswer(decoding: answer) else { throw .closed }
            return answer
        } catch .system(.sendmsg, EAGAIN) {
            throw .overloaded
        } catch {
            throw .pam(settings.service.name, .io(error))
        }
    }

    private func waitForStep(since start: Instant, _ scope: CancellationScope) async throws(AuthenticatorFailure) {
        let (step, executor) = (PAMAuthenticator.refusalStep, scope.executor)
        let steps = Int((executor.now - start) / step) + 1
        do throws(IOError) {
            try await executor.sleep(until: start + step * steps, scope: scope)
        } catch {
            throw .pam(settings.service.name, .io(error))
        }
    }
}

/// Why PAM did not decide.
package enum PAMFault: Sendable, Hashable {
    /// The helper did not answer in time, or has gone.
    case io(IOError)
    /// PAM's own code, such as PAM_AUTHINFO_UNAVAIL.
    case code(UInt8)
    /// The helper does not know the service (any more).
    case rejected
}

extension SocketAddress {
    /// What modules know as PAM_RHOST; nothing for a client on a unix socket.
    fileprivate var addressForPAM: [UInt8] {
        if case .unix = self { return [] }
        return Array(hostText.utf8)
    }
}
