import MailSessions
import Testing

@testable import MailGateway

/// Each type of value at its bounds and beyond (nginx-mail.md §1.3).
@Suite struct ValueTests {
    @Test(
        arguments: [
            ("0", 0), ("007", 7), ("9223372036854775807", Int.max), ("9223372036854775808", nil), ("", nil),
            ("-1", nil),
            ("+1", nil), ("1 ", nil), ("0x1", nil), ("99999999999999999999999", nil), ("٣", nil),
        ] as [(String, Int?)])
    func `numbers are digits`(_ text: String, _ value: Int?) {
        #expect(decimal(text) == value)
    }

    @Test(
        arguments: [
            ("1", 1), ("1k", 1024), ("1K", 1024), ("2m", 2 << 20), ("2M", 2 << 20), ("1g", nil), ("k", nil), ("", nil),
            ("0", nil), ("16m", 16 << 20), ("16777217", nil), ("17m", nil), ("9223372036854775807m", nil), ("1kk", nil),
        ] as [(String, Int?)])
    func `sizes have k and m`(_ text: String, _ value: Int?) {
        #expect(byteCount(text, in: 1...(16 << 20)) == value)
    }

    @Test(
        arguments: [
            ("0", .zero), ("30", .seconds(30)), ("30s", .seconds(30)), ("5ms", .milliseconds(5)),
            ("1m30", .seconds(90)),
            ("1m 30s", .seconds(90)), ("1w2d3h4m5s6ms", .milliseconds(788_645_006)), ("1m  30", .seconds(90)),
            ("36500d", timeMaximum), ("36500d 1ms", nil), ("3153600000s", timeMaximum), ("9223372036854775807w", nil),
            ("", nil), (" 1", nil), ("s", nil), ("1x", nil), ("1s1m", nil), ("1s1s", nil), ("1y", nil), ("1M", nil),
            ("30 s", nil), ("-1s", nil), ("1 1", nil), ("1hm", nil),
        ] as [(String, Duration?)])
    func `times to the millisecond`(_ text: String, _ value: Duration?) {
        #expect(duration(text, precision: .milliseconds) == value)
    }

    @Test(
        arguments: [
            ("1y", .seconds(365 * 86_400)), ("1M", .seconds(30 * 86_400)), ("1m", .seconds(60)),
            ("1y1M1d", .seconds(396 * 86_400)),
            ("1ms", nil), ("100y", timeMaximum), ("101y", nil), ("1d1y", nil),
        ] as [(String, Duration?)])
    func `times in seconds`(_ text: String, _ value: Duration?) {
        #expect(duration(text, precision: .seconds) == value)
    }

    @Test(arguments: ["on", "ON", "On", "off", "OFF"])
    func `flags know no case`(_ text: String) throws {
        let server = try ConfigurationFixture.server("xclient \(text); starttls OFF;")
        #expect(server.settings.proxy.xclient == (text.lowercased() == "on" ? .on : .off))
    }

    @Test(
        arguments: [
            ("max_errors 0;", nil), ("max_errors 1000000;", nil),
            ("max_errors 1000001;", "\"max_errors\" directive invalid number"),
            ("max_connections 1;", nil), ("max_connections 0;", "\"max_connections\" directive invalid number"),
            ("imap_client_buffer 128;", nil),
            ("imap_client_buffer 127;", "\"imap_client_buffer\" directive invalid value"),
            ("pop3_client_buffer 16m;", nil),
            ("pop3_client_buffer 17m;", "\"pop3_client_buffer\" directive invalid value"),
            ("proxy_buffer 512;", nil), ("proxy_buffer 511;", "\"proxy_buffer\" directive invalid value"),
            ("auth_http_keepalive 0;", nil), ("auth_http_keepalive 65536;", nil),
            ("auth_http_keepalive 65537;", "\"auth_http_keepalive\" directive invalid number"),
        ] as [(String, String?)])
    func `the bounds of the directives`(_ text: String, _ refusal: String?) {
        do {
            _ = try ConfigurationFixture.server(text)
            #expect(refusal == nil)
        } catch {
            #expect(error.text == refusal)
        }
    }

    @Test(
        arguments: [
            ("worker_processes 1024;", .exactly(1024)), ("worker_processes auto;", .automatic), ("", .exactly(1)),
        ] as [(String, WorkerCount)])
    func `worker processes`(_ text: String, _ count: WorkerCount) throws {
        #expect(try ConfigurationFixture.load("\(text) events { }").core.workerProcesses == count)
    }

    @Test(arguments: ["0", "1025", "AUTO", "-1"])
    func `worker processes refused`(_ text: String) {
        #expect(throws: ConfigurationError.self) {
            try ConfigurationFixture.load("worker_processes \(text); events { }")
        }
    }

    @Test func `mechanisms know no case and repeating one is a warning`() throws {
        let configuration = try ConfigurationFixture.load(
            "events { } mail { imap_auth Plain plain; imap_auth CRAM-MD5\nplain; }")
        #expect(
            configuration.notices.map(\.description) == [
                "duplicate value \"plain\" in /etc/gw/main.conf:1", "duplicate value \"plain\" in /etc/gw/main.conf:2",
            ])
        #expect(configuration.notices.allSatisfy { $0.level == .warn })
    }

    @Test func `the main level, typed`() throws {
        let configuration = try ConfigurationFixture.load(
            """
            user www-data; worker_rlimit_nofile 4096; working_directory /tmp; env PATH; env A=b=c;
            worker_shutdown_timeout 10s; pid run/gw.pid; master_process off;
            error_log log/error.log; error_log stderr debug_mail debug_core; error_log /x info;
            events { use epoll; worker_connections 10; }
            """)
        let core = configuration.core
        #expect(
            core.user
                == UserSettings(name: "www-data", group: "www-data", position: .file("/etc/gw/main.conf", line: 1)))
        #expect(core.openFilesMaximum == 4096)
        #expect(core.workingDirectory == "/tmp")
        #expect(
            core.environment.map { "\($0.name)=\($0.value ?? "")" } == ["PATH=", "A=b=c", "TZ="])
        #expect(core.shutdownTimeout == .seconds(10))
        #expect(core.pidFile == "/var/gw/run/gw.pid")
        #expect(!core.hasMaster)
        #expect(
            core.logs == [
                LogSettings(target: .file("/var/gw/log/error.log"), level: .error),
                LogSettings(target: .stderr, level: .debug), LogSettings(target: .file("/x"), level: .info),
            ])
        #expect(configuration.events.method == .epoll)
        #expect(configuration.events.connectionsMaximum == 10)
    }

    @Test func `the main level, by default`() throws {
        let configuration = try ConfigurationFixture.load("events { }")
        #expect(configuration.core.user == nil)
        #expect(configuration.core.shutdownTimeout == nil)
        #expect(configuration.core.hasMaster)
        #expect(configuration.core.environment == [EnvironmentSetting(name: "TZ", value: nil)])
        #expect(configuration.core.logs == [LogSettings(target: .stderr, level: .error)])
        #expect(configuration.events.connectionsMaximum == 512)
        #expect(configuration.events.method == nil)
        #expect(configuration.servers.isEmpty)
    }
}
