import CYardstick
import Glibc

/// Which cores the server under test gets, and which everything else.
struct Cores {
    /// One core, or all of them where there is only one.
    let server: [Int]
    let others: [Int]

    /// For servers of several workers, which share theirs with the load.
    var all: [Int] { isSeparate ? server + others : server }

    /// Whether the server has its core for itself.
    var isSeparate: Bool { others.first != server.first }

    private static let words = 16

    /// The cores that this process may use: the first for the server, the rest for load and back-ends.
    static func divide() throws(HarnessError) -> Cores {
        var mask = [UInt64](repeating: 0, count: words)
        guard unsafe linux_get_affinity(&mask, Int32(words)) > 0 else { throw .system("sched_getaffinity", errno) }
        let allowed = (0..<words * 64).filter { mask[$0 / 64] >> UInt64($0 % 64) & 1 == 1 }
        let others = allowed.count > 1 ? Array(allowed.dropFirst()) : allowed
        return Cores(server: Array(allowed.prefix(1)), others: others)
    }

    /// Binds this process and what it becomes or starts to `cores`.
    static func bind(to cores: [Int]) throws(HarnessError) {
        var mask = [UInt64](repeating: 0, count: words)
        for core in cores where core < words * 64 { mask[core / 64] |= 1 << UInt64(core % 64) }
        guard unsafe linux_set_affinity(mask, Int32(words)) == 0 else { throw .system("sched_setaffinity", errno) }
    }
}
