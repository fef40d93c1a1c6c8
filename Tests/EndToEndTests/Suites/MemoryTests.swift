import Foundation
import Testing

/// Secrets do not lie about in a worker's memory once they were used: whoever comes by an image of it finds
/// what the worker works with, and no texts.
@Suite(
    "Secrets in memory", .endToEnd, .beyondNginx,
    .enabled("another process's memory is root's to read") { ProcessMemory.isReadable })
struct MemoryTests {
    private static let password = "CANARYtern4417Gannet"
    private static let passphrase = "CANARYsnipe9023Avocet"

    /// A gateway with an accounts file, an encrypted and a bare key and ticket keys; `body` gets a check of its worker.
    private func run(_ body: (Stage, GatewayUnderTest, Certificates, () throws -> Void) throws -> Void) throws {
        try Stage.run { stage in
            let certificates = try Certificates(on: stage)
            let bare = try certificates.issue("bare", ["gateway.example.test"], kind: .rsa)
            try certificates.issue("sealed", ["gateway.example.test"], passphrase: Self.passphrase)
            let passphrases = try stage.directory.write("passphrases", "another\n\(Self.passphrase)\n")
            let tickets = (0..<80).map { _ in UInt8.random(in: 33..<127) }
            let ticketFile = try stage.directory.write("tickets", String(decoding: tickets, as: UTF8.self))
            let accounts = try stage.directory.write("accounts", "ann:{PLAIN}\(Self.password)\n")
            let backEnd = try ScriptedBackEnd(on: stage, .imap, .ok)
            var configuration = try GatewayConfiguration(on: stage, auth: backEnd.endpoint)
            configuration.mail = ["auth_file \(accounts);", "proxy_pass \(backEnd.endpoint);", "starttls on;"]
            configuration.servers.removeAll { $0.mail != .imap }
            configuration.servers[0].directives =
                certificates.directives("bare") + certificates.directives("sealed")
                + ["ssl_password_file \(passphrases);", "ssl_session_ticket_key \(ticketFile);"]
            let gateway = try GatewayUnderTest(on: stage, configuration)
            // Of the key's text a piece of each line; the lines of any other key of this kind begin alike.
            let lines = String(decoding: bare.key, as: UTF8.self).split(separator: "\n").filter { $0.utf8.count == 64 }
            try #require(lines.count > 20)
            let pieces = lines.dropFirst().map { Array($0.utf8.dropFirst(16).prefix(32)) }
            let needles = pieces + [Array(Self.passphrase.utf8), tickets, Array(Self.password.utf8)]
            try body(stage, gateway, certificates) {
                let worker = try #require(gateway.workers.first)
                let counts = try ProcessMemory(of: worker, on: stage).counts(of: needles)
                #expect(counts.prefix(pieces.count).allSatisfy { $0 == 0 }, "the key's text: \(counts)")
                #expect(counts[pieces.count] == 0, "the passphrase")
                #expect(counts[pieces.count + 1] == 0, "the file of ticket keys")
                // This one is needed, once.
                #expect(counts[pieces.count + 2] == 1, "the account's password")
            }
        }
    }

    @Test("a worker keeps no texts of keys, passphrases and ticket keys, and each account's password once")
    func afterTheStart() throws {
        try run { _, gateway, _, check in
            _ = try gateway.greetedClient(.imap)
            try check()
        }
    }

    @Test("nor after a reload and after certificates were renewed")
    func afterReloads() throws {
        try run { _, gateway, certificates, check in
            try gateway.reload()
            _ = try gateway.greetedClient(.imap)
            try check()
            let seen = gateway.occurrences(of: "all workers serve the new configuration")
            try certificates.issue("sealed", ["gateway.example.test"], passphrase: Self.passphrase)
            try waitUntil("the renewal", within: .seconds(30)) {
                gateway.occurrences(of: "all workers serve the new configuration") > seen
            }
            try check()
        }
    }

    @Test("nor is a client's password left behind by a login", arguments: [false, true])
    func afterLogins(secured: Bool) throws {
        try run { stage, gateway, _, check in
            let endpoint = try gateway.endpoint(.imap)
            if secured {
                let credentials = plainCredentials("ann", Self.password)
                let options = #"{"say": ["a1 AUTHENTICATE PLAIN \#(credentials)"]}"#
                let client = try stage.runScript(
                    "tls_client.py", [endpoint.host, "\(endpoint.port)", "imap", "starttls", options])
                #expect(client.output.contains("a1 OK"), "\(client)")
                try check()
            } else {
                let client = try gateway.greetedClient(.imap)
                #expect(
                    try client.logIn(.imap, as: Account(name: "ann", password: Self.password)).hasPrefix("a1 OK"))
                try check()
            }
        }
    }

    @Test(
        "nor by one that did not come to its end",
        arguments: [
            "a1 LOGIN ann \(password)", "a1 LOGIN ann {40}\r\n\(password)", "a1 LOGIN {3+}\r\nann {40+}\r\n\(password)",
            "a1 LOGIN ann \"\(password)\(String(repeating: "x", count: 5000))",
            "x\r\nx\r\nx\r\nx\r\nx\r\na1 LOGIN ann \(password)\r\n",
        ])
    func afterLoginsThatBreakOff(text: String) throws {
        try run { _, gateway, _, check in
            let client = try gateway.greetedClient(.imap)
            client.send(Array(text.utf8))
            client.finishSending()
            _ = try client.untilEnd()
            try check()
        }
    }

    @Test("the master lets go of a key's text when it was renewed")
    func master() throws {
        try run { stage, gateway, certificates, _ in
            let lines = textOfFile(certificates.path("sealed.key")).split(separator: "\n")
            let piece = Array(try #require(lines.dropFirst().first).utf8.dropFirst(16).prefix(32))
            let memory = ProcessMemory(of: gateway.process.pid, on: stage)
            // Until the worker has it there is another, on its way.
            try waitUntil("the only copy", within: .seconds(30)) { try memory.counts(of: [piece]) == [1] }
            let reloads = gateway.occurrences(of: "all workers serve the new configuration")
            try certificates.issue("sealed", ["gateway.example.test"], passphrase: Self.passphrase)
            try waitUntil("the renewal", within: .seconds(30)) {
                gateway.occurrences(of: "all workers serve the new configuration") > reloads
            }
            try waitUntil("the end of the last copy", within: .seconds(30)) { try memory.counts(of: [piece]) == [0] }
        }
    }

    /// What is looked for above can be found at all.
    @Test func theMasterKeepsTheTexts() throws {
        try run { stage, gateway, _, _ in
            let counts = try ProcessMemory(of: gateway.process.pid, on: stage).counts(of: [
                Array(Self.passphrase.utf8), Array("no such words 8824".utf8),
            ])
            #expect(counts[0] > 0)
        }
    }
}
