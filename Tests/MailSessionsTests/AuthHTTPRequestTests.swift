import AsyncIO
import MailSessions
import Testing

@Suite struct AuthHTTPRequestTests {
    private func request(
        _ mailProtocol: MailProtocol, method: AuthenticationMethod = .plain, login: [UInt8] = Array("bob".utf8),
        password: [UInt8] = Array("pass".utf8), headers: [AuthHTTPSettings.Header] = []
    ) -> AuthHTTPRequest {
        var settings = AuthHTTPSettings(address: BackEndFixture.address, host: "localhost")
        settings.uri = "/auth"
        settings.headers = headers
        let attempt = LoginAttempt(method: method, login: login, password: Secret(password), number: 1)
        return AuthHTTPRequest(
            AuthHTTPTemplate(settings), mailProtocol: mailProtocol, attempt: attempt, client: BackEndFixture.client)
    }

    /// The request as lines joined with ` | `, without its first and its blank last one.
    private func headers(_ request: AuthHTTPRequest) throws -> String {
        let text = String(decoding: request.bytes(), as: UTF8.self)
        let lines = text.split(separator: "\r\n" as Character, omittingEmptySubsequences: false)
        #expect(lines.first == "GET /auth HTTP/1.1")
        #expect(lines.suffix(2) == ["", ""])
        return lines.dropFirst().dropLast(2).joined(separator: " | ")
    }

    @Test func `the headers of an IMAP login`() throws {
        #expect(
            try headers(request(.imap)) == """
                Host: localhost | Auth-Method: plain | Auth-User: bob | Auth-Pass: pass | Auth-Protocol: imap | \
                Auth-Login-Attempt: 1 | Client-IP: 192.0.2.7
                """)
    }

    @Test func `a digest comes with its salt`() throws {
        for method in [AuthenticationMethod.cramMD5, .apop] {
            var request = request(.pop3, method: method)
            request.attempt.salt = Array("<1.2@mail.example.com>".utf8)
            request.attempt.number = 3
            #expect(
                try headers(request) == """
                    Host: localhost | Auth-Method: \(method.rawValue) | Auth-User: bob | Auth-Pass: pass | \
                    Auth-Salt: <1.2@mail.example.com> | Auth-Protocol: pop3 | Auth-Login-Attempt: 3 | \
                    Client-IP: 192.0.2.7
                    """)
        }
    }

    @Test func `everything at once keeps nginx's order`() throws {
        let keys = ["s e", "2"].map { AuthHTTPSettings.Header(name: "X-Key", value: $0) }
        var request = request(.smtp, method: .none, login: [], password: [], headers: keys)
        var envelope = SMTPEnvelope()
        envelope.helo = Array("h".utf8)
        envelope.mailFrom = Array("MAIL FROM:<a@b> SIZE=9".utf8)
        envelope.recipient = Array("RCPT TO:<c%d@d>".utf8)
        request.attempt.envelope = envelope
        request.client.proxyAddresses = ClientFacts.ProxyAddresses(
            source: try #require(SocketAddress("[2001:db8::1]:1")), destination: BackEndFixture.address)
        var tls = ClientTLS(version: "TLSv1.3", cipher: "TLS_AES_256_GCM_SHA384")
        tls.verification = "SUCCESS"
        tls.certificate = ClientCertificate(subject: "CN=x,O=y", issuer: "CN=i", serial: "0A", fingerprint: "ff")
        tls.certificate?.pem = "-----BEGIN X-----\nA%\n"
        request.client.tls = tls
        #expect(
            try headers(request) == """
                Host: localhost | Auth-Method: none | Auth-User:  | Auth-Pass:  | Auth-Protocol: smtp | \
                Auth-Login-Attempt: 1 | Client-IP: 192.0.2.7 | Client-Host: [UNAVAILABLE] | \
                Proxy-Protocol-Addr: 2001:db8::1 | Proxy-Protocol-Port: 1 | Proxy-Protocol-Server-Addr: 192.0.2.7 | \
                Proxy-Protocol-Server-Port: 40000 | Auth-SMTP-Helo: h | Auth-SMTP-From: MAIL FROM:<a@b> SIZE=9 | \
                Auth-SMTP-To: RCPT TO:<c%d@d> | Auth-SSL: on | Auth-SSL-Protocol: TLSv1.3 | \
                Auth-SSL-Cipher: TLS_AES_256_GCM_SHA384 | Auth-SSL-Verify: SUCCESS | Auth-SSL-Subject: CN=x,O=y | \
                Auth-SSL-Issuer: CN=i | Auth-SSL-Serial: 0A | Auth-SSL-Fingerprint: ff | \
                Auth-SSL-Cert: -----BEGIN%20X-----%0AA%25%0A | X-Key: s e | X-Key: 2
                """)
    }

    @Test func `an envelope stays out of authenticated logins, verification out of servers that ask for none`() throws {
        var request = request(.smtp)
        request.attempt.envelope = SMTPEnvelope()
        request.client.tls = ClientTLS(version: "V", cipher: "C")
        #expect(
            try headers(request).hasSuffix(
                "Client-Host: [UNAVAILABLE] | Auth-SSL: on | Auth-SSL-Protocol: V | Auth-SSL-Cipher: C"))
    }

    @Test func `user and password are escaped byte for byte`() {
        let all = (0...255).map { UInt8($0) }
        let raw = all.filter { $0 > 0x20 && $0 != UInt8(ascii: "%") }
        let controls = (0...0x20).map { "%" + ($0 < 16 ? "0" : "") + String($0, radix: 16, uppercase: true) }.joined()
        let expected = Array(controls.utf8) + raw.flatMap { $0 == 0x26 ? Array("%25".utf8) + [$0] : [$0] }
        let bytes = request(.imap, login: all, password: all).bytes()
        #expect(bytes.firstRange(of: Array("Auth-User: ".utf8) + expected + [13, 10]) != nil)
        #expect(bytes.firstRange(of: Array("Auth-Pass: ".utf8) + expected + [13, 10]) != nil)
    }

    @Test func `no value ends its line (checklist C1)`() throws {
        var request = request(.smtp, method: .none, login: Array("a\r\nX: y".utf8))
        var envelope = SMTPEnvelope()
        envelope.helo = Array("h\r\nX: y\u{7F}".utf8)
        envelope.mailFrom = Array("MAIL\nX: y".utf8)
        envelope.recipient = Array("RCPT\rX: y\0".utf8)
        request.attempt.envelope = envelope
        request.client.hostName = "x\r\nX: y"
        let text = try headers(request)
        #expect(!text.contains("| X: y"))
        #expect(
            text.contains("Auth-SMTP-Helo: h%0D%0AX: y%7F | Auth-SMTP-From: MAIL%0AX: y | Auth-SMTP-To: RCPT%0DX: y%00")
        )
        #expect(text.contains("Client-Host: x%0D%0AX: y"))
    }

    @Test func `unix clients are called so`() throws {
        var request = request(.imap)
        request.client.address = .unix("/run/x")
        #expect(try headers(request).hasSuffix("Client-IP: unix:"))
    }
}
