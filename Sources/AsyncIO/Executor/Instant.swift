import Glibc

/// A moment on the kernel's monotonic clock, in nanoseconds since an arbitrary start.
///
/// Wall-clock steps do not move it (security-checklist H5). In tests the simulated kernel's virtual
/// clock takes its place.
package struct Instant: Sendable, Hashable, Comparable {
    package var nanoseconds: UInt64

    package init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

    /// Later than every deadline; as a deadline it means none.
    package static let never = Instant(nanoseconds: .max)

    /// The monotonic clock's reading (`clock_gettime`, no system call on Linux).
    package static var now: Instant {
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return Instant(nanoseconds: UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec))
    }

    package static func < (left: Instant, right: Instant) -> Bool { left.nanoseconds < right.nanoseconds }

    /// Negative durations count as zero; sums beyond the clock's range are `never`.
    package static func + (instant: Instant, duration: Duration) -> Instant {
        instant.advanced(byNanoseconds: duration.wholeNanoseconds)
    }

    /// As `+`, without the 128-bit division that taking a `Duration` apart costs; for hot paths.
    func advanced(byNanoseconds nanoseconds: UInt64) -> Instant {
        let (sum, carry) = self.nanoseconds.addingReportingOverflow(nanoseconds)
        return carry ? .never : Instant(nanoseconds: sum)
    }

    /// Nanoseconds from `earlier` to this moment; zero when they are the wrong way round.
    func nanoseconds(since earlier: Instant) -> UInt64 {
        nanoseconds > earlier.nanoseconds ? nanoseconds - earlier.nanoseconds : 0
    }

    /// The time from `earlier` to `later`; zero when they are the wrong way round.
    package static func - (later: Instant, earlier: Instant) -> Duration {
        .nanoseconds(later > earlier ? Int64(clamping: later.nanoseconds - earlier.nanoseconds) : 0)
    }
}

extension Duration {
    /// In nanoseconds, rounded down; negative durations count as zero, those beyond 64 bits as the most.
    var wholeNanoseconds: UInt64 {
        UInt64(clamping: attoseconds / 1_000_000_000)
    }
}
