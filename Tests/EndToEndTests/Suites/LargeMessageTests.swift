import Foundation
import Testing

/// Ten megabytes through the relay, both ways, byte for byte.
@Suite("Large messages", .endToEnd) struct LargeMessageTests {
    private static let size = 10_000_000

    @Test func appendedAndFetchedOverIMAP() throws {
        try Site.run { site in
            let file = try site.stage.directory.write("message", Messages.large(subject: "large", bytes: Self.size))
            let endpoint = try site.gateway.endpoint(.imap)
            let arguments = [endpoint.host, "\(endpoint.port)", "ann", Account.ann.password, "append", file]
            let report = try ClientReport(site.stage.runScript("imap_client.py", arguments))
            #expect(report.messages.map(\.whole) == [try site.sha256(ofFile: file)])
        }
    }

    @Test(.needsPostfix) func sentOverSMTPAndFetchedOverPOP3() throws {
        try Site.run(withPostfix: true) { site in
            let message = Messages.large(subject: "large", bytes: Self.size)
            let file = try site.stage.directory.write("message", message)
            let endpoint = try site.gateway.endpoint(.smtp)
            let sent = try site.stage.runScript(
                "smtp_client.py",
                [
                    endpoint.host, "\(endpoint.port)", "ann", Account.ann.password, "ann@example.test",
                    "ann@example.test", file,
                ])
            #expect(sent.succeeded, "\(sent)")
            try site.waitForDelivery()
            let headEnd = try #require(message.range(of: "\r\n\r\n"))
            let body = try site.stage.directory.write("body", String(message[headEnd.upperBound...]))
            let expected = try site.sha256(ofFile: body)
            for mail in [Mail.pop3, .imap] {
                let bodies = try site.mailbox(mail).map(\.body)
                #expect(bodies == [expected])
            }
        }
    }
}

extension Site {
    /// The hash of a file, in hexadecimal, as `sha256sum` computes it.
    func sha256(ofFile path: String) throws -> String {
        let result = try stage.run(["/usr/bin/sha256sum", path])
        return String(result.output.prefix(64))
    }
}
