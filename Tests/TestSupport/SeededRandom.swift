import Glibc

/// Repeatable chance: the same seed gives the same sequence (SplitMix64). Tests print their seed.
package struct SeededRandom: RandomNumberGenerator, Sendable {
    private var state: UInt64

    package init(seed: UInt64) { state = seed }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }

    /// From `FUZZ_SEED`, or the time of day, so that every run tries something new.
    package static var freshSeed: UInt64 {
        if let text = unsafe getenv("FUZZ_SEED"), let seed = UInt64(unsafe String(cString: text)) { return seed }
        return UInt64(UInt32(truncatingIfNeeded: time(nil))) << 20
    }

    /// True with the given probability, 0 to 1.
    package mutating func chance(_ probability: Double) -> Bool { Double.random(in: 0..<1, using: &self) < probability }

    /// `count` random bytes; eight come out of each number, for tests move megabytes of them.
    package mutating func bytes(_ count: Int) -> [UInt8] {
        let words = (0..<(count + 7) / 8).map { _ in next() }
        return unsafe words.withUnsafeBytes { unsafe Array($0.prefix(count)) }
    }
}
