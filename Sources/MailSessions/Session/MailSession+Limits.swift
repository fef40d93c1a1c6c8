import AsyncIO

/// The administrator's limits: `limit_conn` and `limit_login`.
extension MailSession {
    /// A place for the session in each zone that counts by what is known of the client by now; false where there is
    /// none, which was reported.
    /// - Parameter user: once its login is known to be right.
    private func takePlaces(user: [UInt8]?) -> Bool {
        let limits = server.limits
        let refusing = limits.takePlaces(&places, address: context.client, user: user)
        for zone in refusing { report(.limited(.connections, zone: zone, isDryRun: limits.isDryRun)) }
        return refusing.isEmpty || limits.isDryRun
    }

    /// As `takePlaces` by address, for a session that has become another server's.
    func takePlacesAnew() -> Bool {
        places = [:]
        return takePlaces(user: nil)
    }

    /// Before anything is said: by address.
    func checkConnectionLimits() throws(SessionEnd) {
        guard !takePlaces(user: nil) else { return }
        sayFarewell(.limited)
        throw .limited
    }

    /// The limit that stands before a decision; nil where it may be made.
    ///
    /// Who has reached one is told so whether its credentials are right or not (security-checklist G4): nobody is asked
    /// about them, and where they were being decided meanwhile, the answer does not `count`.
    func limitReached(by attempt: LoginAttempt) -> ClientLimit? {
        context.login = attempt.login
        // There is nothing to guess and nobody to count where nobody logs in (`smtp_auth none`).
        return attempt.method == .none ? nil : reachedLimit(attempt)
    }

    /// Counts what was decided; returns what the client is told, and for how long it waits to be told.
    func count(_ verdict: Verdict, on attempt: LoginAttempt) -> (verdict: Verdict, delay: Duration) {
        guard attempt.method != .none else { return (verdict, .zero) }
        switch verdict {
        case .unavailable, .limited: return (verdict, .zero)
        case .accept:
            if isLockedOut(attempt) { return (.limited(.logins), .zero) }
            server.limits.countSuccess(attempt, address: context.client, at: client.executor.now)
            return (takePlaces(user: context.login) ? verdict : .limited(.connections), .zero)
        case .refuse(_, _, let wait, _):
            if isLockedOut(attempt) { return (.limited(.logins), .zero) }
            let delay = server.limits.countFailure(attempt, address: context.client, at: client.executor.now)
            return (verdict, delay - (wait ?? .zero))
        }
    }

    private func reachedLimit(_ attempt: LoginAttempt) -> ClientLimit? {
        if isLockedOut(attempt) { return .logins }
        guard let zone = server.limits.fullZone(places, address: context.client, user: attempt.login) else {
            return nil
        }
        report(.limited(.connections, zone: zone, isDryRun: false))
        return .connections
    }

    /// Whether too many logins have failed, which is reported then.
    private func isLockedOut(_ attempt: LoginAttempt) -> Bool {
        let now = client.executor.now
        guard let zone = server.limits.lockOut(address: context.client, user: attempt.login, at: now) else {
            return false
        }
        report(.limited(.logins, zone: zone, isDryRun: false))
        return true
    }
}
