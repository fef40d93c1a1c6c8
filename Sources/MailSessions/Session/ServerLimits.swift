import AsyncIO

/// The limits of one server at work in one worker: its settings, and the zones in which all workers count.
package final class ServerLimits: Sendable {
    private struct Connections: Sendable {
        let limit: ConnectionLimit
        let counts: SharedCounts
    }

    private struct Logins: Sendable {
        let limit: LoginLimit
        let failures: FailedLogins
    }

    /// The longest that an answer to a failed login is held back, as in Dovecot: who waits is a session of ours.
    package static let delayMaximum = Duration.seconds(15)

    package let isDryRun: Bool
    private let connections: [Connections]
    private let logins: [Logins]

    /// - Parameter zones: by name, those of the settings among them.
    package init(_ settings: LimitSettings, zones: [String: SharedZone]) {
        isDryRun = settings.isDryRun
        connections = settings.connections.compactMap { limit in
            zones[limit.zone].map { Connections(limit: limit, counts: SharedCounts($0)) }
        }
        logins = settings.logins.compactMap { limit in
            zones[limit.zone].map { Logins(limit: limit, failures: FailedLogins($0)) }
        }
        precondition(
            connections.count == settings.connections.count && logins.count == settings.logins.count,
            "every limit has its zone")
    }

    // MARK: Sessions

    /// Takes the places of a session for all that is known of its client, but for those it has in `places` already,
    /// by zone. Returns the zones where there was none: with `isDryRun` all, else the first, which ends it.
    package func takePlaces(
        _ places: inout [String: SharedPlace], address: SocketAddress, user: [UInt8]?
    ) -> [String] {
        var refusing: [String] = []
        for one in connections where places[one.limit.zone] == nil {
            guard let subject = one.limit.key.subject(address, user: user) else { continue }
            do throws(SharedCounts.Refusal) {
                places[one.limit.zone] = try one.counts.take(subject, maximum: one.limit.maximum)
            } catch {
                refusing.append(one.limit.zone)
                if !isDryRun { break }
            }
        }
        return refusing
    }

    /// The zone in which there is no place for this client if its login should be right; nil for none.
    package func fullZone(
        _ places: [String: SharedPlace], address: SocketAddress, user: [UInt8]
    ) -> String? {
        guard !isDryRun else { return nil }
        let full = connections.first { one in
            guard places[one.limit.zone] == nil, let subject = one.limit.key.subject(address, user: user) else {
                return false
            }
            return one.counts.count(of: subject) >= one.limit.maximum
        }
        return full?.limit.zone
    }

    // MARK: Failed logins

    /// The zone by which a client is locked out for the time being, with whatever password; nil for none.
    package func lockOut(address: SocketAddress, user: [UInt8], at now: Instant) -> String? {
        let locking = logins.first { one in
            guard let subject = one.limit.key.subject(address, user: user) else { return false }
            return one.failures.count(of: subject, window: one.limit.window, at: now) >= one.limit.burst
        }
        return locking?.limit.zone
    }

    /// Counts a failed login; how long its answer shall take.
    package func countFailure(_ attempt: LoginAttempt, address: SocketAddress, at now: Instant) -> Duration {
        var delay = Duration.zero
        for one in logins {
            guard let subject = one.limit.key.subject(address, user: attempt.login) else { continue }
            let count = one.failures.count(attempt, of: subject, window: one.limit.window, at: now)
            delay = max(delay, one.limit.delay(afterFailures: count))
        }
        return delay
    }

    /// A login that did not fail: for the pair of address and user what failed before is forgiven. Not for an address,
    /// or whoever has one account could guess at others without end, nor for a user, who may log in while others guess.
    package func countSuccess(_ attempt: LoginAttempt, address: SocketAddress, at now: Instant) {
        for one in logins where one.limit.key == .addressAndUser {
            guard let subject = one.limit.key.subject(address, user: attempt.login) else { continue }
            one.failures.forgive(subject, window: one.limit.window, at: now)
        }
    }
}

extension LoginLimit {
    /// How long the answer to the failed login with this number takes, counted from 1.
    package func delay(afterFailures count: Int) -> Duration {
        var delay = delay
        var doublings = count - 1
        while doublings > 0, delay < ServerLimits.delayMaximum {
            delay *= 2
            doublings -= 1
        }
        return min(delay, ServerLimits.delayMaximum)
    }
}
