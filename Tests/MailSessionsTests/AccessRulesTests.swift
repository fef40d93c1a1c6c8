import AsyncIO
import MailSessions
import Testing

@Suite struct AccessRulesTests {
    private func rules(_ text: String) throws -> AccessRules {
        var rules = AccessRules()
        for word in text.split(separator: " ") {
            let clients: AccessRules.Clients
            switch word.dropFirst() {
            case "all": clients = .all
            case "unix": clients = .unix
            case let block: clients = .block(try #require(AddressBlock.parse(String(block))?.block))
            }
            rules.rules.append(AccessRules.Rule(allows: word.hasPrefix("+"), clients))
        }
        return rules
    }

    @Test(arguments: [
        ("", "192.0.2.1", true, "no rule"), ("-all", "192.0.2.1", false, "all"), ("-all", "unix", false, "all"),
        ("-192.0.2.0/24", "192.0.2.1", false, "a block"), ("-192.0.2.0/24", "192.0.3.1", true, "about somebody else"),
        ("-192.0.2.0/24", "::ffff:192.0.2.1", false, "IPv4 mapped into IPv6 (checklist D3)"),
        ("+192.0.2.1 -192.0.2.0/24", "192.0.2.1", true, "the first counts"),
        ("-192.0.2.0/24 +192.0.2.1", "192.0.2.1", false, "the first counts"),
        ("+192.0.2.1 -all", "192.0.2.2", false, "the rest"), ("+unix -all", "unix", true, "unix sockets"),
        ("+unix -all", "::1", false, "unix sockets only"), ("-unix", "unix", false, "no unix sockets"),
        ("-0.0.0.0/0", "unix", true, "a unix socket is in no block"), ("-0.0.0.0/0", "::1", true, "nor is IPv6"),
    ])
    func admits(_ text: String, _ client: String, _ isAdmitted: Bool, _ reason: String) throws {
        let address = client == "unix" ? .unix("") : try #require(SocketAddress(literal: client, port: 9))
        #expect(try rules(text).admit(address) == isAdmitted)
    }
}
