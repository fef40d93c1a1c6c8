import CLinux

extension WorkerCount {
    /// The number of workers on a machine that gives us `processors`.
    func workers(processors: Int) -> Int {
        switch self {
        case .automatic: max(1, processors)
        case .exactly(let number): number
        }
    }

    /// The processors that our affinity mask leaves us; at least 1.
    static var processorsForUs: Int {
        // Room for 8192 processors, the most that Linux is built for.
        var mask = [UInt8](repeating: 0, count: 1024)
        let length = unsafe mask.withUnsafeMutableBufferPointer {
            unsafe clinux_sched_getaffinity($0.baseAddress, UInt($0.count))
        }
        guard length > 0 else { return 1 }
        return max(1, mask.prefix(Int(length)).reduce(0) { $0 + $1.nonzeroBitCount })
    }
}
