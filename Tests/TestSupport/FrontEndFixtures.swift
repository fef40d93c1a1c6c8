import MailSessions

extension ServerSettings {
    /// A server named `mx` with the defaults of its protocol and no accounts.
    package static func fixture(_ mailProtocol: MailProtocol) -> ServerSettings {
        ServerSettings(mailProtocol: mailProtocol, name: "mx", authenticators: [.accounts(AccountsFile())])
    }
}

extension SaltFactory {
    /// Makes `<0.7@mx>`, `<1.7@mx>` and so on.
    package static var counting: SaltFactory {
        SaltFactory(serverName: "mx") { Nonce(random: UInt64($0), unixTime: 7) }
    }
}
