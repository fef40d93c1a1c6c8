import AsyncIO

/// The failed logins of each of many subjects, as all workers have seen them, in a zone of shared memory.
///
/// ```
///   payload: first failure (ms, 40 bits), failures (24) │ last failure (ms) │ forgiven (ms) │ 4 hashes of credentials
/// ```
/// Each worker keeps its own count with the times of its first and last failure. A subject's count is the sum of those
/// that hang together: each no longer than the window before the next. So what was long ago does not count, and what
/// does is forgotten all at once, when the window has passed without a failure. Credentials that have failed before
/// count once; what is kept of them is 32 bits of a keyed hash, the last four of each worker. Where a region has no
/// room the subject with the fewest failures makes way, of equals the oldest, so that a flood of new ones displaces
/// itself.
package final class FailedLogins: Sendable {
    /// Bytes of a slot of the zone.
    package static let slotBytes = 64

    private let zone: SharedZone

    /// The failed logins of a zone with slots of `slotBytes`, in which this process has a region.
    package init(_ zone: SharedZone) { self.zone = zone }

    /// What one worker has seen of a subject.
    private struct Record {
        static let failuresMaximum: UInt64 = 0xFF_FFFF

        /// Milliseconds of the monotonic clock, which is the same in all processes.
        var first: UInt64
        var last: UInt64
        var forgiven: UInt64
        var failures: UInt64
        /// The newest first.
        var credentials: [UInt32]

        init(_ payload: [UInt64]) {
            first = payload[0] >> 24
            failures = payload[0] & Record.failuresMaximum
            last = payload[1]
            forgiven = payload[2]
            credentials = payload[3...4].flatMap { [UInt32(truncatingIfNeeded: $0), UInt32($0 >> 32)] }
                .filter { $0 != 0 }
        }

        init(now: UInt64) {
            (first, last, forgiven, failures) = (now, now, 0, 0)
            credentials = []
        }

        mutating func count(_ credential: UInt32, now: UInt64) {
            failures = min(failures + 1, Record.failuresMaximum)
            last = now
            credentials = Array(([credential] + credentials).prefix(4))
        }

        var payload: [UInt64] {
            let hashes = (credentials + [0, 0, 0, 0]).map { UInt64($0) }
            return [
                first << 24 | failures, last, forgiven, hashes[0] | hashes[1] << 32, hashes[2] | hashes[3] << 32,
            ]
        }
    }

    /// Failed logins of a subject that are not forgotten, and what they failed with.
    private struct Sum {
        var failures = 0
        var credentials: Set<UInt32> = []
        /// When the earliest of them was.
        var first: UInt64
        /// Failures up to then do not count.
        var forgiven: UInt64
    }

    private func sum(_ key: SharedKey, _ window: Duration, _ now: UInt64) -> Sum {
        let records = zone.entries(key).map { Record($0.payload) }
        let forgiven = records.map(\.forgiven).max() ?? 0
        var sum = Sum(first: now, forgiven: forgiven)
        for record in records.sorted(by: { $0.last > $1.last }) where record.failures > 0 && record.last > forgiven {
            // Another worker's clock reading may be newer than ours is.
            guard sum.first <= record.last || sum.first - record.last < window.milliseconds else { break }
            sum.first = min(sum.first, record.first)
            sum.failures += Int(record.failures)
            sum.credentials.formUnion(record.credentials)
        }
        return sum
    }

    /// Failed logins of `subject` that are not forgotten.
    package func count(of subject: [UInt8], window: Duration, at now: Instant) -> Int {
        sum(zone.key(of: subject), window, now.milliseconds).failures
    }

    /// Counts a failed login, unless these credentials have failed before; how many there are now.
    package func count(
        _ attempt: LoginAttempt, of subject: [UInt8], window: Duration, at now: Instant
    ) -> Int {
        guard let own = zone.own else { preconditionFailure("who counts has a region") }
        let key = zone.key(of: subject)
        let credential = hash(of: attempt)
        let now = now.milliseconds
        let sum = sum(key, window, now)
        guard !sum.credentials.contains(credential) else { return sum.failures }
        let entry = own.entry(key)
        var record = entry.map { Record($0.payload) } ?? Record(now: now)
        // What does not hang together with this failure is forgotten.
        if record.first < sum.first || record.last <= sum.forgiven || record.failures == 0 {
            let forgiven = record.forgiven
            record = Record(now: now)
            record.forgiven = forgiven
        }
        record.count(credential, now: now)
        own.write(key, record.payload, in: entry?.slot ?? slot(for: key, in: own, window, now))
        return sum.failures + 1
    }

    /// Forgets the failed logins of `subject`, who has proved to be who it says.
    package func forgive(_ subject: [UInt8], window: Duration, at now: Instant) {
        guard let own = zone.own else { preconditionFailure("who counts has a region") }
        let key = zone.key(of: subject)
        let now = now.milliseconds
        guard sum(key, window, now).failures > 0 else { return }
        var record = Record(now: now)
        record.forgiven = now
        own.write(key, record.payload, in: own.entry(key)?.slot ?? slot(for: key, in: own, window, now))
    }

    /// Where a new subject goes; what is forgotten anyway makes way first.
    private func slot(for key: SharedKey, in own: SharedRegion, _ window: Duration, _ now: UInt64) -> Int {
        if let vacancy = own.vacancy(for: key) { return vacancy }
        let taken = own.slots(for: key).compactMap { own.entry(in: $0) }
            .map { (slot: $0.slot, record: Record($0.payload)) }
        let least = taken.min { one, other in rank(one.record, window, now) < rank(other.record, window, now) }
        guard let least else { preconditionFailure("a slot is vacant or has an entry") }
        return least.slot
    }

    private func rank(_ record: Record, _ window: Duration, _ now: UInt64) -> (Int, UInt64, UInt64) {
        let isForgotten = now > record.last && now - record.last >= window.milliseconds
        return (isForgotten ? 0 : 1, record.failures, record.last)
    }

    /// Never zero, which means none.
    private func hash(of attempt: LoginAttempt) -> UInt32 {
        var password = attempt.password.bytes
        defer { wipe(&password) }
        var subject = [UInt8(ascii: "c")] + attempt.login + [0] + password
        defer { wipe(&subject) }
        return max(1, UInt32(truncatingIfNeeded: zone.key(of: subject).low))
    }
}

extension Instant {
    fileprivate var milliseconds: UInt64 { nanoseconds / 1_000_000 }
}

extension Duration {
    fileprivate var milliseconds: UInt64 { UInt64(max(0, self / .milliseconds(1))) }
}
