import Foundation

/// What one test runs on: a directory, free ports on an address of its own, and the processes it started.
final class Stage {
    let directory: TestDirectory
    private var ports = FreePorts()
    private var processes: [RunningProcess] = []
    private var held: [BoundSocket] = []

    private init() throws {
        directory = try TestDirectory()
    }

    /// Runs `body`; whatever happens, every process it started is stopped and the directory removed.
    static func run<Result>(_ body: (Stage) throws -> Result) throws -> Result {
        let stage = try Stage()
        defer {
            for process in stage.processes.reversed() { process.stop() }
            stage.directory.remove()
        }
        do {
            return try body(stage)
        } catch {
            throw StageFailure(cause: "\(error)", logs: stage.tailOfLogs)
        }
    }

    /// The loopback address that this stage has for itself.
    var host: String { ports.host }

    /// An endpoint on which nobody listens.
    func freeEndpoint() throws -> Endpoint { try ports.next() }

    /// An endpoint on which somebody else listens until the stage is over.
    func takenEndpoint() throws -> Endpoint {
        let socket = try BoundSocket(host: host)
        held.append(socket)
        return socket.endpoint
    }

    /// Starts a program that goes on until the stage is over.
    func start(
        _ name: String, _ arguments: [String], environment: [String: String] = [:], input: String = "/dev/null"
    ) throws -> RunningProcess {
        let count = processes.count { $0.name == name || $0.name.hasPrefix("\(name)-") }
        let process = try RunningProcess(
            count == 0 ? name : "\(name)-\(count + 1)", arguments, environment: environment, input: input,
            in: directory)
        processes.append(process)
        return process
    }

    /// Starts a program, waits until it ends, and returns what it said.
    func run(
        _ arguments: [String], environment: [String: String] = [:], input: String = "/dev/null",
        within limit: Duration = .seconds(30)
    ) throws -> CommandResult {
        let name = URL(fileURLWithPath: arguments[0]).lastPathComponent
        let process = try start("run-\(name)", arguments, environment: environment, input: input)
        let status = try process.waitForExit(within: limit)
        return CommandResult(status: status, output: process.output, errors: process.errors)
    }

    /// Starts one of the Python programs in Clients and waits until it ends.
    func runScript(_ script: String, _ arguments: [String], within limit: Duration = .seconds(30)) throws
        -> CommandResult
    {
        try run(["/usr/bin/python3", Stage.script(script)] + arguments, within: limit)
    }

    /// The path of a Python program in Clients.
    static func script(_ name: String) -> String {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("Clients").appendingPathComponent(name).path
    }

    /// The ends of all outputs and logs, for the report of a failure.
    private var tailOfLogs: String {
        directory.files().filter { $0.hasSuffix(".log") || $0.hasSuffix(".stdout") || $0.hasSuffix(".stderr") }
            .sorted()
            .map { ($0, textOfFile(directory.path($0))) }
            .filter { !$0.1.isEmpty }
            .map { "--- \($0)\n\($1.suffix(1500))" }
            .joined(separator: "\n")
    }
}

/// What a finished program left.
struct CommandResult: CustomStringConvertible {
    let status: ExitStatus
    let output: String
    let errors: String

    var succeeded: Bool { status == .code(0) }
    var description: String { "\(status)\n\(output.suffix(2000))\n\(errors.suffix(2000))" }
}

/// Why a test could not go on, with what the programs had said by then.
struct StageFailure: Error, CustomStringConvertible {
    let cause: String
    let logs: String
    var description: String { "\(cause)\n\(logs)" }
}
