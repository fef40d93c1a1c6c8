import Foundation
import Glibc

/// A program started by a test, with its output in files of the test's directory.
///
/// Whoever starts it stops it: `Stage` does so for all of its processes, also after a failure.
final class RunningProcess {
    let name: String
    let pid: pid_t
    /// How it ended; nil as far as is known.
    private(set) var status: ExitStatus?
    private let outputPath: String
    private let errorPath: String

    /// Starts `arguments`, the first being the path of the program; `input` is a file for its standard input.
    init(
        _ name: String, _ arguments: [String], environment: [String: String] = [:], input: String = "/dev/null",
        in directory: TestDirectory
    ) throws {
        self.name = name
        outputPath = directory.path("\(name).stdout")
        errorPath = directory.path("\(name).stderr")
        var variables = [
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": directory.path,
            "TMPDIR": directory.path, "LC_ALL": "C.UTF-8",
        ]
        variables.merge(environment) { _, new in new }
        pid = try spawn(arguments, environment: variables, input: input, output: outputPath, errors: errorPath)
    }

    /// What it wrote to standard output so far.
    var output: String { textOfFile(outputPath) }

    /// What it wrote to standard error so far.
    var errors: String { textOfFile(errorPath) }

    var isRunning: Bool {
        collect()
        return status == nil
    }

    /// Sends a signal to this one process.
    func signal(_ number: Int32) {
        guard isRunning else { return }
        kill(pid, number)
    }

    /// Waits until it ends by itself.
    @discardableResult
    func waitForExit(within limit: Duration = .seconds(10)) throws -> ExitStatus {
        try waitUntil("\(name) to end", within: limit) { !isRunning }
        return status ?? .code(-1)
    }

    /// Ends it: politely first, then for certain, and with it what it started.
    func stop() {
        signal(SIGTERM)
        do {
            try waitForExit(within: .seconds(3))
        } catch {
            kill(-pid, SIGKILL)
            var raw: Int32 = 0
            unsafe waitpid(pid, &raw, 0)
            status = ExitStatus(waitStatus: raw)
        }
    }

    /// Waits until it accepts connections on `endpoint`; fails at once when it ends instead.
    func waitUntilListening(on endpoint: Endpoint, within limit: Duration = .seconds(15)) throws {
        try waitUntil("\(name) to listen on \(endpoint)", within: limit) {
            guard isRunning else { throw EndedEarly(name: name, output: output + errors) }
            return endpoint.acceptsConnections
        }
    }

    /// The port that a helper script names once it listens.
    func announcedPort(within limit: Duration = .seconds(15)) throws -> UInt16 {
        var port: UInt16?
        try waitUntil("\(name) to name its port", within: limit) {
            guard isRunning else { throw EndedEarly(name: name, output: output + errors) }
            let words = output.split(separator: "\n").first?.split(separator: " ") ?? []
            port = words.count == 2 && words[0] == "listening" && output.contains("\n") ? UInt16(words[1]) : nil
            return port != nil
        }
        return port ?? 0
    }

    /// Notes the end, if it came. While the leader is not yet reaped, its group cannot be anybody
    /// else's: that is the moment to end what the group still holds.
    private func collect() {
        guard status == nil else { return }
        var information = unsafe siginfo_t()
        guard unsafe waitid(P_PID, id_t(pid), &information, WEXITED | WNOHANG | WNOWAIT) == 0,
            unsafe information.si_signo == SIGCHLD
        else { return }
        kill(-pid, SIGKILL)
        var raw: Int32 = 0
        unsafe waitpid(pid, &raw, 0)
        status = ExitStatus(waitStatus: raw)
    }
}

/// A program ended which should have gone on.
struct EndedEarly: Error, CustomStringConvertible {
    let name: String
    let output: String
    var description: String { "\(name) ended early: \(output.suffix(2000))" }
}

/// The text of a file, or nothing when there is none yet.
func textOfFile(_ path: String) -> String {
    String(decoding: FileManager.default.contents(atPath: path) ?? Data(), as: UTF8.self)
}
