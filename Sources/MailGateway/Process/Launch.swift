import AsyncIO
import CLinux
import Glibc
import MailSessions

/// The way from the command line to a running gateway: everything that can be refused, before anything is opened.
struct Launch {
    let choice: ConfigurationChoice

    /// Runs the gateway; returns its exit code when it has ended, or serves in the background.
    func run() -> Int32 {
        RuntimeTuning.apply(to: Swift.CommandLine.arguments)
        ProcessSignals.prepare(for: ProcessSignals.master + [SIGWINCH])
        let program = Program()
        var log: Log?
        do throws(StartFailure) {
            guard let setup = try prepare(program, &log) else { return try program.detach() }
            return try serve(consume setup, program)
        } catch {
            report(error, to: log)
            return 1
        }
    }

    /// The setup to be run, which nobody else holds; nil where the program has to go to the background first.
    private func prepare(_ program: Program, _ log: inout Log?) throws(StartFailure) -> Setup? {
        let source = Setup.Source(choice: choice.absolute, demo: try choice.path == nil ? checkedDemo() : nil)
        // Accounts and shared secrets are about to be read: they must not reach a core file.
        guard clinux_forbid_core_dumps() == 0 else { throw .lastError("prctl(PR_SET_DUMPABLE)") }
        let configuration = try source.load()
        if program.mustDetach(for: configuration) { return nil }
        let credentials = try Credentials.ofWorkers(configuration)
        let opened: Log
        do throws(SourceError) { opened = try Log(configuration) } catch { throw StartFailure(error) }
        log = opened
        report(program.inheritance, to: opened)
        // Refused here rather than again and again by every worker, and explained once.
        let advice = try KernelChoice(configuration.events.method).makeForWorker().advice
        let setup = try Setup(
            source, configuration, log: opened, credentials: credentials,
            inherited: program.inheritance?.sockets ?? [])
        report(setup.notices, to: opened)
        if let advice { warn(.warn, advice, opened) }
        return setup
    }

    private func serve(_ setup: consuming Setup, _ program: Program) throws(StartFailure) -> Int32 {
        if setup.hasMaster { return try Master.run(consume setup, program) }
        let path = setup.configuration.core.pidFile
        let pidFile = try path.map { (path) throws(StartFailure) in try PIDFile(path) }
        defer { pidFile?.remove() }
        program.isReady()
        try Worker.runAlone(consume setup)
        return 0
    }

    /// The demo with its sockets open; a mistake in `-g` is found before that.
    private func checkedDemo() throws(StartFailure) -> Demo {
        _ = try Setup.Source(choice: choice, demo: nil).load()
        return try Demo()
    }

    // MARK: Telling

    private func report(_ notices: [(LogLevel, String)], to log: Log) {
        for (level, text) in notices {
            if level >= .warn { warn(level, text, log) } else { log.write(level, text) }
        }
    }

    private func report(_ inheritance: Program.Inheritance?, to log: Log) {
        guard let inheritance else { return }
        log.write(.notice, "using inherited sockets from \(quoted(inheritance.text))")
        for mistake in inheritance.mistakes { log.write(.emerg, mistake) }
    }

    /// Writes a warning to the log, and to the terminal unless it shows the log.
    private func warn(_ level: LogLevel, _ text: String, _ log: Log) {
        log.write(level, text)
        if !log.writesToStandardError || !log.isEnabled(level) { Terminal.complain(level, text) }
    }

    /// Says on the terminal why it cannot start, and in the log: the configuration's, or before that is
    /// known the one of `-e`.
    private func report(_ failure: StartFailure, to log: Log?) {
        Terminal.complain(failure)
        if let log {
            if !log.writesToStandardError { log.write(.emerg, failure.text) }
        } else if let early = choice.earlyLog {
            do throws(SourceError) {
                try Log([LogSettings(target: .file(early), level: .notice)]).write(.emerg, failure.text)
            } catch {
                Terminal.complain(.alert, "could not open error log file: \(error.text)")
            }
        }
    }
}
