import Synchronization

/// How many places are taken for each of many subjects, by all processes together.
///
/// Each process counts its own in its region of a zone; a subject's count is their sum. A place is counted before the
/// sum is looked at, so two processes that take the last place at once may both be refused, but never both get it.
/// Nothing makes way for anything: where a region is full, there is no place.
package final class SharedCounts: Sendable {
    /// Bytes of a slot of the zone.
    package static let slotBytes = 64

    private let zone: SharedZone

    /// The counts of a zone with slots of `slotBytes`, in which this process has a region.
    package init(_ zone: SharedZone) { self.zone = zone }

    /// Why there is no place.
    package enum Refusal: Error, Sendable, Hashable {
        /// `maximum` places are taken.
        case full
        /// The region has no room for another subject.
        case noRoom
    }

    /// Takes a place for `subject`, of which there are at most `maximum`.
    package func take(_ subject: [UInt8], maximum: Int) throws(Refusal) -> SharedPlace {
        guard let own = zone.own else { preconditionFailure("who counts has a region") }
        let key = zone.key(of: subject)
        let entry = own.entry(key)
        guard let slot = entry?.slot ?? own.vacancy(for: key) else { throw .noRoom }
        own.write(key, [(entry?.payload[0] ?? 0) + 1], in: slot)
        let place = SharedPlace(in: self, key)
        // Ours is seen by all before we look at theirs; they do the same.
        atomicMemoryFence(ordering: .sequentiallyConsistent)
        guard count(key) <= maximum else { throw .full }
        return place
    }

    /// Places that are taken for `subject`, by all processes.
    package func count(of subject: [UInt8]) -> Int { count(zone.key(of: subject)) }

    private func count(_ key: SharedKey) -> Int {
        zone.entries(key).reduce(0) { $0 + Int(truncatingIfNeeded: $1.payload[0]) }
    }

    fileprivate func giveBack(_ key: SharedKey) {
        guard let own = zone.own, let entry = own.entry(key) else { preconditionFailure("a place came back twice") }
        if entry.payload[0] > 1 { own.write(key, [entry.payload[0] - 1], in: entry.slot) } else { own.wipe(entry.slot) }
    }
}

/// A place that is counted; it is given back with the last reference, on the thread that took it.
package final class SharedPlace: Sendable {
    private let counts: SharedCounts
    private let key: SharedKey

    fileprivate init(in counts: SharedCounts, _ key: SharedKey) {
        self.counts = counts
        self.key = key
    }

    deinit { counts.giveBack(key) }
}
