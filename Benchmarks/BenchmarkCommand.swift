import ArgumentParser
import Foundation
import Glibc

/// `swift run -c release Benchmarks`: measures mailgateway against nginx on this machine.
@main
struct BenchmarkCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "Benchmarks",
        abstract: "Measures mailgateway and nginx on the same work, in turn, and prints what a unit of it costs.",
        discussion: """
            Load generator, back-ends and authentication service are processes of this program; everything stays on \
            127.0.0.0/8. Figures of different runs or machines do not compare: ratios within one run do. \
            docs/performance.md explains the method.
            """,
        subcommands: [Measure.self, Tied.self, Load.self, BackEnds.self, Auth.self],
        defaultSubcommand: Measure.self)
}

/// The measurements themselves.
struct Measure: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Take the measurements (the default).")

    @Flag(help: "Two short rounds instead of five longer ones: under two minutes.")
    var quick = false

    @Flag(help: "List scenarios and systems, and stop.")
    var list = false

    @Option(help: "Scenarios, separated by commas; a beginning such as login or relay-down stands for all of its kind.")
    var only: String?

    @Option(help: "Systems, separated by commas.")
    var systems = SystemUnderTest.usual.joined(separator: ",")

    @Option(help: "Rounds; every system has its turn in each.")
    var rounds: Int?

    @Option(help: "Also write all samples to this file, as JSON.")
    var json: String?

    @Option(help: "The mailgateway executable.")
    var gateway = ".build/release/mailgateway"

    func validate() throws {
        if let rounds, !(1...100).contains(rounds) { throw ValidationError("--rounds takes 1 to 100") }
    }

    func run() throws {
        if list { return printList() }
        do {
            try measure()
        } catch {
            FileHandle.standardError.write(Data("Benchmarks: \(error)\n".utf8))
            throw ExitCode.failure
        }
    }

    private func printList() {
        for scenario in Scenario.all {
            print(scenario.name.padding(toLength: 16, withPad: " ", startingAt: 0), scenario.summary)
        }
        print("\nsystems: \(SystemUnderTest.names.joined(separator: ", "))")
    }

    private func measure() throws {
        let scenarios = try selectScenarios()
        let systems = try Self.words(systems).map { try SystemUnderTest(named: $0, gateway: gateway) }
        guard !systems.isEmpty else { throw HarnessError("--systems names none") }
        Interruption.hold()
        try raiseDescriptorLimit(for: scenarios)
        let cores = try Cores.divide()
        let circumstances = Circumstances.lines(systems: systems, cores: cores)
        Announcement.write(circumstances.joined(separator: "\n") + "\n")
        try Cores.bind(to: cores.others)
        let directory = NSTemporaryDirectory() + "mailgateway-benchmarks-\(getpid())"
        try FileManager.default.createDirectory(
            atPath: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o711])
        defer {
            // What cannot be removed is a few kilobytes in the temporary directory.
            try? FileManager.default.removeItem(atPath: directory)
        }
        let laboratory = try Laboratory(cores: cores, directory: directory)
        defer { laboratory.close() }
        var report = Report(circumstances: circumstances)
        for scenario in scenarios {
            try compare(systems.filter { scenario.isRelay || !$0.isForRelayOnly }, scenario, laboratory, &report)
            Announcement.write(report.table(of: scenario))
        }
        if let json { try report.writeJSON(to: json) }
    }

    /// All rounds of one scenario: A B A B …, so that what disturbs one system disturbs its neighbour, too.
    private func compare(
        _ systems: [SystemUnderTest], _ scenario: Scenario, _ laboratory: Laboratory, _ report: inout Report
    ) throws(HarnessError) {
        for _ in 0..<(rounds ?? (quick ? 2 : 5)) {
            for system in systems {
                do throws(HarnessError) {
                    let sample = try laboratory.measure(scenario, system, milliseconds: quick ? 500 : 2500)
                    report.add(sample, scenario, system)
                } catch {
                    throw HarnessError("\(scenario.name): \(error)")
                }
            }
        }
    }

    private func selectScenarios() throws -> [Scenario] {
        guard let only else { return Scenario.all }
        let selections = Self.words(only)
        for selection in selections where !Scenario.all.contains(where: { $0.matches(selection) }) {
            throw HarnessError("no scenario is called \(selection); --list shows them")
        }
        return Scenario.all.filter { scenario in selections.contains { scenario.matches($0) } }
    }

    private static func words(_ list: String) -> [String] {
        list.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
    }

    /// The server needs two descriptors per session; it and the others inherit the limit from here.
    private func raiseDescriptorLimit(for scenarios: [Scenario]) throws {
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        var limit = rlimit()
        _ = unsafe getrlimit(resource, &limit)
        limit.rlim_cur = limit.rlim_max
        _ = unsafe setrlimit(resource, &limit)
        let needed = scenarios.map(\.load.connections).max() ?? 0
        guard limit.rlim_max >= needed else {
            throw HarnessError(
                "\(needed) open files are needed and the hard limit is \(limit.rlim_max); raise it (ulimit -Hn) "
                    + "or leave scenarios out with --only")
        }
    }
}

/// Where and with what a run took place.
enum Circumstances {
    static func lines(systems: [SystemUnderTest], cores: Cores) -> [String] {
        var name = utsname()
        unsafe uname(&name)
        let release = unsafe withUnsafePointer(to: &name.release) { pointer in
            unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 65) { unsafe String(cString: $0) }
        }
        let cpuinfo = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
        let model = cpuinfo.split(separator: "\n").first { $0.hasPrefix("model name") }?
            .split(separator: ":").last?.trimmingCharacters(in: .whitespaces)
        var lines = [
            "Linux \(release), \(model ?? "unknown processor"), \(ISO8601DateFormatter().string(from: Date()))"
        ]
        lines += systems.map { "\($0.name): \($0.version())" }
        let server = cores.server.map(String.init).joined()
        let others = cores.others.map(String.init).joined(separator: ", ")
        lines.append(
            cores.isSeparate
                ? "server on core \(server), everything else on \(others)"
                : "only one core: server and load share it, so rates and times mean little")
        return lines
    }
}
