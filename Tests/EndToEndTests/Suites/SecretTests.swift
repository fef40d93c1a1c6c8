import Foundation
import Testing

/// A password is never written anywhere, at no log level.
@Suite("Secrets", .endToEnd) struct SecretTests {
    private static let canary = "CANARYx7q9wPelican"

    @Test func passwordsStayOutOfAllLogs() throws {
        // nginx is built with its debug log here, which is for its own developers and shows more.
        let level = GatewayKind.underTest == .nginx ? "info" : "debug"
        try Site.run(backEnds: .ok, behaviour: .wait, adjust: { $0.logLevel = level }) { site, _ in
            for mail in Mail.allCases {
                let client = try site.gateway.greetedClient(mail)
                _ = try client.logIn(mail, as: .ann, password: Self.canary)
                _ = try client.logIn(mail, as: .ann)
                _ = client.isAnswered(mail)
            }
            try expectNoCanary(in: site.gateway)
        }
    }

    /// Commands that are wrong but hold a password; nginx logs what it cannot parse.
    @Test(
        .beyondNginx,
        arguments: [
            (Mail.imap, "a LOGIN ann \(canary) and more"),
            (.imap, "a LOGIN ann \(canary)\(String(repeating: "x", count: 5000))"),
            (.imap, "a XLOGIN ann \(canary)"),
            (.imap, "LOGIN ann \(canary)"),
            (.imap, "a AUTHENTICATE PLAIN \(canary)!"),
            (.pop3, "PASS \(canary)"),
            (.pop3, "PASSS \(canary)"),
            (.pop3, "AUTH PLAIN \(canary)!"),
            (.pop3, "USER ann\r\nPASS \(canary)\(String(repeating: "x", count: 5000))"),
            (.smtp, "AUTH PLAIN \(canary)!"),
            (.smtp, "AUTH LOGIN\r\n\(canary)\r\n\(canary)"),
            (.smtp, "AUTH PLAIN \(plainCredentials("ann", canary)) more"),
            (.smtp, "AUTH PLAIN\r\n\(canary)\(String(repeating: "x", count: 5000))"),
        ]) func passwordsInWrongCommandsStayOutOfAllLogs(mail: Mail, text: String) throws
    {
        try Site.run(
            backEnds: .ok,
            adjust: {
                $0.logLevel = "debug"; $0.mail.append("max_errors 2;")
            }
        ) { site, _ in
            let client = try site.gateway.greetedClient(mail)
            for _ in 0..<3 { client.say(text) }
            client.finishSending()
            _ = try client.untilEnd()
            try site.expectHealthy(mail)
            try expectNoCanary(in: site.gateway)
        }
    }

    /// Neither the canary itself nor what SASL makes of it.
    private func expectNoCanary(in gateway: GatewayUnderTest) throws {
        let forms = [
            Self.canary, plainCredentials("ann", Self.canary), Data(Self.canary.utf8).base64EncodedString(),
        ]
        let said = gateway.everythingSaid
        #expect(!said.isEmpty)
        for form in forms { #expect(!said.contains(form)) }
    }
}
