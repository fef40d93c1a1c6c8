import AsyncIO
import MailSessions
import TestSupport

/// What the tests of back-end logins start from.
enum BackEndFixture {
    static let address = SocketAddress.ipv4(IPv4Address(192, 0, 2, 7), port: 40_000)
    static let client = ClientFacts(address: address, localAddress: .ipv4(IPv4Address(198, 51, 100, 1), port: 143))

    static func settings(_ mailProtocol: MailProtocol, buffer: Int = 4096, tls: Bool = false) -> ServerSettings {
        var settings = ServerSettings.fixture(mailProtocol)
        settings.name = "mx.example.com"
        settings.proxy.buffer = buffer
        if tls { settings.proxy.tls.security = .startTLS }
        return settings
    }

    static func credentials(_ login: String = "bob", _ password: String? = "pass") -> BackEndCredentials {
        BackEndCredentials(login: Array(login.utf8), password: password.map { Secret(Array($0.utf8)) })
    }

    static func words<Subject: BackEndLogin>() -> Vocabulary<Subject> { Vocabulary(outcome: describe) }

    private static func describe(_ outcome: BackEndOutcome) -> String {
        switch outcome {
        case .loggedIn(let reply): "in " + escaped(reply)
        case .invalidResponse(let reply): "invalid " + escaped(reply)
        case .responseTooLong: "too long"
        case .tlsRefused(let reply): "no TLS " + escaped(reply)
        case .mechanismNotOffered(let mechanism): "not offered \(mechanism)"
        case .unsendableCredentials: "unsendable"
        }
    }

    static func escaped(_ bytes: [UInt8]) -> String {
        String(decoding: bytes, as: UTF8.self).split(separator: "\r\n", omittingEmptySubsequences: false)
            .joined(separator: #"\r\n"#)
    }
}
