import Foundation

/// Instructions per operation as valgrind counts them: the same number each time, whatever else the machine does.
final class Callgrind {
    /// This program without its debugging information, which valgrind cannot read.
    private let program: String

    /// nil where valgrind or strip is missing.
    init?() {
        program = NSTemporaryDirectory() + "mailgateway-micro-callgrind-\(getpid())"
        guard Self.run(["valgrind", "--version"]) != nil,
            Self.run(["strip", "-o", program, "/proc/\(getpid())/exe"]) != nil
        else { return nil }
    }

    deinit {
        // What cannot be removed is a program in the temporary directory.
        try? FileManager.default.removeItem(atPath: program)
    }

    /// From the difference of two runs, in which start and end of the process cancel out; nil where it cannot be run.
    func instructions(of benchmark: MicroBenchmark) -> Double? {
        let few = max(2, benchmark.count / 100)
        let totals = [few, 3 * few].map { repetitions in
            Self.run([
                "valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", program, "micro", "--only",
                benchmark.name, "--repetitions", String(repetitions),
            ]).flatMap(Self.collected)
        }
        guard let first = totals[0], let second = totals[1], second > first else { return nil }
        return (second - first) / Double(2 * few)
    }

    /// The number in the line `Collected : N`.
    private static func collected(_ text: String) -> Double? {
        let line = text.split(separator: "\n").last { $0.contains("Collected : ") }
        return line?.split(separator: " ").last.flatMap { Double($0) }
    }

    /// What a program writes to standard error; nil when it fails.
    private static func run(_ arguments: [String]) -> String? {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = arguments
        let pipe = Pipe()
        process.standardError = pipe
        process.standardOutput = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return nil }
        let data = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return process.terminationStatus == 0 ? String(decoding: data, as: UTF8.self) : nil
    }
}
