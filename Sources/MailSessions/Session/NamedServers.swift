import AsyncIO

/// Servers that share an address; clients choose by the name they ask for at the beginning of TLS (SNI).
package final class NamedServers: Sendable {
    /// What a handshake chooses from.
    package let names: TLSServerNames
    private let servers: [TLSContext: MailServer]

    /// The servers of one address, the first of which gets whoever names none of them.
    package init(_ servers: [MailServer]) {
        var names = TLSServerNames()
        var byContext: [TLSContext: MailServer] = [:]
        for server in servers {
            guard let context = server.settings.tls else { continue }
            names.add(server.settings.certificateName, context)
            byContext[context] = server
        }
        self.names = names
        self.servers = byContext
    }

    /// The server whose context a handshake has chosen.
    func server(with context: TLSContext) -> MailServer? { servers[context] }
}
