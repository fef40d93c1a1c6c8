import Testing

@testable import AsyncIO

@Suite struct InstantTests {
    private static let start = Instant(nanoseconds: 1_000_000_000)

    @Test(
        "sums",
        arguments: [
            (.zero, 1_000_000_000), (.nanoseconds(1), 1_000_000_001), (.milliseconds(1500), 2_500_000_000),
            (.seconds(3), 4_000_000_000), (.seconds(-3), 1_000_000_000), (.milliseconds(-1), 1_000_000_000),
            // A part of a nanosecond does not count.
            (Duration(secondsComponent: 0, attosecondsComponent: 999_999_999), 1_000_000_000),
        ] as [(Duration, UInt64)])
    func sums(_ duration: Duration, _ nanoseconds: UInt64) {
        #expect((InstantTests.start + duration).nanoseconds == nanoseconds)
    }

    @Test(
        "beyond the clock's range is never",
        arguments: [
            .seconds(Int64.max), .seconds(18_446_744_073), .seconds(18_446_744_074),
        ] as [Duration])
    func overflow(_ duration: Duration) {
        #expect(InstantTests.start + duration == .never)
        #expect(Instant.never + duration == .never)
    }

    @Test func differences() {
        let later = InstantTests.start + .milliseconds(7)
        #expect(later - InstantTests.start == .milliseconds(7))
        #expect(InstantTests.start - later == .zero)
        #expect(InstantTests.start - InstantTests.start == .zero)
        #expect(Instant.never - Instant(nanoseconds: 0) == .nanoseconds(Int64.max))
        #expect(InstantTests.start < later && later < .never)
    }

    @Test func theClockDoesNotGoBack() {
        let first = Instant.now
        #expect(first <= Instant.now)
    }
}
