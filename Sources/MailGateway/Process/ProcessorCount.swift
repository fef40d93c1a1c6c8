import CLinux

extension WorkerCount {
    /// The number of workers on a machine that gives us `processors`.
    func workers(processors: Int) -> Int {
        switch self {
        case .automatic: max(1, processors)
        case .exactly(let number): number
        }
    }

    /// The number of processors that our affinity mask leaves us; at least 1.
    static var processorsForUs: Int { max(1, ProcessorMask.ours.numbers.count) }
}

extension CoreSettings {
    /// Whether one worker has all clients to itself: it accepts in another way then (`makeForWorker`).
    var hasOneWorker: Bool { workerProcesses.workers(processors: WorkerCount.processorsForUs) == 1 }
}

extension ProcessorMask {
    /// The processors that we may run on.
    static var ours: ProcessorMask {
        // Room for 8192 processors, the most that Linux is built for.
        var mask = [UInt8](repeating: 0, count: 1024)
        let length = unsafe mask.withUnsafeMutableBufferPointer {
            unsafe clinux_sched_getaffinity($0.baseAddress, UInt($0.count))
        }
        return ProcessorMask(bytes: mask.prefix(max(0, Int(length))))
    }

    /// Binds this thread, and those it starts, to these processors; what fails is `errno`.
    func bind() -> Bool {
        unsafe bytes.withUnsafeBufferPointer { unsafe clinux_sched_setaffinity($0.baseAddress, UInt($0.count)) } == 0
    }
}

extension ProcessorAffinity {
    /// nginx's warning where masks and workers are not one to one.
    static let unequalWarning =
        "the number of \"worker_processes\" is not equal to the number of \"worker_cpu_affinity\" masks, using "
        + "last mask for remaining worker processes"
}
