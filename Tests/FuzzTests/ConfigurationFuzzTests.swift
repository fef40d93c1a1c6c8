import AsyncIO
import TestSupport
import Testing

@testable import MailGateway

/// Lexer and parser against texts that nobody would write: they end, and never trap.
@Suite struct ConfigurationFuzzTests {
    private static let path = "/etc/gw/main.conf"
    private static let seeds: [UInt64] = Array(1...8)

    private static let sample = Array(
        """
        worker_processes auto; error_log stderr debug_mail; env A=b; user a b; include x/*.conf; include y;
        events { worker_connections 10; use epoll; multi_accept on; }
        http { server { listen 80; } }
        mail { # comment
            server_name "mail.example.org"; timeout 1m30s; auth_http http://192.0.2.1:80/x?y; auth_http_header A 'b c';
            imap_capabilities IMAP4rev1 "X Y" \\"Z; imap_auth plain cram-md5; proxy_protocol v2; xclient off;
            server { listen 143 backlog=5 so_keepalive=1m::2; listen [::1]:143-145 ipv6only=off; listen host:1; max_errors 5; }
            server { listen unix:/run/x; protocol smtp; auth_file "data:ann:{PLAIN}x"; proxy_pass [::1]:25; proxy_buffer 4k; }
            upstream pool { server 192.0.2.1 weight=2 backup; server host:143 max_fails=0; least_conn; health_check fails=2; }
        }
        """.utf8)

    private func read(_ text: [UInt8], globalDirectives: String = "") -> Result<Configuration, ConfigurationError> {
        let source = MemorySource([
            Self.path: text, "/etc/gw/y": Array("pid z;".utf8), "/etc/gw/x/a.conf": Array("working_directory /;".utf8),
        ])
        return Result { () throws(ConfigurationError) in
            try Configuration.load(
                path: Self.path, globalDirectives: globalDirectives, source: source,
                resolver: HostResolver { $0 == "host" ? [.ipv4(.loopback, port: 0)] : [] }, hostName: "h")
        }
    }

    /// What holds for every result: a message is one line, and what was read can be read again.
    private func check(_ result: Result<Configuration, ConfigurationError>, seed: UInt64) {
        switch result {
        case .success(let configuration):
            #expect(throws: Never.self, "seed \(seed)") { try Configuration.load(from: configuration.origin) }
        case .failure(let error):
            #expect(!error.message.isEmpty && !error.message.utf8.contains(0x0A), "\(error.message), seed \(seed)")
        }
    }

    @Test func `the sample is good before it is spoilt`() {
        #expect(throws: Never.self) { try read(Self.sample).get() }
    }

    @Test(arguments: seeds)
    func `random bytes`(_ seed: UInt64) {
        var randomness = SeededRandom(seed: seed)
        for _ in 0..<300 {
            let length = Int.random(in: 0...300, using: &randomness)
            check(read((0..<length).map { _ in UInt8.random(in: 0...255, using: &randomness) }), seed: seed)
        }
    }

    @Test(arguments: seeds)
    func `random bytes that mean something`(_ seed: UInt64) {
        var randomness = SeededRandom(seed: seed)
        let alphabet = Array(";;{}\"'\\$#\n\r\t  ab0:[]-=*/.".utf8)
        for _ in 0..<300 {
            let length = Int.random(in: 0...200, using: &randomness)
            let text = (0..<length).map { _ in alphabet[Int.random(in: 0..<alphabet.count, using: &randomness)] }
            check(read(text), seed: seed)
            check(read(Self.sample, globalDirectives: String(decoding: text, as: UTF8.self)), seed: seed)
        }
    }

    @Test(arguments: seeds)
    func `a good configuration, spoilt`(_ seed: UInt64) {
        var randomness = SeededRandom(seed: seed)
        for _ in 0..<300 {
            var text = Self.sample
            for _ in 0..<Int.random(in: 1...6, using: &randomness) { spoil(&text, &randomness) }
            check(read(text), seed: seed)
        }
    }

    @Test(arguments: seeds)
    func `directives with random arguments`(_ seed: UInt64) {
        var randomness = SeededRandom(seed: seed)
        let rows = DirectiveTable.areas.flatMap(\.rows)
        let words = [
            "on", "off", "0", "1", "99999999999999999999", "1m30s", "4k", "\"\"", "unix:", "[", "[]:1", "[::]:1-3",
            "*:1-", "-",
            "1-65535", "data:", "data:a:b", "=", "so_keepalive=:::", "backlog=", "http://", "plain", "stderr",
            "debug_mail",
            "\"\n\"", "a=b", "[a]", "?", "127.0.0.1:1", "host:2", "weight=1", "resolve", "$auth_user", "consistent",
            "two",
        ]
        for _ in 0..<500 {
            var text = "events { worker_connections 5; }\n"
            for _ in 0..<3 {
                guard let row = rows.randomElement(using: &randomness) else { return }
                let count = Int.random(in: 0...4, using: &randomness)
                let arguments = (0..<count).compactMap { _ in words.randomElement(using: &randomness) }
                let statement = ([row.name] + arguments).joined(separator: " ") + ";"
                if row.contexts.contains(.server) {
                    text += "mail { auth_http 192.0.2.1; server { protocol imap; listen 143; \(statement) } }"
                } else if row.contexts == .upstream {
                    text += "mail { upstream g { server 192.0.2.1; \(statement) } }"
                } else {
                    text += statement
                }
            }
            check(read(Array(text.utf8)), seed: seed)
        }
    }

    private func spoil(_ text: inout [UInt8], _ randomness: inout SeededRandom) {
        guard !text.isEmpty else { return }
        let place = Int.random(in: 0..<text.count, using: &randomness)
        let end = min(text.count, place + Int.random(in: 0...40, using: &randomness))
        switch Int.random(in: 0...4, using: &randomness) {
        case 0: text.remove(at: place)
        case 1: text.insert(UInt8.random(in: 0...255, using: &randomness), at: place)
        case 2: text.removeSubrange(place..<end)
        case 3: text.insert(contentsOf: text[place..<end], at: Int.random(in: 0...text.count, using: &randomness))
        default: text[place] ^= 1 << UInt8.random(in: 0...7, using: &randomness)
        }
    }
}
