import Glibc
import Testing

/// A mistake in the configuration is named with file and line, and nothing is served.
@Suite("Configuration errors", .endToEnd) struct ConfigurationErrorTests {
    /// A faulty line in `mail {}`, and words that the message must hold.
    struct Mistake: Sendable, CustomTestStringConvertible {
        let line: String
        let words: [String]
        var testDescription: String { line }
    }

    @Test(arguments: [
        Mistake(line: "no_such_directive on;", words: ["unknown directive", "no_such_directive"]),
        Mistake(line: "timeout soon;", words: ["timeout", "invalid value"]),
        Mistake(line: "timeout;", words: ["invalid number of arguments", "timeout"]),
        Mistake(line: "xclient perhaps;", words: ["invalid value", "perhaps", "xclient"]),
        Mistake(line: "timeout 1s; timeout 2s;", words: ["timeout", "duplicate"]),
        Mistake(line: "worker_processes 2;", words: ["worker_processes", "not allowed here"]),
        Mistake(line: "server { listen 127.0.0.1:0x19; protocol imap; }", words: ["listen"]),
        Mistake(line: "server { listen 127.0.0.1:65536; protocol imap; }", words: ["invalid port", "listen"]),
        Mistake(line: "server { listen 127.0.0.1:4711; protocol gopher; }", words: ["protocol", "gopher"]),
        Mistake(line: "server { protocol imap; }", words: ["no \"listen\" is defined"]),
        Mistake(line: "include nowhere.conf;", words: ["nowhere.conf", "No such file"]),
        Mistake(line: "timeout 10s }", words: ["unexpected"]),
    ]) func areNamedWithFileAndLine(mistake: Mistake) throws {
        // A } that ends no statement is part of a word to nginx, so that the file's end is the place.
        let isOpenEnded = mistake.line.hasSuffix(" }") && !mistake.line.hasPrefix("server")
        try Stage.run { stage in
            // Held by somebody else: whoever opened it would fail with another message.
            let taken = try BoundSocket(host: stage.host)
            var configuration = try GatewayConfiguration(on: stage, auth: stage.freeEndpoint())
            configuration.servers = [.init(mail: .imap, endpoint: taken.endpoint)]
            configuration.mail.append(mistake.line)
            let file = try GatewayUnderTest.write(configuration, on: stage)
            let number =
                try #require(
                    textOfFile(file).split(separator: "\n", omittingEmptySubsequences: false)
                        .firstIndex { $0.hasSuffix(mistake.line) }) + 1

            for checking in [true, false] {
                let command = GatewayKind.underTest.command(checking: checking, in: stage.directory) + [file]
                let result = try stage.run(command)
                let said = result.output + result.errors
                #expect(result.status == .code(1), "\(result)")
                #expect(said.contains(isOpenEnded ? "\(file):" : "\(file):\(number)"), "\(result)")
                for word in mistake.words { #expect(said.contains(word), "\(result)") }
                #expect(!said.contains("in use"), "\(result)")
            }
        }
    }

    /// Who is not root cannot become anybody, and so asks for nobody.
    @Test(
        .enabled("only root looks users up") { geteuid() == 0 },
        arguments: [
            ("no-such-user", "getpwnam(\"no-such-user\")"), ("root no-such-group", "getgrnam(\"no-such-group\")"),
        ])
    func anUnknownUserIsNamedWithFileAndLine(names: String, call: String) throws {
        try Stage.run { stage in
            var configuration = try GatewayConfiguration(on: stage, auth: stage.freeEndpoint())
            configuration.main.insert("user \(names);", at: 0)
            let file = try GatewayUnderTest.write(configuration, on: stage)
            let lines = textOfFile(file).split(separator: "\n", omittingEmptySubsequences: false)
            let number = try #require(lines.firstIndex { $0.contains("user \(names)") }) + 1
            for checking in [true, false] {
                let command = GatewayKind.mailgateway.command(checking: checking, in: stage.directory) + [file]
                let result = try stage.run(command)
                #expect(result.status == .code(1), "\(result)")
                #expect((result.output + result.errors).contains("\(call) failed in \(file):\(number)"), "\(result)")
            }
        }
    }

    @Test func aCorrectConfigurationPassesTheCheck() throws {
        try Stage.run { stage in
            let configuration = try GatewayConfiguration(on: stage, auth: stage.freeEndpoint())
            let file = try GatewayUnderTest.write(configuration, on: stage)
            let result = try stage.run(GatewayKind.underTest.command(checking: true, in: stage.directory) + [file])
            #expect(result.succeeded, "\(result)")
        }
    }

    @Test func aFileThatDoesNotExistIsNamed() throws {
        try Stage.run { stage in
            let file = stage.directory.path("missing.conf")
            let result = try stage.run(GatewayKind.underTest.command(checking: false, in: stage.directory) + [file])
            #expect(result.status == .code(1), "\(result)")
            #expect((result.output + result.errors).contains(file), "\(result)")
        }
    }

    @Test func aPortInUseIsNamed() throws {
        try Stage.run { stage in
            let taken = try BoundSocket(host: stage.host)
            var configuration = try GatewayConfiguration(on: stage, auth: stage.freeEndpoint())
            configuration.servers.append(.init(mail: .imap, endpoint: taken.endpoint))
            let file = try GatewayUnderTest.write(configuration, on: stage)
            let result = try stage.run(GatewayKind.underTest.command(checking: false, in: stage.directory) + [file])
            let said = result.output + result.errors + textOfFile(stage.directory.path("gateway.log"))
            #expect(result.status == .code(1), "\(result)")
            #expect(said.contains("\(taken.endpoint)"), "\(result)")
            #expect(said.contains("in use"), "\(result)")
        }
    }
}
