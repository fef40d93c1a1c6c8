import AsyncIO

/// The demo's part of the master: the sockets of its back-end, and what it tells whoever started it.
struct Demo: Sendable {
    /// In the order that `DemoBackEnd` wants: IMAP, POP3, SMTP.
    private let sockets: [ListeningSocket]

    /// Opens three loopback sockets on ports of the kernel's choice.
    init() throws(StartFailure) {
        do throws(IOError) {
            var opened: [ListeningSocket] = []
            for _ in 0..<3 { opened.append(try ListeningSocket(on: .ipv4(.loopback, port: 0))) }
            sockets = opened
        } catch {
            throw StartFailure("\(error)")
        }
    }

    var descriptors: [Int32] { sockets.map(\.descriptor) }

    var ports: DemoConfiguration.BackEndPorts {
        DemoConfiguration.BackEndPorts(
            imap: sockets[0].address.port, pop3: sockets[1].address.port, smtp: sockets[2].address.port)
    }

    /// What runs, and the commands to try.
    var welcome: String {
        let commands = DemoConfiguration.commands.map { "  # \($0.purpose)\n  \($0.command)\n" }
        return """
            mailgateway runs with its built-in demo configuration. Ctrl-C stops it.

              IMAP 127.0.0.1:1143, POP3 127.0.0.1:1110, SMTP 127.0.0.1:1025
              One account: name demo, password demo. Its mail is kept in memory, behind the proxy.

            Try, in another terminal:

            \(commands.joined(separator: "\n"))
            With a configuration of your own: mailgateway run -c FILE

            """
    }
}
