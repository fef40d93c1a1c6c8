import Glibc
import Synchronization

/// A key of an entry: 128 bits made by a `SharedZone` of what the entry is about; never zero.
package struct SharedKey: Sendable, Hashable {
    package let low: UInt64
    package let high: UInt64

    package init(low: UInt64, high: UInt64) {
        self.low = low
        self.high = high == 0 ? 1 : high
    }
}

/// One writer's part of a shared zone: slots of equal size, found by key.
///
/// ```
///   header (8 words) │ slot 0 │ slot 1 │ …          a slot: sequence, key low, key high, payload …
/// ```
/// A slot's sequence is odd while its writer is at it and has grown by two afterwards, so a reader that finds the same
/// even number before and after has read what one write left: never a torn entry, and no lock. The writer is one
/// thread of one process. An entry is in one of the `window` slots that its key leads to; a slot with a zero key is
/// vacant. What goes where no slot is vacant is up to the owner of the entries.
package struct SharedRegion: Sendable {
    package static let headerWords = 8
    /// The word of the header that says whether somebody has written the region before; the others are the entries'
    /// owner's.
    private static let takenWord = 7
    /// How many slots a key leads to.
    package static let window = 32
    /// Words of a slot before its payload: sequence and key.
    static let slotHeaderWords = 3

    /// A reader whose writer does not finish looks so often; beyond `spins` it lets others run between two looks.
    /// Then the slot counts as vacant: its writer has been killed in the midst of it.
    private static let looks = 256
    private static let spins = 16

    private let memory: SharedMemory
    private let start: Int
    private let slotWords: Int
    package let slotCount: Int

    /// The region of `count` words that begins at the word `start`.
    init(of memory: SharedMemory, at start: Int, count: Int, slotWords: Int) {
        precondition(start >= 0 && start + count <= memory.count, "within the memory")
        self.memory = memory
        self.start = start
        self.slotWords = slotWords
        slotCount = (count - SharedRegion.headerWords) / slotWords
        precondition(slotCount > 0, "a region has slots")
    }

    /// Words of a payload.
    package var payloadWords: Int { slotWords - SharedRegion.slotHeaderWords }

    // MARK: The header

    /// A word of the header, of which the owner of the entries has seven.
    package func header(_ index: Int) -> UInt64 {
        precondition(index < SharedRegion.takenWord, "a word of the header")
        return memory.load(start + index)
    }

    /// Writes a word of the header.
    package func setHeader(_ index: Int, _ value: UInt64) {
        precondition(index < SharedRegion.takenWord, "a word of the header")
        memory.store(value, at: start + index)
    }

    // MARK: Slots

    /// An entry as one write left it.
    package struct Entry: Sendable, Hashable {
        package let slot: Int
        package let key: SharedKey
        package let payload: [UInt64]
    }

    /// The slots that an entry with this key can be in.
    package func slots(for key: SharedKey) -> some Sequence<Int> {
        let home = Int(truncatingIfNeeded: key.low % UInt64(slotCount))
        let count = slotCount
        return (0..<min(SharedRegion.window, count)).lazy.map { (home + $0) % count }
    }

    /// The entry with this key; nil where there is none.
    package func entry(_ key: SharedKey) -> Entry? {
        for slot in slots(for: key) {
            // Most slots are another's, which a look at two words tells.
            guard memory.load(base(slot) + 1) == key.low, memory.load(base(slot) + 2) == key.high else { continue }
            if let entry = entry(in: slot), entry.key == key { return entry }
        }
        return nil
    }

    /// What is in a slot; nil where it is vacant, or where its writer died at it.
    package func entry(in slot: Int) -> Entry? {
        let base = base(slot)
        for look in 0..<SharedRegion.looks {
            if look >= SharedRegion.spins { sched_yield() }
            let before = memory.loadAcquiring(base)
            guard before & 1 == 0 else { continue }
            let (low, high) = (memory.load(base + 1), memory.load(base + 2))
            let payload = (SharedRegion.slotHeaderWords..<slotWords).map { memory.load(base + $0) }
            atomicMemoryFence(ordering: .acquiring)
            guard memory.load(base) == before else { continue }
            return low == 0 && high == 0
                ? nil : Entry(slot: slot, key: SharedKey(low: low, high: high), payload: payload)
        }
        return nil
    }

    /// The first vacant slot for a key, for the writer; nil where all are taken.
    package func vacancy(for key: SharedKey) -> Int? {
        slots(for: key).first { memory.load(base($0) + 1) == 0 && memory.load(base($0) + 2) == 0 }
    }

    /// Puts an entry into a slot, in place of what is there; `payload` may be shorter, the rest is zero then.
    package func write(_ key: SharedKey, _ payload: [UInt64], in slot: Int) {
        precondition(payload.count <= payloadWords, "a payload fits its slot")
        replace(slot, low: key.low, high: key.high, payload)
    }

    /// Makes a slot vacant; what was in it is overwritten.
    package func wipe(_ slot: Int) { replace(slot, low: 0, high: 0, []) }

    private func replace(_ slot: Int, low: UInt64, high: UInt64, _ payload: [UInt64]) {
        let base = base(slot)
        let sequence = memory.load(base) | 1
        memory.store(sequence, at: base)
        atomicMemoryFence(ordering: .releasing)
        memory.store(low, at: base + 1)
        memory.store(high, at: base + 2)
        for index in 0..<payloadWords {
            memory.store(index < payload.count ? payload[index] : 0, at: base + SharedRegion.slotHeaderWords + index)
        }
        memory.storeReleasing(sequence &+ 1, at: base)
    }

    private func base(_ slot: Int) -> Int {
        precondition(slot >= 0 && slot < slotCount, "a slot of the region")
        return start + SharedRegion.headerWords + slot * slotWords
    }

    // MARK: The whole

    /// Begins to write the region: makes vacant what a former writer was at when it died.
    package func takeOver() {
        // A new region is not looked at, for what is looked at takes memory.
        if memory.load(start + SharedRegion.takenWord) != 0 {
            for slot in 0..<slotCount where memory.load(base(slot)) & 1 == 1 { wipe(slot) }
        }
        memory.store(1, at: start + SharedRegion.takenWord)
    }

    /// Makes all slots vacant; for the master, when the writer is dead. Slots that were never written are not touched.
    package func clear() {
        for slot in 0..<slotCount where memory.load(base(slot)) != 0 { wipe(slot) }
        for index in 0..<SharedRegion.headerWords { memory.store(0, at: start + index) }
    }
}
