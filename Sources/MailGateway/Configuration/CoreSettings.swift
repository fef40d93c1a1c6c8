import MailSessions

/// The directives of the main level.
struct CoreSettings: Sendable, Hashable {
    let workerProcesses: WorkerCount
    /// `error_log` of the main level, at least one.
    let logs: [LogSettings]
    /// `pid`: where the master writes its process number; nil for nowhere.
    let pidFile: String?
    /// `daemon`: the master leaves its terminal and goes to the background.
    let isDaemon: Bool
    /// `master_process`: off means everything in one process.
    let hasMaster: Bool
    /// `user`: whom the workers run as; nil leaves it.
    let user: UserSettings?
    /// `worker_rlimit_nofile`, in descriptors; nil leaves it.
    let openFilesMaximum: Int?
    /// `worker_priority`, the nice value of the workers; nil leaves it.
    let priority: Int?
    /// `worker_cpu_affinity`; nil lets the kernel place the workers.
    let affinity: ProcessorAffinity?
    /// `working_directory` of the workers; nil leaves it.
    let workingDirectory: String?
    /// `env`, in the order written; `TZ` is always among them, or times in logs would change.
    let environment: [EnvironmentSetting]
    /// `worker_shutdown_timeout`; nil waits for as long as sessions last.
    let shutdownTimeout: Duration?

    /// Reads the values of the main level.
    init(_ values: ScopeChain) {
        workerProcesses = values[CoreDirectives.workerProcesses]
        logs = values[CoreDirectives.errorLog]
        pidFile = values[CoreDirectives.pid]
        isDaemon = values[CoreDirectives.daemon]
        hasMaster = values[CoreDirectives.masterProcess]
        user = values[CoreDirectives.user]
        openFilesMaximum = values[CoreDirectives.workerOpenFiles]
        priority = values[CoreDirectives.workerPriority]
        affinity = values[CoreDirectives.workerAffinity]
        workingDirectory = values[CoreDirectives.workingDirectory]
        let variables = values[CoreDirectives.environment] ?? []
        let hasZone = variables.contains { $0.name == "TZ" }
        environment = hasZone ? variables : variables + [EnvironmentSetting(name: "TZ", value: nil)]
        let timeout = values[CoreDirectives.workerShutdownTimeout]
        shutdownTimeout = timeout == .zero ? nil : timeout
    }
}

/// `worker_processes`.
enum WorkerCount: Sendable, Hashable {
    /// As many as the machine has processors for us.
    case automatic
    case exactly(Int)
}

/// `worker_cpu_affinity`: which processors a worker may run on.
enum ProcessorAffinity: Sendable, Hashable {
    /// One processor for each worker in turn, of those in the mask, or of all that there are for us.
    case automatic(ProcessorMask?)
    /// A mask for each worker; the last one is that of all further ones.
    case masks([ProcessorMask])

    /// The processors of a worker, counted from 0, on a machine that has `available` for us.
    func processors(ofWorker number: Int, available: ProcessorMask) -> ProcessorMask {
        switch self {
        case .masks(let masks): return masks[min(number, masks.count - 1)]
        case .automatic(let mask):
            let candidates = (mask ?? available).numbers
            return candidates.isEmpty ? available : ProcessorMask([candidates[number % candidates.count]])
        }
    }
}

/// A set of processors, by their numbers.
struct ProcessorMask: Sendable, Hashable {
    /// The most that Linux's own masks hold, as nginx says.
    static let processorsMaximum = 1024

    /// In ascending order.
    let numbers: [Int]

    /// A set of processors.
    init(_ numbers: [Int]) { self.numbers = numbers.sorted() }

    /// The bits of a mask as the kernel has it, the lowest bit of the first byte being processor 0.
    init(bytes: some Collection<UInt8>) {
        numbers = bytes.enumerated().flatMap { index, byte in
            (0..<8).filter { byte & 1 << $0 != 0 }.map { index * 8 + $0 }
        }
    }

    /// As the kernel wants it.
    var bytes: [UInt8] {
        var bytes = [UInt8](repeating: 0, count: ProcessorMask.processorsMaximum / 8)
        for number in numbers { bytes[number / 8] |= 1 << (number % 8) }
        return bytes
    }
}

/// `user name [group]`; names, not numbers: they are looked up by the process that takes them on.
struct UserSettings: Sendable, Hashable {
    let name: String
    /// The group named like the user, if not said otherwise.
    let group: String
    /// Where it says so, for whoever does not find them.
    let position: Position
}

/// `env NAME[=value]`.
struct EnvironmentSetting: Sendable, Hashable {
    let name: String
    /// nil hands the inherited value on.
    let value: String?
}

/// One `error_log`.
struct LogSettings: Sendable, Hashable {
    /// Where lines go.
    enum Target: Sendable, Hashable {
        case stderr
        /// An absolute path, or one relative to nothing when there is no prefix.
        case file(String)
        case syslog(SyslogSettings)
    }

    let target: Target
    /// The least severe level written.
    let level: LogLevel
}

/// The directives of `events {}`.
struct EventsSettings: Sendable, Hashable {
    /// Which kernel interface drives a worker.
    enum Method: Sendable, Hashable {
        case ioUring, epoll
    }

    /// `worker_connections`: sockets of a worker, of all kinds.
    let connectionsMaximum: Int
    /// `use`; nil takes the best that the kernel offers.
    let method: Method?

    /// Reads the values of `events {}`.
    init(_ values: ScopeChain) {
        connectionsMaximum = values[EventsDirectives.workerConnections]
        method = values[EventsDirectives.use]
    }
}
