import Dispatch
import Foundation
import Glibc
import Synchronization
import Testing

extension GatewayUnderTest {
    /// What the log says when a reload has reached all workers.
    private static let reloaded = "all workers serve the new configuration"

    /// Writes another configuration where the gateway reads it.
    func rewrite(_ adjust: (inout GatewayConfiguration) -> Void, on stage: Stage) throws {
        var changed = configuration
        adjust(&changed)
        _ = try GatewayUnderTest.write(changed, kind: kind, on: stage)
    }

    /// Tells it to read its configuration again, and waits until all workers serve by it.
    func reload(within limit: Duration = .seconds(10)) throws {
        let count = occurrences(of: Self.reloaded)
        process.signal(SIGHUP)
        try waitUntil("the reload to reach all workers", within: limit) { occurrences(of: Self.reloaded) > count }
    }

    /// Tells it to read a configuration that it refuses, and waits until it says so.
    func failToReload() throws {
        let refusal = "the new configuration is not used"
        let count = occurrences(of: refusal)
        process.signal(SIGHUP)
        try waitUntil("the refusal") { occurrences(of: refusal) > count }
    }

    /// How often the log says `text`.
    func occurrences(of text: String) -> Int { log.components(separatedBy: text).count - 1 }
}

/// Whether a process has ended: it is gone, or waits for whoever started it to look.
///
/// Not by waiting for it: whoever collects the leader of a group ends the group.
func hasEnded(_ process: pid_t) -> Bool {
    let stat = textOfFile("/proc/\(process)/stat")
    guard let end = stat.lastIndex(of: ")") else { return true }
    return stat[end...].hasPrefix(") Z")
}

/// The descriptors that a process has open.
func openDescriptors(of process: pid_t) -> Int {
    do {
        return try FileManager.default.contentsOfDirectory(atPath: "/proc/\(process)/fd").count
    } catch {
        return 0
    }
}

/// The private memory of a process, in kilobytes.
func privateMemory(of process: pid_t) -> Int {
    textOfFile("/proc/\(process)/smaps_rollup").split(separator: "\n")
        .filter { $0.hasPrefix("Private_") }
        .compactMap { $0.split(separator: " ").dropFirst().first.flatMap { Int($0) } }
        .reduce(0, +)
}

/// Connects again and again, on a thread of its own, and counts who was not greeted.
final class Knocking: Sendable {
    private struct State {
        var isOver = false
        var tries = 0
        var failures: [String] = []
    }

    private let state = Mutex(State())
    private let done = DispatchSemaphore(value: 0)

    /// Begins at once; each try waits for a greeting that begins with `greeting`.
    init(at endpoint: Endpoint, greeting: String) {
        Thread.detachNewThread { [self] in
            while !state.withLock({ $0.isOver }) {
                var failure: String?
                do {
                    let line = try RawClient(endpoint).line()
                    if !line.hasPrefix(greeting) { failure = line }
                } catch {
                    failure = "\(error)"
                }
                state.withLock {
                    $0.tries += 1
                    if let failure { $0.failures.append(failure) }
                }
            }
            done.signal()
        }
    }

    /// Ends it; what did not go well, and how often it was tried.
    func stop() -> (tries: Int, failures: [String]) {
        state.withLock { $0.isOver = true }
        done.wait()
        return state.withLock { ($0.tries, $0.failures) }
    }
}
