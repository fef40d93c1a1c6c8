import AsyncIO

/// Decides by an accounts file; the back-end is the configured one.
package struct AccountsAuthenticator: Authenticator {
    private let accounts: AccountsFile
    private let backEnd: SocketAddress?
    private let hashing: BlockingPool

    /// What a refused client reads: the same for an unknown name and a wrong password (security-checklist G2).
    private static let refusal = Array("Invalid login or password".utf8)
    /// Before the next attempt, so that guessing is slow.
    private static let pause = Duration.seconds(1)
    /// Attempts in one session; after the last the session ends.
    package static let attemptsMaximum = 5

    package init(_ accounts: AccountsFile, backEnd: SocketAddress?, hashing: BlockingPool) {
        self.accounts = accounts
        self.backEnd = backEnd
        self.hashing = hashing
    }

    package func decide(
        _ attempt: LoginAttempt, of client: ClientFacts, in scope: CancellationScope,
        report: (AuthenticatorFailure) -> Void
    ) async throws(AuthenticatorFailure) -> LoginDecision {
        switch accounts.check(attempt) {
        case .accepted(let password): return try accept(attempt, password)
        case .refused: return refuse(attempt)
        case .needsHash(let hash):
            let password = attempt.password
            guard let isRight = await hashing.run({ hash.verify(password) }) else { throw .overloaded }
            return isRight ? try accept(attempt, password) : refuse(attempt)
        }
    }

    private func accept(
        _ attempt: LoginAttempt, _ password: Secret
    ) throws(AuthenticatorFailure) -> LoginDecision {
        guard let backEnd else { throw .noBackEnd }
        return .accept(backEnd: backEnd, BackEndCredentials(login: attempt.login, password: password))
    }

    private func refuse(_ attempt: LoginAttempt) -> LoginDecision {
        let isLast = attempt.number >= AccountsAuthenticator.attemptsMaximum
        return .refuse(
            text: AccountsAuthenticator.refusal, code: nil, wait: isLast ? nil : AccountsAuthenticator.pause)
    }
}
