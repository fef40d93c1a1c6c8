import Foundation

/// A large configuration, read and checked by the gateway itself.
enum ConfigurationCase {
    static let name = "configuration"
    static let summary = "CPU time per server of `mailgateway check` with 10,000 servers"
    private static let servers = 10_000

    static func nanosecondsPerServer(gateway: String) throws -> Double {
        let path = NSTemporaryDirectory() + "mailgateway-micro-\(getpid()).conf"
        defer {
            // A text of a megabyte in the temporary directory harms nobody.
            try? FileManager.default.removeItem(atPath: path)
        }
        let text = (0..<servers).map { index in
            "server { listen 127.\(index / 62500).\(index / 250 % 250).\(index % 250 + 1):143; "
                + "protocol imap; server_name host\(index).example; }\n"
        }
        let mail = "events { worker_connections 20000; }\nmail { auth_http 127.0.0.1:9/auth;\n"
        try (mail + text.joined() + "}\n").write(toFile: path, atomically: false, encoding: .utf8)
        var before = rusage()
        var after = rusage()
        unsafe getrusage(__rusage_who_t(RUSAGE_CHILDREN.rawValue), &before)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: gateway)
        process.arguments = ["check", "-c", path]
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw HarnessError("\(gateway) refuses \(path)") }
        unsafe getrusage(__rusage_who_t(RUSAGE_CHILDREN.rawValue), &after)
        return (seconds(after) - seconds(before)) * 1e9 / Double(servers)
    }

    private static func seconds(_ usage: rusage) -> Double {
        [usage.ru_utime, usage.ru_stime].map { Double($0.tv_sec) + Double($0.tv_usec) / 1e6 }.reduce(0, +)
    }
}
