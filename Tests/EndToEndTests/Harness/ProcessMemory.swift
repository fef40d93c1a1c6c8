import Foundation
import Glibc

/// What lies in the memory of a process (Clients/memory_scan.py).
struct ProcessMemory {
    private let process: pid_t
    private let stage: Stage

    /// The memory of `process`; only root may read that of a process that forbids it.
    init(of process: pid_t, on stage: Stage) {
        self.process = process
        self.stage = stage
    }

    /// Whether another's memory can be read here.
    static var isReadable: Bool { geteuid() == 0 }

    /// How often each of `needles` is there.
    func counts(of needles: [[UInt8]]) throws -> [Int] {
        let words = needles.map { $0.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() }
        let scan = try stage.runScript("memory_scan.py", ["\(process)"] + words)
        guard scan.succeeded else { throw StageFailure(cause: "\(scan)", logs: "") }
        return try JSONDecoder().decode([Int].self, from: Data(scan.output.utf8))
    }
}
