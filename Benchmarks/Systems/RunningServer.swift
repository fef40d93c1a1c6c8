import Foundation
import Glibc

/// A system under test that answers on its ports; fresh for every sample, so that none inherits another's memory.
final class RunningServer {
    let tree: ProcessTree
    private let process: ChildProcess
    private let ports: [UInt16]
    private let directory: String
    private let system: SystemUnderTest

    /// Starts `system` and waits until it answers.
    /// - Parameters:
    ///   - directory: an empty place of its own, which `stop` removes.
    ///   - backEnds: the ports of the back-ends for IMAP, POP3 and SMTP.
    ///   - load: what it shall serve.
    init(
        _ system: SystemUnderTest, directory: String, authPort: UInt16, backEnds: [UInt16], load: LoadPlan,
        cores: [Int]
    ) throws(HarnessError) {
        self.system = system
        self.directory = directory
        ports = try Self.freePorts(3)
        let path = directory + "/server.conf"
        let plan = ServerPlan(
            directory: directory, ports: ports, authPort: authPort, backEnds: backEnds, load: load)
        do {
            try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
            try system.dialect.configuration(plan).write(toFile: path, atomically: false, encoding: .utf8)
        } catch {
            throw HarnessError("\(path): \(error)")
        }
        if load.security != .none { try TLSCertificate.write(to: directory) }
        process = try system.spawn(plan, configuration: path, cores: cores)
        tree = ProcessTree(root: process.identifier)
        do throws(HarnessError) {
            try awaitGreeting(on: port(of: load.mailProtocol), inClear: !load.security.isImplicit)
        } catch {
            let reason = explain(error)
            stop()
            throw reason
        }
    }

    func port(of mailProtocol: LoadProtocol) -> UInt16 {
        switch mailProtocol {
        case .imap: ports[0]
        case .pop3: ports[1]
        case .smtp: ports[2]
        }
    }

    /// The error with the end of what the server itself wrote.
    func explain(_ error: HarnessError) -> HarnessError {
        let logs = ["output.log", "error.log"].compactMap {
            try? String(contentsOfFile: directory + "/" + $0, encoding: .utf8)
        }
        let lines = logs.joined().split(separator: "\n").suffix(8)
        guard !lines.isEmpty else { return HarnessError("\(system.name): \(error)") }
        return HarnessError("\(system.name): \(error)\n  its log ends with:\n    " + lines.joined(separator: "\n    "))
    }

    /// Ends the server with SIGTERM, and with SIGKILL what is left of it after five seconds.
    func stop() {
        process.stop(signal: SIGTERM, seconds: 5)
        // The whole temporary directory is removed at the end in any case.
        try? FileManager.default.removeItem(atPath: directory)
    }

    /// Waits until the port greets, or lets connect where TLS comes first.
    private func awaitGreeting(on port: UInt16, inClear: Bool) throws(HarnessError) {
        let limit = now() + 10_000_000_000
        while try !Self.answers(port, inClear: inClear) {
            try Interruption.check()
            guard process.isRunning else { throw HarnessError("it ended at once") }
            guard now() < limit else { throw HarnessError("no greeting on port \(port) within 10 s") }
            usleep(10_000)
        }
    }

    private static func answers(_ port: UInt16, inClear: Bool) throws(HarnessError) -> Bool {
        let descriptor = try LoopbackSocket.connect(port: port, source: 1)
        defer { close(descriptor) }
        var waiting = pollfd(fd: descriptor, events: Int16(inClear ? POLLIN : POLLOUT), revents: 0)
        guard unsafe poll(&waiting, 1, 1000) > 0 else { return false }
        if !inClear { return waiting.revents & Int16(POLLERR | POLLHUP) == 0 }
        var buffer = [UInt8](repeating: 0, count: 512)
        guard case .moved = LoopbackSocket.receive(descriptor, into: &buffer, at: 0) else { return false }
        return true
    }

    /// Ports on which nobody listens, below the range from which Linux takes those of outgoing connections.
    private static func freePorts(_ count: Int) throws(HarnessError) -> [UInt16] {
        var found: [UInt16] = []
        for _ in 0..<1000 where found.count < count {
            let candidate = UInt16.random(in: 12_000..<32_000)
            guard !found.contains(candidate), let listener = try? LoopbackSocket.listen(port: candidate) else {
                continue
            }
            close(listener.descriptor)
            found.append(candidate)
        }
        guard found.count == count else { throw HarnessError("no free ports on 127.0.0.1") }
        return found
    }
}
