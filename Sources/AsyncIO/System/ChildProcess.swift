import CLinux
import Glibc

/// A process that we started: told apart by a pidfd, so that its number cannot be mistaken for another's.
package final class ChildProcess: Sendable {
    package let id: Int32
    private let descriptor: Int32
    private let executor: RingExecutor

    /// How a process ended.
    package enum Exit: Sendable, Hashable {
        case code(Int32)
        case signal(Int32)
    }

    /// Starts `path` with `arguments` (the first is the program's name) and `environment`
    /// (`NAME=value`; ours when nil).
    ///
    /// It inherits standard input, output and error and, under their own numbers, the `inherited`
    /// descriptors. The signals we have blocked are blocked in it, too: one that comes before it
    /// listens waits there, instead of ending it or getting lost.
    package init(
        path: String, arguments: [String], inherited: [Int32], environment: [String]? = nil, executor: RingExecutor
    ) throws(IOError) {
        self.executor = executor
        id = try ChildProcess.spawn(path, arguments, inherited: inherited, environment: environment)
        let opened = clinux_pidfd_open(id)
        // The child cannot be reaped by anyone else before we look, so it is still there.
        guard opened >= 0 else {
            let failure = IOError.last(.pidfd)
            // Nobody else would end it, nor reap it.
            kill(id, SIGKILL)
            waitpid(id, nil, 0)
            throw failure
        }
        descriptor = opened
    }

    deinit { executor.kernel.close(descriptor) }

    /// Waits for the end and reaps it.
    package func exit(scope: CancellationScope) async throws(IOError) -> Exit {
        let completion = await executor.perform(
            .poll(events: UInt32(POLLIN)), on: descriptor, deadline: .never, scope: scope)
        _ = try completion.value(of: .poll)
        var status: Int32 = 0
        unsafe waitpid(id, &status, 0)
        let signal = status & 0x7f
        return signal == 0 ? .code((status >> 8) & 0xff) : .signal(signal)
    }

    /// Sends `signal`; nothing happens when the process has ended.
    package func send(_ signal: Int32) { _ = kill(id, signal) }

    /// Starts a process that the caller waits for by other means; as the initialiser.
    /// - Parameter hasOwnSession: it leads a session of its own, without a terminal.
    package static func spawn(
        _ path: String, _ arguments: [String], inherited: [Int32], environment: [String]? = nil,
        hasOwnSession: Bool = false
    ) throws(IOError) -> Int32 {
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        // Onto itself: clears close-on-exec in the child (glibc 2.29).
        for descriptor in inherited { unsafe posix_spawn_file_actions_adddup2(&actions, descriptor, descriptor) }
        var attributes = posix_spawnattr_t()
        unsafe posix_spawnattr_init(&attributes)
        defer { unsafe posix_spawnattr_destroy(&attributes) }
        if hasOwnSession { unsafe posix_spawnattr_setflags(&attributes, ChildProcess.ownSession) }
        var words: [UnsafeMutablePointer<CChar>?] = unsafe arguments.map { unsafe strdup($0) } + [nil]
        defer { unsafe words.forEach { unsafe free($0) } }
        var variables: [UnsafeMutablePointer<CChar>?] = unsafe (environment ?? []).map { unsafe strdup($0) } + [nil]
        defer { unsafe variables.forEach { unsafe free($0) } }
        var id: pid_t = 0
        let status =
            environment == nil
            ? unsafe posix_spawn(&id, path, &actions, &attributes, &words, environ)
            : unsafe posix_spawn(&id, path, &actions, &attributes, &words, &variables)
        guard status == 0 else { throw .system(.posixSpawn, code: status) }
        return id
    }

    /// POSIX_SPAWN_SETSID, which glibc declares for GNU sources only.
    private static let ownSession: Int16 = 0x80
}
