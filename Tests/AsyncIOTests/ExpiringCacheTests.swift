import Testing

@testable import AsyncIO

@Suite struct ExpiringCacheTests {
    private let start = Instant(nanoseconds: 1_000_000_000)
    private static let maximum = 100

    @Test func `values go when their time is over`() {
        var cache = ExpiringCache<Int, String>(maximum: Self.maximum)
        cache.keep("a", of: 1, for: .seconds(5), at: start)
        #expect(cache.value(of: 1, at: start + .milliseconds(4999)) == "a")
        #expect(cache.value(of: 1, at: start + .seconds(5)) == nil)
        #expect(cache.count == 0)
        cache.keep("a", of: 1, for: .zero, at: start)
        #expect(cache.value(of: 1, at: start) == nil)
    }

    @Test func `the oldest goes when there are too many`() {
        var cache = ExpiringCache<Int, Int>(maximum: Self.maximum)
        for number in 0..<Self.maximum { cache.keep(number, of: number, for: .seconds(5), at: start) }
        #expect(cache.value(of: 0, at: start) == 0)
        cache.keep(-1, of: -1, for: .seconds(5), at: start)
        #expect(cache.count == Self.maximum)
        #expect(cache.value(of: 0, at: start) == nil)
        #expect(cache.value(of: 1, at: start) == 1)
    }

    @Test func `putting one in again and again does not push the others out`() {
        var cache = ExpiringCache<Int, Int>(maximum: Self.maximum)
        for number in 0..<3 * Self.maximum { cache.keep(number, of: 0, for: .seconds(9), at: start) }
        #expect(cache.count == 1)
        #expect(cache.value(of: 0, at: start) == 3 * Self.maximum - 1)
        for number in 1..<Self.maximum { cache.keep(number, of: number, for: .seconds(9), at: start) }
        #expect(cache.count == Self.maximum)
    }

    @Test func `what is over is let go with the next that comes, and what is forgotten at once`() {
        var cache = ExpiringCache<Int, Int>(maximum: Self.maximum)
        for number in 0..<10 { cache.keep(number, of: number, for: .seconds(1), at: start) }
        cache.keep(10, of: 10, for: .seconds(9), at: start + .seconds(2))
        #expect(cache.count == 1)
        cache.forget(10)
        #expect(cache.count == 0)
        #expect(cache.value(of: 10, at: start + .seconds(2)) == nil)
    }

    @Test func `one for nothing keeps nothing`() {
        var cache = ExpiringCache<Int, Int>(maximum: 0)
        cache.keep(1, of: 1, for: .seconds(1), at: start)
        #expect(cache.count == 0)
    }
}
