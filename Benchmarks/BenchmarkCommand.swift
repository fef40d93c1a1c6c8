import ArgumentParser
import Foundation
import Glibc

/// `swift run -c release Benchmarks`: measures mailgateway against its rivals on this machine.
@main
struct BenchmarkCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "Benchmarks",
        abstract: "Measures mailgateway and its rivals on the same work, in turn, and prints what a unit of it costs.",
        discussion: """
            Load generator, back-ends and authentication service are processes of this program; everything stays on \
            127.0.0.0/8. Figures of different runs or machines do not compare: ratios within one run do. \
            docs/performance.md explains the method.
            """,
        subcommands: [Measure.self, Micro.self, Tied.self, Load.self, BackEnds.self, Auth.self],
        defaultSubcommand: Measure.self)
}

/// The measurements themselves.
struct Measure: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Take the measurements (the default).")

    @Flag(help: "mailgateway and nginx only, one short round, without the largest loads: under two minutes.")
    var quick = false

    @Flag(help: "List scenarios and systems, and stop.")
    var list = false

    @Option(help: "Scenarios, separated by commas; a beginning such as login or relay-down stands for all of its kind.")
    var only: String?

    @Option(help: "Systems, separated by commas; by default all that are installed.")
    var systems: String?

    @Option(help: "Rounds; every system has its turn in each. By default three, and two where memory is counted.")
    var rounds: Int?

    @Option(help: "Also write all samples to this file, as JSON.")
    var json: String?

    @Option(help: "Also draw the ratios to nginx into this file, as SVG.")
    var plot: String?

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
        let width = Scenario.all.map(\.name.count).max() ?? 0
        for scenario in Scenario.all {
            let remark = scenario.isUsual ? "" : " (with --only)"
            print(scenario.name.padding(toLength: width, withPad: " ", startingAt: 0), scenario.summary + remark)
        }
        print("\nsystems: \(SystemUnderTest.names.joined(separator: ", "))")
    }

    private func measure() throws {
        var remarks: [String] = []
        let systems = try selectSystems(&remarks)
        Interruption.hold()
        let scenarios = try selectScenarios(&remarks)
        let cores = try Cores.divide()
        let circumstances = Circumstances.lines(systems: systems, cores: cores) + remarks
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
        // What was measured before something failed is not thrown away.
        let result = Result {
            for group in Scenario.measuredTogether(scenarios) {
                try compare(systems, group, laboratory, &report)
                for scenario in group { Announcement.write(report.table(of: scenario)) }
            }
        }
        if let json { try report.writeJSON(to: json) }
        if let plot {
            let picture = RatioPlot(report, scenarios: scenarios)
            try picture.svg.write(toFile: plot, atomically: true, encoding: .utf8)
        }
        try result.get()
    }

    /// All rounds of one scenario, or of those that belong together: A B A B …, so that what disturbs one system
    /// disturbs its neighbour, too.
    private func compare(
        _ systems: [SystemUnderTest], _ scenarios: [Scenario], _ laboratory: Laboratory, _ report: inout Report
    ) throws(HarnessError) {
        for _ in 0..<(rounds ?? usualRounds(of: scenarios[0])) {
            for system in systems {
                for scenario in scenarios where system.dialect.serves(scenario) {
                    do throws(HarnessError) {
                        let sample = try laboratory.measure(scenario, system, milliseconds: quick ? 500 : 1000)
                        report.add(sample, scenario, system)
                    } catch {
                        throw HarnessError("\(scenario.name): \(error)")
                    }
                }
            }
        }
    }

    /// What silent sessions hold is counted, not timed: it is the same in each round but for a percent or two, and
    /// setting thousands of them up takes longer than anything else here.
    private func usualRounds(of scenario: Scenario) -> Int {
        quick ? 1 : scenario.unit == .idleSession ? 2 : 3
    }

    /// The systems asked for, or else those that are there; the others are named in `remarks`.
    private func selectSystems(_ remarks: inout [String]) throws -> [SystemUnderTest] {
        if let systems {
            let selected = try Self.words(systems).map { try SystemUnderTest(named: $0, gateway: gateway) }
            guard !selected.isEmpty else { throw HarnessError("--systems names none") }
            return selected
        }
        var found: [SystemUnderTest] = []
        for name in quick ? [SystemUnderTest.yardstick, "mailgateway"] : SystemUnderTest.usual {
            do throws(HarnessError) {
                found.append(try SystemUnderTest(named: name, gateway: gateway))
            } catch {
                remarks.append("left out: \(name): \(error)")
            }
        }
        guard !found.isEmpty else { throw HarnessError(remarks.joined(separator: "\n")) }
        return found
    }

    /// The scenarios asked for; or else all that the limit of open files allows, and the others in `remarks`.
    private func selectScenarios(_ remarks: inout [String]) throws -> [Scenario] {
        guard let only else {
            let wanted = Scenario.all.filter { $0.isUsual && (!quick || $0.load.descriptors < 5000) }
            let limit = Self.raiseDescriptorLimit(to: wanted.map(\.load.descriptors).max() ?? 0)
            let possible = wanted.filter { $0.load.descriptors <= limit }
            for scenario in wanted where scenario.load.descriptors > limit {
                remarks.append("left out: \(scenario.name): \(Self.words(missing: scenario, limit))")
            }
            return possible
        }
        let selections = Self.words(only)
        var names: Set<String> = []
        for selection in selections {
            let found = Scenario.names(selectedBy: selection)
            guard !found.isEmpty else { throw HarnessError("no scenario is called \(selection); --list shows them") }
            names.formUnion(found)
        }
        let selected = Scenario.all.filter { names.contains($0.name) }
        let limit = Self.raiseDescriptorLimit(to: selected.map(\.load.descriptors).max() ?? 0)
        if let scenario = selected.first(where: { $0.load.descriptors > limit }) {
            throw HarnessError("\(scenario.name): \(Self.words(missing: scenario, limit))")
        }
        return selected
    }

    private static func words(missing scenario: Scenario, _ limit: Int) -> String {
        "\(scenario.load.descriptors) open files are needed and the hard limit is \(limit) (ulimit -Hn)"
    }

    private static func words(_ list: String) -> [String] {
        list.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
    }

    /// Raises the limit of open files as far as allowed, root's beyond the hard limit; returns what it is then.
    ///
    /// The server needs two descriptors per session; it and the others inherit the limit from here.
    private static func raiseDescriptorLimit(to needed: Int) -> Int {
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        var limit = rlimit()
        _ = unsafe getrlimit(resource, &limit)
        var wanted = limit
        wanted.rlim_cur = max(limit.rlim_max, rlim_t(needed))
        wanted.rlim_max = wanted.rlim_cur
        if unsafe setrlimit(resource, &wanted) == 0 { return Int(clamping: wanted.rlim_cur) }
        limit.rlim_cur = limit.rlim_max
        _ = unsafe setrlimit(resource, &limit)
        return Int(clamping: limit.rlim_max)
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
