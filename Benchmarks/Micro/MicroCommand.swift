import ArgumentParser
import Foundation

/// `Benchmarks micro`: what single operations of the gateway's code cost, without load and without rivals.
struct Micro: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measure single operations: nanoseconds, allocations and, with valgrind, instructions.")

    @Option(help: "Operations, separated by commas.")
    var only: String?

    @Option(help: "The mailgateway executable, for the configuration.")
    var gateway = ".build/release/mailgateway"

    /// Hidden: does one of them so many times and nothing else, to be counted from outside.
    @Option(help: .hidden) var repetitions: Int?

    func run() throws {
        let wanted = only.map { $0.split(separator: ",").map(String.init) }
        if let repetitions {
            for benchmark in MicroBenchmark.all where wanted?.contains(benchmark.name) ?? false {
                try benchmark.body(repetitions)
            }
            return
        }
        let callgrind = Callgrind()
        Announcement.write(Self.row("operation", "ns", "allocations", "instructions", "what it is"))
        for benchmark in MicroBenchmark.all where wanted?.contains(benchmark.name) ?? true {
            let cost = try benchmark.measure(rounds: 5)
            let instructions = callgrind?.instructions(of: benchmark)
            Announcement.write(
                Self.row(
                    benchmark.name, Self.text(cost.nanoseconds), String(format: "%.1f", cost.allocations),
                    instructions.map(Self.text) ?? "-", benchmark.summary))
        }
        if wanted?.contains(ConfigurationCase.name) ?? true {
            let cost = try ConfigurationCase.nanosecondsPerServer(gateway: gateway)
            Announcement.write(Self.row(ConfigurationCase.name, Self.text(cost), "-", "-", ConfigurationCase.summary))
        }
        if callgrind == nil { Announcement.write("instructions are not counted: no valgrind, or no strip (binutils)") }
    }

    private static func text(_ value: Double) -> String { String(format: value < 100 ? "%.1f" : "%.0f", value) }

    private static func row(_ cells: String...) -> String {
        let numbers = cells[1...3].map { String(repeating: " ", count: max(0, 13 - $0.count)) + $0 }.joined()
        return cells[0].padding(toLength: 14, withPad: " ", startingAt: 0) + numbers + "  " + cells[4]
    }
}
