import Glibc

/// Shared memory with a part for each of several processes: each writes its own part and reads all of them.
///
/// ```
///   head (1 page) │ region 0 │ region 1 │ …           each region whole pages, and protected as such
/// ```
/// The head is written by the process that made the zone: its measures, how many regions were ever used, so that
/// readers need not look at others, and the secret of its keys. There are no locks: what is known of a key is what all
/// regions say together.
package final class SharedZone: Sendable {
    /// `zone` and a version; another layout is another number.
    private static let magic: UInt64 = 0x7A6F_6E65_0000_0001
    private enum Head {
        static let magic = 0, slotWords = 1, regionCount = 2, regionWords = 3, regionsUsed = 4, secret = 5
        static let secretWords = 4
        static let words = 9
    }

    private let memory: SharedMemory
    private let headWords: Int
    private let slotWords: Int
    private let regionWords: Int
    private let secret: Secret
    /// How many regions there can be.
    package let regionCount: Int
    /// This process's own part, which nobody else writes; nil where it has none.
    package let own: SharedRegion?

    /// Makes a zone whose parts are all vacant.
    ///
    /// Memory is used for what is written, so many regions cost nothing as long as nobody uses them.
    /// - Parameters:
    ///   - regionBytes: of each region, rounded up to whole pages.
    ///   - slotBytes: of a slot, a multiple of eight.
    ///   - own: the region that is written by this process itself, if any.
    package init(
        name: String, regionCount: Int, regionBytes: Int, slotBytes: Int, own: Int? = nil
    ) throws(IOError) {
        precondition(regionCount > 0 && slotBytes % 8 == 0 && slotBytes >= 32, "the measures of a zone")
        let regionBytes = SharedMemory.roundedUp(regionBytes)
        let headBytes = SharedMemory.roundedUp(Head.words * 8)
        let memory = try SharedMemory(name: name, bytes: headBytes + regionCount * regionBytes)
        let secret = Hashing.random(Head.secretWords * 8)
        memory.store(UInt64(slotBytes / 8), at: Head.slotWords)
        memory.store(UInt64(regionCount), at: Head.regionCount)
        memory.store(UInt64(regionBytes / 8), at: Head.regionWords)
        for (index, word) in words(of: secret.bytes).enumerated() { memory.store(word, at: Head.secret + index) }
        memory.storeReleasing(SharedZone.magic, at: Head.magic)
        self.memory = memory
        self.secret = secret
        self.regionCount = regionCount
        headWords = headBytes / 8
        slotWords = slotBytes / 8
        regionWords = regionBytes / 8
        self.own = own.map { number in
            SharedRegion(
                of: memory, at: headBytes / 8 + number * regionBytes / 8, count: regionBytes / 8,
                slotWords: slotBytes / 8)
        }
        if let own { open(own) }
    }

    /// Maps a zone that another process made; `descriptor` stays the caller's.
    /// - Parameter own: the region that is ours to write; nil for none.
    package init(mapping descriptor: Int32, own: Int?) throws(IOError) {
        let head = try SharedMemory(mapping: descriptor)
        let headBytes = SharedMemory.roundedUp(Head.words * 8)
        guard head.loadAcquiring(Head.magic) == SharedZone.magic,
            let slotWords = Int(exactly: head.load(Head.slotWords)), slotWords >= 4,
            let regionCount = Int(exactly: head.load(Head.regionCount)), regionCount > 0,
            let regionWords = Int(exactly: head.load(Head.regionWords)),
            regionWords >= SharedRegion.headerWords + slotWords,
            headBytes / 8 + regionCount * regionWords == head.count, own.map({ $0 < regionCount }) ?? true
        else { throw .system(.mmap, code: EINVAL) }
        let start = headBytes / 8 + (own ?? 0) * regionWords
        let memory = try SharedMemory(mapping: descriptor, writing: own == nil ? 0..<0 : start..<(start + regionWords))
        let stored = (0..<Head.secretWords).map { head.load(Head.secret + $0) }
        self.memory = memory
        secret = Secret(bytes(of: stored))
        headWords = headBytes / 8
        self.slotWords = slotWords
        self.regionCount = regionCount
        self.regionWords = regionWords
        self.own = own.map { _ in SharedRegion(of: memory, at: start, count: regionWords, slotWords: slotWords) }
    }

    /// What other processes map it by, in the process that made it.
    package var descriptor: Int32? { memory.descriptor }

    /// How many regions are to be read: all that were ever used.
    package var regionsUsed: Int { min(regionCount, Int(truncatingIfNeeded: memory.loadAcquiring(Head.regionsUsed))) }

    /// A region, for reading, or for clearing by the process that made the zone.
    package func region(_ number: Int) -> SharedRegion {
        precondition(number >= 0 && number < regionCount, "a region of the zone")
        return SharedRegion(
            of: memory, at: headWords + number * regionWords, count: regionWords, slotWords: slotWords)
    }

    /// Has everybody read this region from now on; for the process that made the zone.
    package func open(_ number: Int) {
        guard number >= regionsUsed else { return }
        memory.storeReleasing(UInt64(number + 1), at: Head.regionsUsed)
    }

    /// The entries with a key, in all regions.
    package func entries(_ key: SharedKey) -> [SharedRegion.Entry] {
        (0..<regionsUsed).compactMap { region($0).entry(key) }
    }

    /// The key of what these bytes say. Without the zone's secret nobody can choose bytes whose keys meet.
    package func key(of subject: [UInt8]) -> SharedKey {
        let digest = words(of: Hashing.hmac(secret, subject))
        return SharedKey(low: digest[0], high: digest[1])
    }
}

/// Eight bytes a word, the first the lowest; a last word that is not full is filled with zeros.
func words(of bytes: [UInt8]) -> [UInt64] {
    stride(from: 0, to: bytes.count, by: 8).map { start in
        bytes[start..<min(start + 8, bytes.count)].reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
}

/// The bytes of whole words.
func bytes(of words: some Sequence<UInt64>) -> [UInt8] {
    words.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) } }
}
