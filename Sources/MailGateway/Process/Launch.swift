import AsyncIO
import CLinux
import Glibc

/// The way from the command line to a running gateway: everything that can be refused, before anything is opened.
struct Launch {
    let options: RunOptions

    /// Runs the gateway; returns its exit code when it has ended.
    func run() -> Int32 {
        ProcessSignals.prepare(for: ProcessSignals.master)
        var log: Log?
        do throws(StartFailure) {
            let demo = try options.path == nil ? checkedDemo() : nil
            // Accounts and shared secrets are about to be read: they must not reach a core file.
            guard clinux_forbid_core_dumps() == 0 else { throw .lastError("prctl(PR_SET_DUMPABLE)") }
            let configuration = try load(demo)
            let credentials = try Credentials.ofWorkers(configuration)
            do throws(SourceError) { log = try Log(configuration) } catch { throw StartFailure(error) }
            guard let log else { return 1 }
            report(configuration.notices, to: log)
            if configuration.core.user != nil, credentials == nil { warn(Credentials.uselessWarning, log) }
            // Refused here rather than again and again by every worker, and explained once.
            if let advice = try KernelChoice(configuration.events.method).makeForWorker().advice { warn(advice, log) }
            return try serve(configuration, credentials, demo, log)
        } catch {
            report(error, to: log)
            return 1
        }
    }

    private func serve(
        _ configuration: Configuration, _ credentials: Credentials?, _ demo: Demo?, _ log: Log
    ) throws(StartFailure) -> Int32 {
        let hasMaster = configuration.core.hasMaster || demo != nil
        let workers =
            hasMaster ? configuration.core.workerProcesses.workers(processors: WorkerCount.processorsForUs) : 1
        let sockets: BoundSockets
        do throws(StartFailure) {
            sockets = try BoundSockets(configuration.sockets, workers: workers)
        } catch {
            guard demo != nil else { throw error }
            throw StartFailure(error.text, hint: DemoConfiguration.portHint)
        }
        for warning in sockets.warnings { log.write(.emerg, warning) }
        if hasMaster {
            return try Master(
                configuration: configuration, sockets: sockets, workers: workers, log: log, credentials: credentials,
                demo: demo
            ).run()
        }
        defer { sockets.removeFiles() }
        let pidFile = try configuration.core.pidFile.map { (path) throws(StartFailure) in try PIDFile(path) }
        defer { pidFile?.remove() }
        try Worker.runAlone(configuration, descriptors: sockets.descriptors(ofWorker: 0), log: log)
        return 0
    }

    /// The demo with its sockets open; a mistake in `-g` is found before that.
    private func checkedDemo() throws(StartFailure) -> Demo {
        _ = try load(nil)
        return try Demo()
    }

    private func load(_ demo: Demo?) throws(StartFailure) -> Configuration {
        do throws(ConfigurationError) {
            return try options.loadConfiguration(demo: demo?.ports ?? DemoConfiguration.placeholders)
        } catch {
            throw StartFailure(error)
        }
    }

    // MARK: Telling

    private func report(_ notices: [Notice], to log: Log) {
        for notice in notices {
            if notice.level >= .warn { warn(notice.description, log) } else { log.write(notice.level, "\(notice)") }
        }
    }

    /// Writes a warning to the log, and to the terminal unless it shows the log.
    private func warn(_ text: String, _ log: Log) {
        log.write(.warn, text)
        if !log.writesToStandardError || !log.isEnabled(.warn) { Terminal.complain(.warn, text) }
    }

    /// Says on the terminal why it cannot start, and in the log: the configuration's, or before that is
    /// known the one of `-e`.
    private func report(_ failure: StartFailure, to log: Log?) {
        Terminal.complain(failure)
        if let log {
            if !log.writesToStandardError { log.write(.emerg, failure.text) }
        } else if let early = options.earlyLog {
            do throws(SourceError) {
                try Log([LogSettings(target: .file(early), level: .notice)]).write(.emerg, failure.text)
            } catch {
                Terminal.complain(.alert, "could not open error log file: \(error.text)")
            }
        }
    }
}
