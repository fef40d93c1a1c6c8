import Glibc

/// A process of the harness: bound to its cores, and dead as soon as the harness is.
///
/// It starts as this executable's hidden `tied` command, which asks the kernel for a signal at the parent's
/// death, binds itself to its cores and then becomes the wanted program.
final class ChildProcess {
    /// Where the child's standard streams go.
    enum Streams {
        /// Lines in both directions (`readLine`, `write`).
        case pipes
        /// Output and errors are appended to this file.
        case file(String)
    }

    let identifier: pid_t
    private let name: String
    private let input: Int32
    private let output: Int32
    private var received: [UInt8] = []
    private var hasEnded = false

    /// - Parameter parentDeathSignal: SIGKILL for our own; SIGTERM for servers, which take their workers along.
    init(
        name: String, program: String, arguments: [String], cores: [Int], parentDeathSignal: Int32 = SIGKILL,
        streams: Streams = .pipes
    ) throws(HarnessError) {
        self.name = name
        let tied =
            [
                "mailgateway-benchmarks", "tied", "--parent", String(getpid()), "--signal",
                String(parentDeathSignal), "--cores", cores.map(String.init).joined(separator: ","), "--", program,
            ] + arguments
        switch streams {
        case .pipes:
            let toChild = try Self.makePipe()
            let fromChild = try Self.makePipe()
            defer {
                close(toChild.read)
                close(fromChild.write)
            }
            identifier = try unsafe Self.spawn(tied) { actions in
                _ = unsafe posix_spawn_file_actions_adddup2(actions, toChild.read, 0)
                _ = unsafe posix_spawn_file_actions_adddup2(actions, fromChild.write, 1)
            }
            input = toChild.write
            output = fromChild.read
        case .file(let path):
            identifier = try unsafe Self.spawn(tied) { actions in
                _ = unsafe posix_spawn_file_actions_addopen(actions, 0, "/dev/null", O_RDONLY, 0)
                _ = unsafe posix_spawn_file_actions_addopen(actions, 1, path, O_WRONLY | O_CREAT | O_APPEND, 0o600)
                _ = unsafe posix_spawn_file_actions_adddup2(actions, 1, 2)
            }
            input = -1
            output = -1
        }
    }

    private static func makePipe() throws(HarnessError) -> (read: Int32, write: Int32) {
        var ends: [Int32] = [-1, -1]
        guard unsafe pipe(&ends) == 0 else { throw .system("pipe", errno) }
        // No other thread of this process starts children: none can inherit the ends between the two calls.
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        return (ends[0], ends[1])
    }

    /// Starts this executable in its own process group, with no signal blocked.
    private static func spawn(
        _ arguments: [String], _ addActions: (UnsafeMutablePointer<posix_spawn_file_actions_t>) -> Void
    ) throws(HarnessError) -> pid_t {
        var actions = unsafe posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        unsafe posix_spawn_file_actions_init(&actions)
        unsafe posix_spawnattr_init(&attributes)
        defer {
            unsafe posix_spawn_file_actions_destroy(&actions)
            unsafe posix_spawnattr_destroy(&attributes)
        }
        unsafe addActions(&actions)
        var nothing = sigset_t()
        unsafe sigemptyset(&nothing)
        unsafe posix_spawnattr_setsigmask(&attributes, &nothing)
        unsafe posix_spawnattr_setpgroup(&attributes, 0)
        unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP) | Int16(POSIX_SPAWN_SETSIGMASK))
        var identifier: pid_t = 0
        let code = unsafe withArgumentVector(arguments) { vector in
            unsafe posix_spawn(&identifier, "/proc/self/exe", &actions, &attributes, vector, environ)
        }
        guard code == 0 else { throw .system("posix_spawn", code) }
        return identifier
    }

    func write(_ line: String) {
        let bytes = Array((line + "\n").utf8)
        // A child that is gone shows at the next `readLine`.
        _ = unsafe bytes.withUnsafeBytes { unsafe Glibc.write(input, $0.baseAddress, $0.count) }
    }

    /// The child's next line, which must begin with `word`; its other words are returned.
    func readLine(_ word: String, seconds: UInt64) throws(HarnessError) -> [String] {
        let limit = now() + seconds * 1_000_000_000
        while true {
            if let end = received.firstIndex(of: UInt8(ascii: "\n")) {
                let line = String(decoding: received[..<end], as: UTF8.self)
                received.removeSubrange(...end)
                let words = line.split(separator: " ").map(String.init)
                guard words.first == word else { throw HarnessError("\(name): \(line)") }
                return Array(words.dropFirst())
            }
            try Interruption.check()
            guard now() < limit else { throw HarnessError("\(name) said nothing for \(seconds) s") }
            try receive()
        }
    }

    /// Waits at most 50 ms for bytes.
    private func receive() throws(HarnessError) {
        var waiting = pollfd(fd: output, events: Int16(POLLIN), revents: 0)
        guard unsafe poll(&waiting, 1, 50) > 0 else { return }
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = unsafe buffer.withUnsafeMutableBytes { unsafe read(output, $0.baseAddress, $0.count) }
        guard count > 0 else { throw HarnessError("\(name) ended before it was done") }
        received += buffer[..<count]
    }

    /// Whether the process is still there.
    var isRunning: Bool {
        if !hasEnded, waitpid(identifier, nil, WNOHANG) != 0 { hasEnded = true }
        return !hasEnded
    }

    /// Asks the process to end, gives it `seconds`, then kills its whole process group. May be called again.
    func stop(signal: Int32, seconds: UInt64) {
        if isRunning { kill(identifier, signal) }
        let limit = now() + seconds * 1_000_000_000
        while isRunning, now() < limit { usleep(2000) }
        kill(-identifier, SIGKILL)
        if !hasEnded {
            waitpid(identifier, nil, 0)
            hasEnded = true
        }
        if input >= 0 { close(input) }
        if output >= 0 { close(output) }
    }
}

/// Calls `body` with a null-terminated vector of C strings.
func withArgumentVector<Result>(
    _ arguments: [String], _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Result
) -> Result {
    var vector = unsafe arguments.map { unsafe strdup($0) } + [nil]
    defer { unsafe vector.forEach { unsafe free($0) } }
    return unsafe vector.withUnsafeMutableBufferPointer { buffer in
        guard let base = buffer.baseAddress else { preconditionFailure("the vector has its final nil") }
        return unsafe body(base)
    }
}

/// SIGINT and SIGTERM to the harness: blocked, and asked about at every wait, so that the way out is the usual one.
enum Interruption {
    /// Blocks the signals in this process; children start with none blocked.
    static func hold() {
        var signals = sigset_t()
        unsafe sigemptyset(&signals)
        unsafe sigaddset(&signals, SIGINT)
        unsafe sigaddset(&signals, SIGTERM)
        // A child that ended early is noticed when its next line does not come.
        unsafe sigaddset(&signals, SIGPIPE)
        unsafe sigprocmask(SIG_BLOCK, &signals, nil)
    }

    /// Throws when one of them has come.
    static func check() throws(HarnessError) {
        var pending = sigset_t()
        unsafe sigpending(&pending)
        for signal in [SIGINT, SIGTERM] where unsafe sigismember(&pending, signal) == 1 {
            throw HarnessError("interrupted")
        }
    }
}
