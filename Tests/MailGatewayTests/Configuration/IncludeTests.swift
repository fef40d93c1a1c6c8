import AsyncIO
import Glibc
import MailSessions
import Testing

@testable import MailGateway

/// `include`, its limits, and reading the same texts again from memory (nginx-mail.md §1.4).
@Suite struct IncludeTests {
    @Test func `files are read where they are included, in every context`() throws {
        let configuration = try ConfigurationFixture.load(
            "include main.inc; events { include ev; } mail { include sites/*.conf; }",
            files: [
                "main.inc": "pid a;", "ev": "worker_connections 7;",
                "sites/b.conf": "server { listen 110; include sites/auth; }",
                "sites/a.conf": "server { listen 143; include /etc/gw/sites/auth; }",
                "sites/auth": "auth_http 192.0.2.1;", "sites/.c.conf": "nonsense", "sites/d/e.conf": "nonsense",
            ])
        #expect(configuration.core.pidFile == "/var/gw/a")
        #expect(configuration.events.connectionsMaximum == 7)
        #expect(configuration.servers.map(\.settings.mailProtocol) == [.imap, .pop3])
        #expect(configuration.servers[1].position == .file("/etc/gw/sites/b.conf", line: 1))
        #expect(
            configuration.origin.texts.map(\.path) == [
                "/etc/gw/main.conf", "/etc/gw/main.inc", "/etc/gw/ev", "/etc/gw/sites/a.conf", "/etc/gw/sites/auth",
                "/etc/gw/sites/b.conf",
            ])
    }

    @Test func `a path is relative to the main file, not to the one that includes`() {
        #expect(
            ConfigurationFixture.message("include a/x;", files: ["a/x": "include y;", "a/y": ""])
                == "open() \"/etc/gw/y\" failed (2: No such file or directory) in /etc/gw/a/x:1")
    }

    @Test func `a mask may match nothing`() throws {
        _ = try ConfigurationFixture.load("include none/*; include x?; include [ab]; events { }")
    }

    @Test(arguments: [
        ("\n\nfoo;", "unknown directive \"foo\" in /etc/gw/x:3"), ("}", "unexpected \"}\" in /etc/gw/x:1"),
        ("mail {", "unexpected end of file, expecting \"}\" in /etc/gw/x:1"),
        ("pid", "unexpected end of file, expecting \";\" or \"}\" in /etc/gw/x:1"),
    ])
    func `mistakes name the included file`(_ text: String, _ message: String) {
        #expect(ConfigurationFixture.message("\n\n\ninclude x;", files: ["x": text]) == message)
    }

    @Test func `the line of the including file goes on`() {
        #expect(
            ConfigurationFixture.message("\ninclude x;\nfoo;", files: ["x": "\n\n\n"])
                == "unknown directive \"foo\" in /etc/gw/main.conf:3")
    }

    @Test func `the text of -g may include, and is read first`() throws {
        let configuration = try ConfigurationFixture.load(
            "events { } error_log b;", files: ["g": "error_log a;"], globalDirectives: "include g; pid x;")
        #expect(
            configuration.core.logs.map(\.target) == [.file("/var/gw/a"), .file("/var/gw/b")])
    }

    @Test func `the deepest include is accepted and one more is not`() throws {
        let limit = ConfigurationParser.includeDepthMaximum
        var files = Dictionary(uniqueKeysWithValues: (1..<limit).map { ("\($0)", "include \($0 + 1);") })
        files["\(limit)"] = "events { }"
        _ = try ConfigurationFixture.load("include 1;", files: files)
        files["\(limit)"] = "include last;"
        files["last"] = "events { }"
        #expect(
            ConfigurationFixture.message("include 1;", files: files)
                == "too many levels of \"include\" in /etc/gw/\(limit):1")
    }

    @Test func `a file that includes itself comes to an end`() {
        #expect(
            ConfigurationFixture.message("include main.conf;")
                == "too many levels of \"include\" in /etc/gw/main.conf:1")
    }

    @Test func `files that double at each level come to an end`() {
        let levels = 1...(ConfigurationParser.includeDepthMaximum - 1)
        var files = Dictionary(
            uniqueKeysWithValues: levels.map { ("\($0)", String(repeating: "include \($0 + 1);", count: 4)) })
        files["\(levels.upperBound + 1)"] = ""
        #expect(ConfigurationFixture.message("include 1;", files: files)?.hasPrefix("too many files in ") == true)
    }

    @Test func `a worker reads the same configuration from the texts alone`() throws {
        let first = try ConfigurationFixture.load(
            "include x*; events { } mail { auth_http two.example/a; server { listen two.example:143; server_name b; } }",
            files: ["x1": "error_log a;", "x2": "error_log b;"], globalDirectives: "pid p;")
        let second = try Configuration.load(from: first.origin)
        #expect(second.origin == first.origin)
        #expect(second.core == first.core)
        #expect(second.sockets == first.sockets)
        #expect(second.origin.resolutions.keys.sorted() == ["two.example"])
    }

    @Test func `an accounts file is among the texts, marked as such`() throws {
        let text = "events { } mail { server { listen 143; auth_file acc; proxy_pass 192.0.2.1:143; } }"
        let first = try ConfigurationFixture.load(text, files: ["acc": "ann:{PLAIN}secret\nbob:{PLAIN}x"])
        #expect(first.origin.texts.map(\.kind) == [.directives, .accounts])
        guard
            case .accounts(let accounts) = try Configuration.load(from: first.origin).servers[0].settings.authenticators
                .first
        else {
            Issue.record("the accounts decide")
            return
        }
        #expect(accounts.count == 2)
    }

    @Test func `the files of this machine`() throws {
        let directory = "/tmp/mailgateway-include-tests-\(getpid())"
        let failure = unsafe mkdir(directory, 0o700)
        try #require(failure == 0)
        defer {
            for name in ["main.conf", "b.inc", "a.inc"] { unsafe unlink("\(directory)/\(name)") }
            unsafe rmdir(directory)
        }
        for (name, text) in [
            ("main.conf", "include *.inc; events { }"), ("b.inc", "error_log b;"), ("a.inc", "error_log a;"),
        ] {
            let file = unsafe open("\(directory)/\(name)", O_WRONLY | O_CREAT, 0o600)
            let written = unsafe write(file, text, text.utf8.count)
            close(file)
            try #require(written == text.utf8.count)
        }
        let configuration = try Configuration.load(path: "main.conf", prefix: directory, hostName: "h")
        #expect(configuration.core.logs.map(\.target) == [.file("\(directory)/a"), .file("\(directory)/b")])
        let error = #expect(throws: SourceError.self) { try DiskSource().read(directory) }
        #expect(error?.text == "read() \"\(directory)\" failed (21: Is a directory)")
    }

    @Test func `the machine's resolver knows numbers and nothing invalid`() {
        #expect(HostResolver.system.addresses("127.0.0.1") == [.ipv4(.loopback, port: 0)])
        #expect(HostResolver.system.addresses("").isEmpty)
    }
}
