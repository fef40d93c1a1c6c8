import Foundation
import Glibc
import Testing

/// `auth_file` in a running gateway, and `mailgateway passwd`.
@Suite("Accounts", .endToEnd, .beyondNginx) struct AccountsTests {
    private static func program(_ stage: Stage) -> String {
        GatewayKind.mailgateway.command(checking: false, in: stage.directory)[0]
    }

    /// Sets a password by `mailgateway passwd`, from standard input.
    @discardableResult
    private static func set(
        _ password: String, _ words: [String], on stage: Stage
    ) throws -> CommandResult {
        let input = try stage.directory.write("password", "\(password)\n", mode: 0o600)
        return try stage.run([program(stage), "passwd", "--stdin"] + words, input: input)
    }

    /// A gateway for IMAP with the accounts file `accounts`.
    private static func run(
        _ accounts: String, hasMaster: Bool = true, _ body: (Stage, GatewayUnderTest, ScriptedBackEnd) throws -> Void
    ) throws {
        try Stage.run { stage in
            let file = try stage.directory.write("accounts", accounts, mode: 0o600)
            let backEnd = try ScriptedBackEnd(on: stage, .imap, .ok)
            var configuration = try GatewayConfiguration(on: stage, auth: stage.freeEndpoint())
            configuration.mail[0] = "auth_file \(file); proxy_pass \(backEnd.endpoint);"
            configuration.servers.removeLast(2)
            if !hasMaster { configuration.main.append("master_process off;") }
            try body(stage, try GatewayUnderTest(on: stage, configuration), backEnd)
        }
    }

    private static func logIn(_ gateway: GatewayUnderTest, _ name: String, _ password: String) throws -> String {
        try gateway.greetedClient(.imap).logIn(.imap, as: Account(name: name, password: password))
    }

    // MARK: The file in use

