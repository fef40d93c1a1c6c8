import AsyncIO

/// What an authenticator found out about a login attempt.
package enum LoginDecision: Sendable {
    // What is large is behind references, for it is in the frames of functions that wait (docs/architecture.md).

    /// Log in there with these credentials.
    indirect case accept(BackEndChoice, BackEndCredentials)
    /// Wrong credentials; as `Verdict.refuse`.
    indirect case refuse(text: [UInt8], code: [UInt8]?, wait: Duration?, challenge: [UInt8]? = nil)
    /// The user is not known here; another authenticator may know it.
    case unknown
}

/// Whoever knows which credentials are right, and where their mail is.
package protocol Authenticator: Sendable {
    /// Decides about `attempt`; may take its time, within limits of its own.
    ///
    /// Throws when it cannot decide; what went wrong on the way to a decision is told to `report`. Ends early, with a failure, when `scope` is cancelled.
    func decide(
        _ attempt: LoginAttempt, of client: ClientFacts, in scope: CancellationScope,
        report: (AuthenticatorFailure) -> Void
    ) async throws(AuthenticatorFailure) -> LoginDecision

    /// What was decided about `attempt` did not lead to a login at the back-end: it is asked anew the next time.
    func forget(_ attempt: LoginAttempt, of client: ClientFacts) async

    /// The directive by which it is configured.
    var directive: String { get }

    /// What it knows of a user without a password, for `mailgateway explain`; nobody is let in by it.
    func locate(_ user: [UInt8], in scope: CancellationScope) async throws(AuthenticatorFailure) -> UserLocation
}

/// What an authenticator knows of a user whose password it was not shown.
package enum UserLocation: Sendable {
    /// It has the user, whose mail is there if the password is right.
    /// `security` is what it demands of the connection there; nil for what `proxy_ssl` says.
    case known(BackEndChoice, security: BackEndSecurity? = nil)
    /// The next authenticator is asked.
    case unknown
    /// It says nothing without a password.
    case needsPassword
}

extension Authenticator {
    /// Most remember nothing.
    package func forget(_ attempt: LoginAttempt, of client: ClientFacts) async {}

    package var directive: String { "authenticator" }

    package func locate(
        _ user: [UInt8], in scope: CancellationScope
    ) async throws(AuthenticatorFailure) -> UserLocation { .needsPassword }
}
