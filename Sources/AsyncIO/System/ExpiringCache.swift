import DequeModule

/// Values by their keys, each kept for a time of its own, and the oldest let go when there are too many.
package struct ExpiringCache<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    private struct Entry {
        var value: Value
        var expires: Instant
        /// Which of the insertions of its key this is.
        var number: UInt64
    }

    private let maximum: Int
    private var entries: [Key: Entry] = [:]
    /// In the order of insertion; a key that was put in again stands here twice, its first time without meaning.
    private var order: Deque<(key: Key, number: UInt64)> = []
    private var insertions: UInt64 = 0

    /// An empty cache that keeps at most `maximum` values.
    package init(maximum: Int) { self.maximum = maximum }

    /// How many values are kept.
    package var count: Int { entries.count }

    /// The value of `key`, unless its time is over.
    package mutating func value(of key: Key, at now: Instant) -> Value? {
        guard let entry = entries[key] else { return nil }
        guard now < entry.expires else {
            entries[key] = nil
            return nil
        }
        return entry.value
    }

    /// Keeps `value` for `lifetime`; for none, that is not at all.
    package mutating func keep(_ value: Value, of key: Key, for lifetime: Duration, at now: Instant) {
        guard lifetime > .zero, maximum > 0 else { return }
        insertions += 1
        entries[key] = Entry(value: value, expires: now + lifetime, number: insertions)
        order.append((key, insertions))
        while entries.count > maximum || order.count > 2 * maximum || isOldestOver(at: now) {
            guard let oldest = order.popFirst() else { return }
            if entries[oldest.key]?.number == oldest.number { entries[oldest.key] = nil }
        }
    }

    /// Forgets the value of `key`, if there is one.
    package mutating func forget(_ key: Key) { entries[key] = nil }

    /// What is over is not kept until there are too many.
    private func isOldestOver(at now: Instant) -> Bool {
        guard let oldest = order.first else { return false }
        guard let entry = entries[oldest.key], entry.number == oldest.number else { return true }
        return now >= entry.expires
    }
}
