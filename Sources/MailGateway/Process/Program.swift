import AsyncIO
import Glibc

/// This program as whoever started it sees it: how to start it again, and what it took over.
struct Program: Sendable {
    /// The file it was started from: by its name, so that it is the new one after that was replaced.
    let path: String
    /// The words it was started with.
    let arguments: [String]
    /// Started in the background, or by a program that may have been.
    private let isDetached: Bool
    /// The program that started this one to take over from it, if there was one.
    private let predecessor: pid_t?
    /// Where whoever waits hears that it serves.
    private let readiness: Int32?
    /// What the predecessor listens on, as it said.
    let inheritance: Inheritance?

    /// The listening sockets of the program before.
    struct Inheritance: Sendable {
        /// The variable's value, `5;6;`.
        let text: String
        let sockets: [ListeningSocket]
        /// What stands in the text and is none.
        let mistakes: [String]
    }

    /// Reads what the process was started with; to be called once, before there are other threads.
    init(arguments: [String] = CommandLine.arguments) {
        self.arguments = arguments
        path = Program.path(of: arguments.first ?? "")
        inheritance = ProcessEnvironment.take(ProcessEnvironment.inheritedSockets).map(Program.inheritance)
        predecessor = inheritance == nil ? nil : getppid()
        readiness = ProcessEnvironment.take(ProcessEnvironment.readiness).flatMap { Int32($0) }
        isDetached = readiness != nil || inheritance != nil
        if let readiness { _ = fcntl(readiness, F_SETFD, FD_CLOEXEC) }
    }

    /// Whether it still has to go to the background.
    func mustDetach(for configuration: Configuration) -> Bool { configuration.core.isDaemon && !isDetached }

    /// The signals that a master listens to. In the foreground WINCH only says that a terminal's window
    /// has another size.
    func signals(of configuration: Configuration) -> [Int32] {
        ProcessSignals.master + (configuration.core.isDaemon && isDetached ? [SIGWINCH] : [])
    }

    /// Whether the program that this one takes over from is still there.
    var hasLivingPredecessor: Bool { predecessor != nil && predecessor == getppid() }

    /// Tells whoever waits for a process in the background that it serves, and lets go of the terminal.
    func isReady() {
        guard let readiness else { return }
        let null = unsafe open("/dev/null", O_RDWR | O_CLOEXEC)
        if null >= 0 {
            // Standard error stays: a log may go there.
            for standard in [STDIN_FILENO, STDOUT_FILENO] { dup2(null, standard) }
            close(null)
        }
        var word: UInt8 = 1
        _ = unsafe write(readiness, &word, 1)
        close(readiness)
    }
}

// MARK: Starting it again

extension Program {
    /// Starts the program in the background and waits until it serves; returns the exit code of both.
    ///
    /// It is started anew rather than forked, which the language's runtime does not survive.
    func detach() throws(StartFailure) -> Int32 {
        var ends: [Int32] = [-1, -1]
        guard unsafe pipe(&ends) == 0 else { throw .lastError("pipe()") }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        defer { close(ends[0]) }
        let id: pid_t
        do throws(IOError) {
            defer { close(ends[1]) }
            id = try ChildProcess.spawn(
                "/proc/self/exe", arguments, inherited: [ends[1]],
                environment: ProcessEnvironment.all + ["\(ProcessEnvironment.readiness)=\(ends[1])"],
                hasOwnSession: true)
        } catch {
            throw StartFailure("\(error)")
        }
        var word: UInt8 = 0
        while true {
            let count = unsafe read(ends[0], &word, 1)
            if count == 1 { return 0 }
            if count == 0 || errno != EINTR { break }
        }
        // It has ended, and said why.
        var status: Int32 = 0
        unsafe waitpid(id, &status, 0)
        return status & 0x7f == 0 ? max(1, status >> 8 & 0xff) : 1
    }

    /// Starts whatever the program's file is by now, which takes over the sockets of `setup`.
    func startSuccessor(of setup: Setup, on executor: RingExecutor) throws(StartFailure) -> ChildProcess {
        let descriptors = setup.sockets.all.map(\.socket.descriptor)
        let inheritance = descriptors.map { "\($0);" }.joined()
        let variables = EnvironmentSetting.values(setup.configuration.core.environment)
        do throws(IOError) {
            return try ChildProcess(
                // By its whole name: it has no PATH to look for its own successor.
                path: path, arguments: [path] + arguments.dropFirst(), inherited: descriptors,
                environment: variables.map { "\($0.name)=\($0.value)" }
                    + ["\(ProcessEnvironment.inheritedSockets)=\(inheritance)"],
                executor: executor)
        } catch {
            throw StartFailure("\(error) while executing new binary process \(quoted(path))")
        }
    }

    /// The absolute path of the program called by `name`, found as a shell finds it.
    static func path(of name: String, searching directories: String? = ProcessEnvironment.value("PATH")) -> String {
        if name.contains("/") { return joined(currentDirectory, name) }
        for directory in (directories ?? "").split(separator: ":") where !name.isEmpty {
            let candidate = joined(currentDirectory, joined(String(directory), name))
            if unsafe access(candidate, X_OK) == 0 { return candidate }
        }
        // Called by a name that leads nowhere; the file itself does, unless it is replaced.
        return "/proc/self/exe"
    }

    /// Where the process is; empty where that is no more.
    static var currentDirectory: String {
        guard let text = unsafe getcwd(nil, 0) else { return "" }
        defer { unsafe free(text) }
        return unsafe String(cString: text)
    }

    /// Reads the list of descriptors; nginx's texts for what is wrong in it.
    static func inheritance(_ text: String) -> Inheritance {
        var sockets: [ListeningSocket] = []
        var mistakes: [String] = []
        var rest = text[...]
        while let end = rest.firstIndex(where: { $0 == ";" || $0 == ":" }) {
            guard let number = decimal(rest[..<end], in: 0...Int(Int32.max)) else { break }
            if let socket = ListeningSocket(adopting: Int32(number)) {
                sockets.append(socket)
            } else {
                mistakes.append("the inherited socket #\(number) does not listen, ignoring it")
            }
            rest = rest[rest.index(after: end)...]
        }
        if !rest.isEmpty {
            mistakes.append(
                "invalid socket number \(quoted(String(rest))) in \(ProcessEnvironment.inheritedSockets) environment "
                    + "variable, ignoring the rest of the variable")
        }
        return Inheritance(text: text, sockets: sockets, mistakes: mistakes)
    }
}
