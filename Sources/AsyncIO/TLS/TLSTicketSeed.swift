import Glibc

/// What the keys of session tickets come from, where no file gives them.
///
/// ```
///   epoch:    e-2        e-1        e          e+1
///   secret:  forgotten ─▶ kept ─▶ kept ─HMAC─▶ not made yet
/// ```
/// Each hour's secret is made from the one before and cannot be turned back, so whoever learns what a
/// process holds today cannot read the tickets of two days ago. (The master keeps the first secret, for
/// processes that it starts later; it never meets a client.) All processes that begin with the same seed have the same keys at
/// the same time without talking to each other: sessions are gone on with at any worker.
package struct TLSTicketSeed: Sendable, Hashable {
    /// How long one secret makes tickets, in seconds.
    package static let epochSeconds: UInt64 = 3600
    /// Secrets kept to read older tickets: a session is gone on with for a day at most.
    static let kept = 25

    /// The epoch of the oldest of `secrets`.
    package private(set) var epoch: UInt64
    /// Of successive epochs, the newest last; 32 bytes each.
    package private(set) var secrets: [Secret]

    /// A seed from the system's randomness.
    package init(now: UInt64 = UInt64(time(nil))) {
        epoch = now / TLSTicketSeed.epochSeconds
        secrets = [Hashing.random(32)]
    }

    /// A seed as another process has it; nil when it cannot be one.
    package init?(epoch: UInt64, secrets: [Secret]) {
        guard (1...TLSTicketSeed.kept).contains(secrets.count), secrets.allSatisfy({ $0.count == 32 }) else {
            return nil
        }
        self.epoch = epoch
        self.secrets = secrets
    }

    /// Makes the secrets up to the present and forgets what is too old. A clock that steps back changes
    /// nothing; one that steps far ahead begins anew where no ticket of before could count.
    package mutating func advance(to now: UInt64 = UInt64(time(nil))) {
        let present = now / TLSTicketSeed.epochSeconds
        while epoch + UInt64(secrets.count - 1) < present, let newest = secrets.last {
            secrets.append(Hashing.hmac(newest, "next"))
            if secrets.count > TLSTicketSeed.kept {
                secrets.removeFirst()
                epoch += 1
            }
        }
    }
}
