import Glibc
import Testing

/// `error_log` at each level of a configuration, to files, standard error and syslog.
@Suite("Log targets", .endToEnd) struct LogTargetTests {
    @Test func aLineGoesToTheLogsOfItsServerAndToNoOther() throws {
        try Stage.run { stage in
            let syslog = try SyslogReceiver(stage.directory.path("syslog"))
            var configuration = try GatewayConfiguration(on: stage, auth: try stage.freeEndpoint())
            let shared = stage.directory.path("mail.log")
            configuration.mail.append("error_log \(shared) info;")
            configuration.servers[1].directives = [
                "error_log syslog:server=unix:\(syslog.path),facility=mail,tag=gateway,nohostname info;",
                "error_log stderr info;",
            ]
            let gateway = try GatewayUnderTest(on: stage, configuration)
            let first = configuration.servers[0]
            let second = configuration.servers[1]
            _ = try gateway.greetedClient(first.mail)
            _ = try gateway.greetedClient(second.mail)
            let mark = "connected to \(second.endpoint)"
            var received: [String] = []
            try waitUntil("the line of the second server") {
                received += syslog.lines()
                return received.contains { $0.contains(mark) } && gateway.process.errors.contains(mark)
            }
            let form = /<22>\w{3} [ \d]\d \d\d:\d\d:\d\d gateway: \d{4}\/.* \[info\] \d+#\d+: \*\d+ client .*/
            #expect(received.allSatisfy { $0.wholeMatch(of: form) != nil }, "\(received)")
            #expect(textOfFile(shared).contains("connected to \(first.endpoint)"))
            #expect(!textOfFile(shared).contains(mark))
            #expect(!gateway.log.contains("connected to"), "the main level's log is for what no server has said")
            #expect(gateway.log.contains("[notice]"))
        }
    }
}

/// A syslog server on a unix socket.
private final class SyslogReceiver {
    let path: String
    private let descriptor: Int32

    init(_ path: String) throws {
        self.path = path
        descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: path.utf8) }
        let status = unsafe withUnsafePointer(to: address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard status == 0 else { throw SystemError("bind \(path)") }
        unsafe chmod(path, 0o666)
    }

    deinit { close(descriptor) }

    /// What has come since the last time.
    func lines() -> [String] {
        var lines: [String] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = unsafe recv(descriptor, &chunk, chunk.count, Int32(MSG_DONTWAIT))
            guard count > 0 else { return lines }
            lines.append(String(decoding: chunk[..<count], as: UTF8.self))
        }
    }
}
