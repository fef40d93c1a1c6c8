import Foundation
import Testing

/// `mailgateway run` without a configuration, and the commands it prints.
@Suite("Demo", .endToEnd) struct DemoTests {
    @Test(.beyondNginx, .needsOwnNetwork) func thePrintedCommandsWorkAsPrinted() throws {
        try Stage.run { stage in
            let result = try stage.runScript(
                "demo_session.py", [GatewayKind.mailgateway.command(checking: false, in: stage.directory)[0]],
                within: .seconds(120))
            try #require(result.succeeded, "\(result)")
            let session = try JSONDecoder().decode(Session.self, from: Data(result.output.utf8))
            for command in session.commands {
                #expect(command.status == 0, "\(command)")
                if !command.command.contains("smtp://") { #expect(!command.output.isEmpty, "\(command)") }
            }
            let sent = session.commands.count { $0.command.contains("smtp://") }
            #expect(session.before > 0, "there is a message to fetch")
            #expect(session.after == session.before + sent, "what was sent can be fetched")
        }
    }

    /// What the script reports.
    private struct Session: Decodable {
        let said: String
        let commands: [Command]
        let before: Int
        let after: Int

        struct Command: Decodable {
            let command: String
            let status: Int
            let output: String
        }
    }
}

extension Trait where Self == ConditionTrait {
    /// The demo has fixed ports; in a network namespace of its own they are free.
    static var needsOwnNetwork: ConditionTrait {
        .enabled("no network namespace can be made here") {
            try await withTaskExecutorPreference(BlockingThreads.shared) {
                try Stage.run { try $0.runScript("demo_session.py", ["--probe"]).succeeded }
            }
        }
    }
}
