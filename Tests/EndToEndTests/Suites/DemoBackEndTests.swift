import Foundation
import Testing

@testable import MailGateway

/// The demo's mail server by itself, asked directly.
@Suite("Demo back-end", .endToEnd) struct DemoBackEndTests {
    @Test(.beyondNginx) func theDemosCommandsWorkWithoutTheProxyToo() throws {
        try Stage.run { stage in
            let program = GatewayKind.underTest.command(checking: false, in: stage.directory)[0]
            let server = try stage.start("demo-backend", [program, "demo-backend"])
            try waitUntil("its ports") { server.output.hasSuffix("\n") }
            // listening imap 40001 pop3 40002 smtp 40003
            let words = server.output.split(whereSeparator: \.isWhitespace)
            try #require(words.count == 7)
            var outputs: [String] = []
            for (purpose, command) in DemoConfiguration.commands {
                let direct = command.replacing(":1143", with: ":\(words[2])").replacing(":1110", with: ":\(words[4])")
                    .replacing(":1025", with: ":\(words[6])")
                let result = try stage.run(["/bin/bash", "-c", direct])
                #expect(result.succeeded, "\(purpose): \(result)")
                outputs.append(result.output)
            }
            try #require(outputs.count == 6)
            #expect(outputs[0].contains("INBOX"))
            #expect(outputs[1].contains("Subject: Welcome to mailgateway"))
            #expect(outputs[2].hasPrefix("1 "))
            #expect(outputs[3] == outputs[1])
            #expect(outputs[5].contains("This came through mailgateway."))
            server.signal(SIGTERM)
            #expect(try server.waitForExit() == .code(0))
        }
    }

    @Test(.beyondNginx) func whoeverComesBeyondTheMaximumIsHungUpOn() throws {
        try Stage.run { stage in
            let program = GatewayKind.underTest.command(checking: false, in: stage.directory)[0]
            let server = try stage.start("demo-backend", [program, "demo-backend"])
            try waitUntil("its ports") { server.output.hasSuffix("\n") }
            let port = try #require(server.output.split(whereSeparator: \.isWhitespace).dropFirst(4).first)
            let endpoint = Endpoint(host: "127.0.0.1", port: try #require(UInt16(port)))
            let clients = try (0..<DemoBackEnd.sessionsMaximum).map { _ in
                let client = try RawClient(endpoint)
                #expect(try client.line().hasPrefix("+OK"))
                return client
            }
            #expect(try RawClient(endpoint).untilEnd().isEmpty)
            try #require(clients.first).close()
            try waitUntil("a free place") { try !RawClient(endpoint).hasEnded(within: .milliseconds(50)) }
        }
    }
}
