import AsyncIO
import Glibc
import MailSessions

/// A configuration in force, with all it needs in this process: its logs and its sockets are open.
struct Setup: Sendable {
    /// How the configuration is read, at the start and at each reload.
    let source: Source
    let configuration: Configuration
    let log: Log
    let sockets: BoundSockets
    let zones: SharedZones
    /// Whom the workers run as; nil leaves it.
    let credentials: Credentials?
    /// How many workers there are.
    let workers: Int
    /// Whether there is a master besides the workers; a reload does not change it.
    let hasMaster: Bool
    /// Where PAM is asked; a reload does not change it.
    let pam: PAMChannel

    /// What the command line asks for.
    struct Source: Sendable {
        let choice: ConfigurationChoice
        /// Without a configuration file there is the demo.
        let demo: Demo?
        /// Kept over reloads, so that clients go on with their TLS sessions.
        let ticketSeed = TLSTicketSeed()

        /// Reads and checks the configuration.
        func load() throws(StartFailure) -> Configuration {
            do throws(ConfigurationError) {
                return try choice.loadConfiguration(
                    demo: demo?.ports ?? DemoConfiguration.placeholders, ticketSeed: ticketSeed)
            } catch {
                throw StartFailure(error)
            }
        }

        /// Whether there is a master besides the workers.
        func hasMaster(_ configuration: Configuration) -> Bool { configuration.core.hasMaster || demo != nil }
    }

    /// Opens what a checked configuration needs.
    /// - Parameters:
    ///   - log: the open log of this configuration.
    ///   - old: what is in force until now; what both have is kept open.
    ///   - inherited: what the program before this one listened on.
    init(
        _ source: Source, _ configuration: Configuration, log: Log, credentials: Credentials?,
        replacing old: Setup? = nil, inherited: [ListeningSocket] = []
    ) throws(StartFailure) {
        self.source = source
        self.configuration = configuration
        self.log = log
        self.credentials = credentials
        hasMaster = old?.hasMaster ?? source.hasMaster(configuration)
        pam = if let old { old.pam } else { try PAMChannel() }
        workers =
            hasMaster
            ? configuration.core.workerProcesses.workers(processors: WorkerCount.processorsForUs) : 1
        zones = try SharedZones(
            configuration.zones, workers: workers, isAlone: !hasMaster, keeping: old?.zones)
        do throws(StartFailure) {
            sockets = try BoundSockets(
                configuration.sockets, workers: workers, keeping: old?.sockets, inherited: inherited)
        } catch {
            guard source.demo != nil else { throw error }
            throw StartFailure(error.text, hint: DemoConfiguration.portHint)
        }
        guard var encoded = handover(toWorker: 0, region: 0, having: []).handover.encoded else {
            sockets.close(exceptThoseOf: old?.sockets)
            throw StartFailure("the configuration is larger than \(WorkerHandover.bytesMaximum) bytes")
        }
        wipe(&encoded)
    }

    /// The setup that the configuration asks for as it is written now; this one stays as it is when that fails.
    ///
    /// The sockets of both are open afterwards: whoever goes on with the new one closes what only the old has.
    func renewed() throws(StartFailure) -> Setup {
        let configuration = try source.load()
        let credentials = try Credentials.ofWorkers(configuration)
        let log: Log
        do throws(SourceError) {
            log = try Log(configuration, sharing: self.log)
        } catch {
            throw StartFailure(error)
        }
        if configuration.events.method != self.configuration.events.method {
            _ = try KernelChoice(configuration.events.method).makeForWorker()
        }
        return try Setup(source, configuration, log: log, credentials: credentials, replacing: self)
    }

    /// `renewed`, or nil after the log in force has been told why not.
    func renewedOrReported() -> Setup? {
        do throws(StartFailure) {
            return try renewed()
        } catch {
            report(refused: error)
            return nil
        }
    }

    /// Says why a new configuration does not take the place of this one.
    func report(refused failure: StartFailure) {
        log.write(.emerg, failure.text)
        if let hint = failure.hint { log.write(.error, hint) }
        log.write(.error, "the new configuration is not used, going on with the old one")
    }

    /// Puts this setup in the place of `old`: says what there is to say, opens logs anew, and closes the
    /// sockets that are not wanted any more.
    /// - Parameter closesSockets: false where the `Supervisor` of this process does.
    func takeOver(from old: Setup, closesSockets: Bool = true) {
        log.reopen(owner: credentials)
        reportNotices()
        for path in old.sockets.close(exceptThoseOf: sockets, areOurs: closesSockets) {
            log.write(.notice, "deleting socket \(quoted(path))")
        }
        log.write(.notice, "reconfigured")
    }

    /// What a worker is sent that writes this region and has the sockets `known`, by serial number; and the descriptors
    /// of the others, then those of the zones.
    func handover(
        toWorker number: Int, region: Int, having known: Set<Int>
    ) -> (handover: WorkerHandover, descriptors: [Int32]) {
        let its = sockets.sockets(ofWorker: number)
        let newcomers = its.filter { !known.contains($0.serial) }
        let handover = WorkerHandover(
            origin: configuration.origin, number: number, sockets: its.map(\.serial),
            newcomers: newcomers.map(\.serial), zones: zones.all.map(\.serial), region: region)
        return (handover, newcomers.map(\.socket.descriptor) + zones.descriptors)
    }

    /// Says in its log what the administrator should know.
    func reportNotices() {
        for (level, text) in notices { log.write(level, text) }
    }

    /// What the administrator should know, in the order of the configuration.
    var notices: [(LogLevel, String)] {
        var notices = configuration.notices.map { ($0.level, $0.description) }
        if configuration.core.user != nil, credentials == nil { notices.append((.warn, Credentials.uselessWarning)) }
        // The demo has nothing to lose, and nobody configures it.
        if geteuid() == 0, hasMaster, source.demo == nil, configuration.core.user == nil {
            notices.append((.warn, Credentials.missingWarning))
        }
        if source.hasMaster(configuration) != hasMaster {
            notices.append((.warn, "\"master_process\" cannot change at a reload, ignored"))
        }
        if case .masks(let masks) = configuration.core.affinity, masks.count > 1, masks.count != workers {
            notices.append((.warn, ProcessorAffinity.unequalWarning))
        }
        return notices + sockets.warnings.map { (.emerg, $0) }
    }
}

extension Configuration {
    /// What a process takes on when it is born and cannot change afterwards; when it differs after a
    /// reload, workers are replaced by new ones. The names are those of the directives.
    func birthmarks(differingFrom other: Configuration) -> [String] {
        let same: [(String, Bool)] = [
            // Not the number: only who is alone accepts in a way that leaves others nothing.
            ("worker_processes", core.hasOneWorker == other.core.hasOneWorker),
            ("user", core.user == other.core.user),
            ("worker_rlimit_nofile", core.openFilesMaximum == other.core.openFilesMaximum),
            ("worker_priority", core.priority == other.core.priority),
            ("worker_cpu_affinity", core.affinity == other.core.affinity),
            ("working_directory", core.workingDirectory == other.core.workingDirectory),
            ("env", core.environment == other.core.environment),
            ("use", events.method == other.events.method),
        ]
        return same.filter { !$0.1 }.map(\.0)
    }
}
