import Foundation
import Glibc

/// Back-ends and authentication service, kept through all measurements, and the way one sample is taken.
final class Laboratory {
    private let cores: Cores
    private let directory: String
    /// One for each of `BackEndFarm.hosts`.
    private let backEnds: [ChildProcess]
    private let auth: ChildProcess
    private let authPort: UInt16
    private let backEndPorts: [UInt16]
    private var servers = 0

    /// - Parameter directory: an existing place for the servers' files.
    init(cores: Cores, directory: String) throws(HarnessError) {
        self.cores = cores
        self.directory = directory
        var started: [ChildProcess] = []
        do throws(HarnessError) {
            var ports: [String] = []
            for host in BackEndFarm.hosts {
                let farm = try ChildProcess(
                    name: "back-ends", program: "/proc/self/exe",
                    arguments: ["back-ends", "--host", String(host)] + ports, cores: cores.others)
                started.append(farm)
                ports = try farm.readLine("ports", seconds: 10)
            }
            backEnds = started
            let service = try ChildProcess(
                name: "auth service", program: "/proc/self/exe", arguments: ["auth"] + ports, cores: cores.others)
            started.append(service)
            guard let port = try service.readLine("ports", seconds: 10).first.flatMap({ UInt16($0) }) else {
                throw HarnessError("the auth service named no port")
            }
            auth = service
            authPort = port
            backEndPorts = ports.compactMap { UInt16($0) }
        } catch {
            for process in started { process.stop(signal: SIGKILL, seconds: 1) }
            throw error
        }
    }

    func close() {
        for process in backEnds + [auth] { process.stop(signal: SIGKILL, seconds: 1) }
    }

    /// Starts `system` anew, puts the scenario's load on it for so long, and ends both.
    func measure(_ scenario: Scenario, _ system: SystemUnderTest, milliseconds: Int) throws(HarnessError) -> Sample {
        servers += 1
        let server = try RunningServer(
            system, directory: "\(directory)/\(servers)", authPort: authPort, backEnds: backEndPorts,
            load: scenario.load, cores: scenario.load.workers > 1 ? cores.all : cores.server)
        defer { server.stop() }
        do throws(HarnessError) {
            // What only the first session costs (pages touched once, tables grown) is not put down to the sessions.
            var first = scenario.load
            first.sessions = 1
            first.company = .none
            try apply(first, to: server, milliseconds: 0) { (_: ChildProcess) throws(HarnessError) in }
            let memoryBefore = try server.tree.proportionalSetSize()
            var sample: Sample?
            try apply(scenario.load, to: server, milliseconds: milliseconds) { (load) throws(HarnessError) in
                if scenario.unit == .idleSession {
                    let memory = try server.tree.proportionalSetSize()
                    let perSession = Double(memory - memoryBefore) / Double(scenario.load.sessions)
                    sample = Sample(
                        cost: perSession, rate: nil, p50: nil, p99: nil, memory: memory, serverShare: 0, serverWait: 0,
                        loadShare: 0,
                        backEndShare: 0)
                } else {
                    sample = try self.observe(scenario, server, load, milliseconds: milliseconds)
                }
            }
            guard let sample else { throw HarnessError("no sample was taken") }
            return sample
        } catch {
            throw server.explain(error)
        }
    }

    /// Sets a load up, those first who are only there, lets `body` do what is to be done with it, and ends it.
    private func apply(
        _ plan: LoadPlan, to server: RunningServer, milliseconds: Int,
        _ body: (ChildProcess) throws(HarnessError) -> Void
    ) throws(HarnessError) {
        var loads: [ChildProcess] = []
        defer { for load in loads { load.stop(signal: SIGKILL, seconds: 1) } }
        for part in plan.parts {
            let load = try ChildProcess(
                name: "load generator", program: "/proc/self/exe",
                arguments: part.arguments(port: server.port(of: plan.mailProtocol), milliseconds: milliseconds),
                cores: cores.others)
            loads.append(load)
            _ = try load.readLine("ready", seconds: 120)
        }
        guard let load = loads.last else { preconditionFailure("a load has a part that is measured") }
        try body(load)
    }

    /// Reads all counters, says `go`, waits for the figures and reads all counters again.
    private func observe(
        _ scenario: Scenario, _ server: RunningServer, _ load: ChildProcess, milliseconds: Int
    ) throws(HarnessError) -> Sample {
        let trees = [server.tree] + ([load, auth] + backEnds).map { ProcessTree(root: $0.identifier) }
        let before = try trees.map { (tree) throws(HarnessError) in try tree.read() }
        load.write("go")
        let words = try load.readLine("done", seconds: UInt64(milliseconds / 1000) + 60)
        let after = try trees.map { (tree) throws(HarnessError) in try tree.read() }
        let memory = try server.tree.proportionalSetSize()
        let numbers = words.compactMap { Double($0) }
        guard numbers.count == 4, numbers[0] > 0 else { throw HarnessError("the load did no work") }
        let spent = try zip(before, after).map { (pair) throws(HarnessError) in try pair.1.spent(since: pair.0) }
        let units = numbers[0] * scenario.unitsPerTransfer
        let elapsed = numbers[1]
        return Sample(
            cost: spent[0].running / units / 1000, rate: units / elapsed * 1e9, p50: numbers[2] / 1000,
            p99: numbers[3] / 1000,
            memory: memory, serverShare: spent[0].running / elapsed, serverWait: spent[0].waiting / elapsed,
            loadShare: spent[1].running / elapsed,
            backEndShare: spent[2...].map(\.running).reduce(0, +) / elapsed)
    }
}
