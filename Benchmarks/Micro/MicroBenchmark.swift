import CAllocations
import Glibc

/// One operation of the gateway's code, done over and over in this process.
struct MicroBenchmark: Sendable {
    /// What stands in the table and behind `--only`.
    let name: String
    let summary: String
    /// How often it is done in one measurement, so that it takes some tens of milliseconds.
    let count: Int
    /// Does it so many times.
    let body: @Sendable (Int) throws -> Void

    /// What one operation costs: the least of several measurements, since whatever disturbs one makes it longer.
    struct Cost {
        let nanoseconds: Double
        let allocations: Double
    }

    func measure(rounds: Int) throws -> Cost {
        try body(count / 10 + 1)
        var best = Cost(nanoseconds: .infinity, allocations: 0)
        for _ in 0..<rounds {
            let (start, before) = (cpuTime(), allocations_so_far())
            try body(count)
            let (time, after) = (cpuTime() - start, allocations_so_far())
            let cost = Cost(
                nanoseconds: Double(time) / Double(count), allocations: Double(after - before) / Double(count))
            if cost.nanoseconds < best.nanoseconds { best = cost }
        }
        return best
    }

    /// This process's own, in nanoseconds: time in which others had the core does not count.
    private func cpuTime() -> UInt64 {
        var time = timespec()
        _ = unsafe clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    static let all: [MicroBenchmark] = executor + dialogues + tls
}
