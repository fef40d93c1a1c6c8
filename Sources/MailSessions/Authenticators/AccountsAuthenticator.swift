import AsyncIO

/// Decides by an accounts file; the back-end is the configured one.
package struct AccountsAuthenticator: Authenticator {
    package let directive = "auth_file"
    private let accounts: AccountsFile
    private let hashing: BlockingPool

    package init(_ accounts: AccountsFile, hashing: BlockingPool) {
        self.accounts = accounts
        self.hashing = hashing
    }

    package func decide(
        _ attempt: LoginAttempt, of client: ClientFacts, in scope: CancellationScope,
        report: (AuthenticatorFailure) -> Void
    ) async throws(AuthenticatorFailure) -> LoginDecision {
        switch accounts.check(attempt) {
        case .accepted(let password): return accept(attempt, password)
        case .refused: return refuse(attempt)
        case .needsHash(let hash):
            let password = attempt.password
            guard let isRight = await hashing.run({ hash.verify(password) }) else { throw .overloaded }
            return isRight ? accept(attempt, password) : refuse(attempt)
        }
    }

    private func accept(_ attempt: LoginAttempt, _ password: Secret) -> LoginDecision {
        .accept(accounts.backEnd(of: attempt.login), BackEndCredentials(login: attempt.login, password: password))
    }

    /// Whoever is not in the file may be known elsewhere.
    private func refuse(_ attempt: LoginAttempt) -> LoginDecision {
        accounts.knows(attempt.login) ? .wrongCredentials(attempt) : .unknown
    }

    package func locate(
        _ user: [UInt8], in scope: CancellationScope
    ) async throws(AuthenticatorFailure) -> UserLocation {
        accounts.knows(user) ? .known(accounts.backEnd(of: user)) : .unknown
    }
}
