import Foundation
import Glibc

/// How a process ended.
enum ExitStatus: Equatable {
    case code(Int32)
    case signal(Int32)

    /// Reads a status of `waitpid(2)`.
    init(waitStatus: Int32) {
        let signal = waitStatus & 0x7f
        self = signal == 0 ? .code((waitStatus >> 8) & 0xff) : .signal(signal)
    }
}

/// A system call failed.
struct SystemError: Error, CustomStringConvertible {
    let description: String

    init(_ what: String, _ number: Int32 = errno) {
        description = unsafe "\(what): \(String(cString: strerror(number)))"
    }
}

/// Starts `arguments` in a process group of its own and returns its pid.
///
/// Standard input is read from `input`; standard output and error are appended to the two files. No other
/// descriptor of ours is passed on. `setpriv` makes the kernel end the process should this one die
/// before it could (the thread that spawns must live as long as the process; `BlockingThreads` do).
func spawn(
    _ arguments: [String], environment: [String: String], input: String, output: String, errors: String
) throws -> pid_t {
    let words = ["/usr/bin/setpriv", "--pdeathsig", "TERM", "--"] + arguments
    var argumentPointers = unsafe words.map { unsafe strdup($0) } + [nil]
    var environmentPointers = unsafe environment.map { unsafe strdup("\($0)=\($1)") } + [nil]
    defer { unsafe (argumentPointers + environmentPointers).forEach { unsafe free($0) } }

    var actions = unsafe posix_spawn_file_actions_t()
    unsafe posix_spawn_file_actions_init(&actions)
    defer { unsafe posix_spawn_file_actions_destroy(&actions) }
    let append = O_WRONLY | O_CREAT | O_APPEND
    unsafe posix_spawn_file_actions_addopen(&actions, 0, input, O_RDONLY, 0)
    unsafe posix_spawn_file_actions_addopen(&actions, 1, output, append, 0o644)
    unsafe posix_spawn_file_actions_addopen(&actions, 2, errors, append, 0o644)
    for descriptor in openDescriptors() where descriptor > 2 {
        unsafe posix_spawn_file_actions_addclose(&actions, descriptor)
    }

    var attributes = posix_spawnattr_t()
    unsafe posix_spawnattr_init(&attributes)
    defer { unsafe posix_spawnattr_destroy(&attributes) }
    var all = sigset_t()
    unsafe sigfillset(&all)
    var none = sigset_t()
    unsafe sigemptyset(&none)
    unsafe posix_spawnattr_setsigdefault(&attributes, &all)
    unsafe posix_spawnattr_setsigmask(&attributes, &none)
    unsafe posix_spawnattr_setpgroup(&attributes, 0)
    let flags = Int32(POSIX_SPAWN_SETPGROUP) | Int32(POSIX_SPAWN_SETSIGDEF) | Int32(POSIX_SPAWN_SETSIGMASK)
    unsafe posix_spawnattr_setflags(&attributes, Int16(flags))

    var pid: pid_t = 0
    let failure = unsafe posix_spawn(
        &pid, words[0], &actions, &attributes, &argumentPointers, &environmentPointers)
    guard failure == 0 else { throw SystemError("cannot start \(arguments[0])", failure) }
    return pid
}

/// What is open in this process now. A descriptor that another thread closes meanwhile does no harm.
private func openDescriptors() -> [Int32] {
    do {
        return try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").compactMap { Int32($0) }
    } catch {
        return []
    }
}