    @Test(arguments: [true, false])
    func aChangedFileIsTakenOverAndABrokenOneIsNot(hasMaster: Bool) throws {
        try Self.run("ann:{PLAIN}old\n", hasMaster: hasMaster) { stage, gateway, _ in
            let held = try gateway.greetedClient(.imap)
            #expect(try Self.logIn(gateway, "ann", "old").hasPrefix("a1 OK"))
            let file = stage.directory.path("accounts")
            #expect(try Self.set("brand new", [file, "ann"], on: stage).succeeded)
            try waitUntil("the new password", within: .seconds(20)) {
                try Self.logIn(gateway, "ann", "brand new").hasPrefix("a1 OK")
            }
            #expect(try Self.logIn(gateway, "ann", "old").hasPrefix("a1 NO"))
            #expect(
                try held.logIn(.imap, as: Account(name: "ann", password: "old")).hasPrefix("a1 OK"),
                "it was here before")

            try stage.directory.write("accounts", "# two\nann:secret-canary\n", mode: 0o600)
            try waitUntil("the alarm", within: .seconds(20)) {
                gateway.log.contains("cannot be used, going on with the old one")
            }
            #expect(gateway.log.contains("[alert]"))
            #expect(gateway.log.contains("invalid accounts at \"\(file):2\""))
            #expect(!gateway.everythingSaid.contains("secret-canary"))
            #expect(try Self.logIn(gateway, "ann", "brand new").hasPrefix("a1 OK"))
            // What is mended is taken.
            try stage.directory.write("accounts", "ann:{PLAIN}mended\n", mode: 0o600)
            try waitUntil("the mended file", within: .seconds(20)) {
                try Self.logIn(gateway, "ann", "mended").hasPrefix("a1 OK")
            }
        }
    }

    @Test func anAccountsBackEndIsWhereItsMailIs() throws {
        try Stage.run { stage in
            let (one, other) = (try ScriptedBackEnd(on: stage, .imap, .ok), try ScriptedBackEnd(on: stage, .pop3, .ok))
            let file = try stage.directory.write(
                "accounts", "ann:backend=\(one.endpoint):{PLAIN}a\nbob:backend=\(other.endpoint):{PLAIN}b\n")
            var configuration = try GatewayConfiguration(on: stage, auth: stage.freeEndpoint())
            configuration.mail[0] = "auth_file \(file);"
            configuration.servers.removeLast(2)
            let gateway = try GatewayUnderTest(on: stage, configuration)
            #expect(try Self.logIn(gateway, "ann", "a").hasPrefix("a1 OK"))
            #expect(try !Self.logIn(gateway, "bob", "b").hasPrefix("a1 OK"), "a POP3 server speaks no IMAP")
            #expect(gateway.log.contains("upstream: \(other.endpoint)"))
        }
    }

    @Test("G2: an unknown name and a wrong password read the same and last the same")
    func unknownAndWrongLastTheSame() throws {
        try Stage.run { stage in
            let hash = try PAMSite.hash("right")
            try Self.run("ann:\(hash)\n") { _, gateway, _ in
                func refusal(_ name: String) throws -> (text: String, time: Duration) {
                    let client = try gateway.greetedClient(.imap)
                    let start = ContinuousClock.now
                    let text = try client.logIn(.imap, as: Account(name: name, password: "wrong"))
                    return (text, ContinuousClock.now - start)
                }
                let (known, unknown) = (try refusal("ann"), try refusal("nobody"))
                #expect(known.text == unknown.text)
                #expect(known.time > .seconds(1) && unknown.time > .seconds(1))
                #expect(abs((known.time - unknown.time) / .milliseconds(1)) < 200)
            }
        }
    }

    @Test("G1: a canary password reaches no log")
    func passwordsStayOutOfAllLogs() throws {
        let canary = "CANARYx7q9wPelican"
        try Self.run("ann:{PLAIN}\(canary)\n") { _, gateway, _ in
            let answers = [try Self.logIn(gateway, "ann", canary), try Self.logIn(gateway, "bob", canary)]
            #expect(answers[0].hasPrefix("a1 OK") && answers[1].hasPrefix("a1 NO"))
            #expect(!gateway.everythingSaid.contains(canary))
        }
    }

    // MARK: passwd

    @Test(arguments: ["yescrypt", "bcrypt", "sha512-crypt", "plain"])
    func aPasswordThatWasSetLogsIn(scheme: String) throws {
        try Stage.run { stage in
            let file = stage.directory.path("made")
            let result = try Self.set("correct horse", ["-c", "--scheme", scheme, file, "ann"], on: stage)
            #expect(result.succeeded && result.output.isEmpty && result.errors.isEmpty, "\(result)")
            let text = textOfFile(file)
            let beginning = ["yescrypt": "{CRYPT}$y$", "bcrypt": "{CRYPT}$2b$", "sha512-crypt": "{CRYPT}$6$"]
            #expect(text.hasPrefix("ann:\(beginning[scheme] ?? "{PLAIN}correct horse")"))
            #expect(Self.mode(file) == 0o600, "a new file is for its owner only")
            try Self.run(text) { _, gateway, _ in
                let answers = [
                    try Self.logIn(gateway, "ann", "correct horse"), try Self.logIn(gateway, "ann", "correct"),
                ]
                #expect(answers[0].hasPrefix("a1 OK") && answers[1].hasPrefix("a1 NO"))
            }
        }
    }

    @Test func noneOfManyChangesAtTheSameTimeIsLost() throws {
        try Stage.run { stage in
            let file = stage.directory.path("made")
            let input = try stage.directory.write("password", "x\n", mode: 0o600)
            let names = (0..<8).map { "user\($0)" }
            let processes = try names.map {
                try stage.start(
                    "passwd", [Self.program(stage), "passwd", "--stdin", "-c", file, $0], input: input)
            }
            for process in processes { #expect(try process.waitForExit(within: .seconds(30)) == .code(0)) }
            #expect(textOfFile(file).split(separator: "\n").map { $0.prefix(5) }.sorted() == names.map { $0[...] })
        }
    }

    @Test func theFileIsReplacedAsAWholeAndKeepsModeAndOwner() throws {
        try Stage.run { stage in
            let file = try stage.directory.write("accounts", "# ours\nbob:{PLAIN}b\n", mode: 0o640)
            let link = stage.directory.path("link")
            #expect(unsafe symlink("accounts", link) == 0)
            if geteuid() == 0 { #expect(unsafe chown(file, 1, 2) == 0) }
            let before = Self.status(file)
            #expect(
                try Self.set("x", ["--scheme", "plain", "--backend", "mail1:143", link, "ann"], on: stage).succeeded)
            #expect(textOfFile(file) == "# ours\nbob:{PLAIN}b\nann:backend=mail1:143:{PLAIN}x\n")
            let after = Self.status(file)
            #expect(after.st_mode == before.st_mode && after.st_uid == before.st_uid && after.st_gid == before.st_gid)
            #expect(after.st_ino != before.st_ino, "renamed into place")
            #expect(Self.status(link).st_ino == after.st_ino, "the link still leads to it")
            #expect(
                stage.directory.files().filter { $0.hasPrefix("accounts") } == ["accounts"], "nothing is left behind")
        }
    }

    @Test func whatIsWrongIsSaidAndChangesNothing() throws {
        try Stage.run { stage in
            let file = try stage.directory.write("accounts", "ann:{PLAIN}a\n")
            let broken = try stage.directory.write("broken", "ann:{PLAIN}a\nnonsense\n")
            for (password, words, text) in [
                ("x", [stage.directory.path("gone"), "ann"], "does not exist; -c makes it"),
                ("x", [broken, "ann"], "broken:2\": expected "),
                ("x", [file, "a:b"], "the name must not"), ("", [file, "ann"], "the password is empty"),
                (String(repeating: "x", count: 1025), [file, "ann"], "more than 1024 bytes"),
                (String(repeating: "x", count: 73), ["--scheme", "bcrypt", file, "ann"], "at most 72 bytes"),
                ("a\tb", [file, "ann"], "control characters"),
                ("x", ["--backend", "a b", file, "ann"], "the back-end must be"),
            ] {
                let result = try Self.set(password, words, on: stage)
                #expect(result.status == .code(1) && result.errors.contains(text), "\(words) \(result)")
            }
            #expect(textOfFile(file) == "ann:{PLAIN}a\n")
            for words in [[file], [file, "ann", "password"], ["-n", file, "ann"], ["-nc", "ann"]] {
                #expect(try Self.set("x", words, on: stage).status == .code(64), "no password is an argument: \(words)")
            }
        }
    }

    @Test func theLineCanBePrintedInstead() throws {
        try Stage.run { stage in
            let result = try Self.set("secret", ["-n", "--scheme", "sha512-crypt", "ann"], on: stage)
            #expect(result.succeeded && result.output.hasPrefix("ann:{CRYPT}$6$") && result.output.hasSuffix("\n"))
        }
    }

    @Test func onATerminalItIsAskedForTwiceAndNotShown() throws {
        try Stage.run { stage in
            let file = stage.directory.path("accounts")
            let command = ["--", Self.program(stage), "passwd", "-c", "--scheme", "plain", file, "ann"]
            let differing = try stage.runScript("type_password.py", ["hidden-one", "hidden-two"] + command)
            #expect(
                differing.status == .code(1) && differing.output.contains("the two passwords differ"), "\(differing)")
            #expect(textOfFile(file).isEmpty)
            let same = try stage.runScript("type_password.py", ["hidden-one", "hidden-one"] + command)
            #expect(same.succeeded, "\(same)")
            #expect(textOfFile(file) == "ann:{PLAIN}hidden-one\n")
            #expect(!(same.output + differing.output).contains("hidden"))
            let piped = try stage.run([Self.program(stage), "passwd", file, "ann"])
            #expect(piped.status == .code(1) && piped.errors.contains("is no terminal"), "\(piped)")
        }
    }

    private static func status(_ path: String) -> stat {
        var status = stat()
        unsafe stat(path, &status)
        return status
    }

    private static func mode(_ path: String) -> mode_t { status(path).st_mode & 0o7777 }
}
