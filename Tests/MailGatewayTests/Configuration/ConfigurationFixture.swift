import AsyncIO
import TestSupport
import Testing

@testable import MailGateway

/// Configurations in memory, at `/etc/gw/`, with one host that has two addresses.
enum ConfigurationFixture {
    static let path = "/etc/gw/main.conf"

    /// A certificate that is always there.
    private static let authority = TestAuthority().certificate

    /// Reads `text` as the main file beside a certificate, a password and `files` (paths relative to its directory, or absolute).
    static func load(
        _ text: String, files: [String: String] = [:], globalDirectives: String = ""
    ) throws(ConfigurationError) -> Configuration {
        var texts = [path: Array(text.utf8), "/etc/gw/authority.pem": authority]
        texts["/etc/gw/master.password"] = Array("all powerful\n".utf8)
        for (name, content) in files { texts[joined("/etc/gw", name)] = Array(content.utf8) }
        return try Configuration.load(
            path: path, prefix: "/var/gw", globalDirectives: globalDirectives, source: MemorySource(texts),
            resolver: resolver, hostName: "Mail.Example.ORG")
    }

    /// Reads a server with `directives`, which need not say where it listens or who decides about logins.
    static func server(
        _ directives: String, mail: String = "", listen: String = "listen 143;", auth: String = "auth_http 192.0.2.9;"
    ) throws(ConfigurationError) -> ServerConfiguration {
        let configuration = try load(
            "events { worker_connections 200000; } mail { \(mail) server { \(listen) \(auth) \(directives) } }")
        guard let server = configuration.servers.first else {
            throw ConfigurationError("the fixture has a server", at: .whole)
        }
        return server
    }

    /// nginx's line for the mistake in `text`; nil when it is good.
    static func message(_ text: String, files: [String: String] = [:], globalDirectives: String = "") -> String? {
        do {
            _ = try load(text, files: files, globalDirectives: globalDirectives)
            return nil
        } catch {
            return error.message
        }
    }

    /// The context in which values are read one by one.
    static func context() -> ParseContext {
        ParseContext(
            source: MemorySource([String: [UInt8]]()), resolver: resolver, directory: "/etc/gw", prefix: "/var/gw",
            hostName: "mail.example.org")
    }

    static let resolver = HostResolver { name in
        name == "two.example"
            ? [
                .ipv4(IPv4Address(192, 0, 2, 1), port: 0), .ipv6(.loopback, port: 0),
                .ipv4(IPv4Address(192, 0, 2, 1), port: 0),
            ]
            : []
    }
}

/// A configuration, and the first line of what is said about it.
struct Mistake: Sendable, CustomTestStringConvertible {
    let text: String
    let message: String

    init(_ text: String, _ message: String) {
        self.text = text
        self.message = message
    }

    var testDescription: String { message }
}
