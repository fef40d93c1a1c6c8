import CLinux
import Glibc

/// What a process takes on before it serves as a worker, and keeps for its life.
struct WorkerRole {
    private let configuration: Configuration
    private let log: Log

    /// The role that `configuration` describes.
    init(_ configuration: Configuration, log: Log) {
        self.configuration = configuration
        self.log = log
    }

    /// `env`: the variables said, and nothing else.
    static func setEnvironment(_ settings: [EnvironmentSetting]) {
        let values = EnvironmentSetting.values(settings)
        clearenv()
        for (name, value) in values { unsafe setenv(name, value, 1) }
    }

    /// As many descriptors as `worker_rlimit_nofile` says, else as many as we may have.
    func raiseFileLimit() {
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        var limit = rlimit()
        guard unsafe getrlimit(resource, &limit) == 0 else { return }
        if let maximum = configuration.core.openFilesMaximum {
            limit.rlim_cur = rlim_t(maximum)
            limit.rlim_max = rlim_t(maximum)
        } else {
            limit.rlim_cur = limit.rlim_max
        }
        if unsafe setrlimit(resource, &limit) != 0 {
            log.write(.alert, StartFailure.lastError("setrlimit(RLIMIT_NOFILE, \(limit.rlim_cur))").text)
        }
        let connections = configuration.events.connectionsMaximum
        if unsafe getrlimit(resource, &limit) == 0, rlim_t(connections) > limit.rlim_cur {
            log.write(
                .warn, "\(connections) worker_connections exceed open file resource limit: \(limit.rlim_cur)")
        }
    }

    /// Takes the place of the worker with this number, counted from 0: priority, processors, user, directory.
    ///
    /// As in nginx, one process that is everything stays who and where it is.
    func take(_ number: Int) throws(StartFailure) {
        takePriority()
        bindToProcessors(number)
        try Credentials.ofWorkers(configuration)?.take()
        if let directory = configuration.core.workingDirectory, unsafe chdir(directory) != 0 {
            throw .lastError("chdir(\(quoted(directory)))")
        }
    }

    /// Keeps credentials out of core files: before the first of them is read, and again after setuid, which resets it.
    static func keepSecrets() throws(StartFailure) {
        guard clinux_forbid_core_dumps() == 0 else { throw .lastError("prctl(PR_SET_DUMPABLE)") }
    }

    private func takePriority() {
        guard let priority = configuration.core.priority else { return }
        guard setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, Int32(priority)) != 0 else { return }
        log.write(.alert, StartFailure.lastError("setpriority(\(priority))").text)
    }

    private func bindToProcessors(_ number: Int) {
        guard let affinity = configuration.core.affinity else { return }
        let processors = affinity.processors(ofWorker: number, available: .ours)
        for processor in processors.numbers { log.write(.notice, "sched_setaffinity(): using cpu #\(processor)") }
        if !processors.bind() { log.write(.alert, StartFailure.lastError("sched_setaffinity()").text) }
    }
}
