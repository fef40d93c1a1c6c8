import AsyncIO

/// Asks several authenticators in the order written; the first that knows the user decides.
///
/// Whoever cannot decide might have known the user, so asking on could let in whoever it would have
/// refused: its failure is the chain's. The refusal of a user that nobody knows reads and waits as that
/// of a wrong password (security-checklist G2).
package struct AuthenticatorChain: Authenticator {
    private let authenticators: [any Authenticator]

    /// What a refused client reads where no service words it: the same for an unknown name and a wrong password.
    static let refusal = Array("Invalid login or password".utf8)
    /// Before the next attempt, so that guessing is slow.
    static let pause = Duration.seconds(1)
    /// Attempts in one session; after the last the session ends.
    package static let attemptsMaximum = 5

    /// - Parameter authenticators: at least one.
    package init(_ authenticators: [any Authenticator]) {
        precondition(!authenticators.isEmpty, "somebody decides about logins")
        self.authenticators = authenticators
    }

    package func decide(
        _ attempt: LoginAttempt, of client: ClientFacts, in scope: CancellationScope,
        report: (AuthenticatorFailure) -> Void
    ) async throws(AuthenticatorFailure) -> LoginDecision {
        for authenticator in authenticators {
            let decision = try await authenticator.decide(attempt, of: client, in: scope, report: report)
            guard case .unknown = decision else { return decision }
        }
        return .wrongCredentials(attempt)
    }
}

extension LoginDecision {
    /// The refusal of authenticators that word none themselves.
    static func wrongCredentials(_ attempt: LoginAttempt) -> LoginDecision {
        let isLast = attempt.number >= AuthenticatorChain.attemptsMaximum
        return .refuse(
            text: AuthenticatorChain.refusal, code: nil, wait: isLast ? nil : AuthenticatorChain.pause)
    }
}
