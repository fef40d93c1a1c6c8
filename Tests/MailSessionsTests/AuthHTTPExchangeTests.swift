import AsyncIO
import MailSessions
import TestSupport
import Testing

@Suite struct AuthHTTPExchangeTests {
    private static var words: Vocabulary<AuthHTTPExchange> { Vocabulary(outcome: describe) }

    private static func describe(_ outcome: AuthHTTPOutcome) -> String {
        describe(outcome.answer) + (outcome.isReusable ? ", keep" : ", close")
    }

    private static func describe(_ answer: AuthHTTPAnswer) -> String {
        func text(_ bytes: [UInt8]?) -> String { bytes.map { String(decoding: $0, as: UTF8.self) } ?? "-" }
        switch answer {
        case .success(let server, let login, let password, let smtpAuth, let tls):
            let auth = smtpAuth.map { $0 ? " smtp" : " no smtp" } ?? ""
            let demands = [tls.security.map { " tls=\($0.rawValue)" }, tls.certificateName.map { " name=\($0)" }]
            return "\(server?.description ?? "-") \(text(login)) \(text(password?.bytes))\(auth)"
                + demands.compactMap { $0 }.joined()
        case .refusal(let message, let code, let wait, let challenge):
            return "refused '\(text(message))' \(text(code)) \(wait.map { "\($0)" } ?? "-")"
                + (challenge.map { " challenge=\(text($0))" } ?? "")
        case .waitAndRetry(let pause): return "again \(pause)"
        case .invalid(let fault):
            switch fault {
            case .serverAddress(let value): return "address '\(text(value))'"
            case .serverPort(let value): return "port '\(text(value))'"
            case .backEndSecurity(let value): return "security '\(text(value))'"
            case .backEndName(let value): return "name '\(text(value))'"
            default: return "\(fault)"
            }
        }
    }

    private func check(
        _ answer: String, _ end: String, mailProtocol: MailProtocol = .imap, method: AuthenticationMethod = .plain
    ) throws {
        let attempt = LoginAttempt(
            method: method, login: Array("b".utf8), password: Secret(Array("p".utf8)), number: 1)
        let request = AuthHTTPRequest(
            AuthHTTPTemplate(AuthHTTPSettings(address: BackEndFixture.address, host: "h")), mailProtocol: mailProtocol,
            attempt: attempt, client: BackEndFixture.client)
        let sent = String(decoding: request.bytes(), as: UTF8.self).replacing("\r\n", with: #"\r\n"#)
        let lines = answer.split(separator: " | ", omittingEmptySubsequences: false).map { "C: \($0)" }
        try Transcript("s: \(sent)\n\(lines.joined(separator: "\n"))\n\(end)").check(Self.words) {
            AuthHTTPExchange(request)
        }
    }

    private static let server = "Auth-Server: 198.51.100.1 | Auth-Port: 143"

    @Test(arguments: [
        ("HTTP/1.0 200 OK | Auth-Status: OK | \(server) | ", "198.51.100.1:143 - -, close", "1.0"),
        ("HTTP/1.1 200 OK | Auth-Status: OK | \(server) | Content-Length: 0 | ", "198.51.100.1:143 - -, keep", "1.1"),
        ("HTTP/1.1 204 x | auth-STATUS:OK | \(server) | ", "198.51.100.1:143 - -, keep", "204 has no body"),
        ("HTTP/1.1 200 | Auth-Status: OK | ", "- - -, close", "no length, and the configured back-end"),
        (
            "HTTP/1.1 200 | Auth-User: ann  | Auth-Pass:  s e  | \(server) | ", "198.51.100.1:143 ann s e, close",
            "trimmed"
        ),
        ("\(server) | ", "198.51.100.1:143 - -, close", "no status line"),
        ("HTTP/1.1 500 x | Auth-Status: OK | \(server) | ", "198.51.100.1:143 - -, close", "the status is not asked"),
        ("HTTP/1.1 200 | Auth-Server: 2001:db8::1 | Auth-Port: 65535 | ", "[2001:db8::1]:65535 - -, close", "IPv6"),
        (
            "HTTP/1.1 100 Continue |  | HTTP/1.1 200 | \(server) | Content-Length: 0 | ", "198.51.100.1:143 - -, keep",
            "1xx"
        ),
        ("HTTP/1.1 200 | \(server) | Auth-SMTP: yes | ", "198.51.100.1:143 - - smtp, close", "Auth-SMTP"),
        ("HTTP/1.1 200 | \(server) | auth-smtp: No | ", "198.51.100.1:143 - - no smtp, close", "Auth-SMTP in any case"),
        ("HTTP/1.1 200 | \(server) | Auth-SMTP: on | ", "198.51.100.1:143 - -, close", "Auth-SMTP is yes or no"),
        (
            "HTTP/1.1 200 | \(server) | Auth-SSL-Backend: STARTTLS | Auth-SSL-Backend-Name: mx.example | ",
            "198.51.100.1:143 - - tls=starttls name=mx.example, close", "TLS with the back-end"
        ),
        ("HTTP/1.1 200 | \(server) | Auth-SSL-Backend: off | ", "198.51.100.1:143 - - tls=off, close", "and without"),
        ("HTTP/1.1 200 | \(server) | Auth-Server: 192.0.2.9 | ", "192.0.2.9:143 - -, close", "the last counts"),
    ])
    func `successes`(answer: String, outcome: String, reason: String) throws {
        try check(answer, "= \(outcome)")
    }

    @Test(arguments: [
        ("HTTP/1.1 500 Oops | ", "status(500), close", "an error is no login"),
        ("HTTP/1.1 404 No | \(server) | Content-Length: 0 | ", "status(404), keep", "nor is a missing page"),
        ("HTTP/1.1 200 OK | Content-Length: 0 | ", "missingServerOrPort, keep", "a page that knows nothing of us"),
        ("HTTP/1.1 200 | Auth-Status: OK | Auth-Server: 192.0.2.1 | ", "missingServerOrPort, close", "no port"),
        ("HTTP/1.1 200 | Auth-Status: OK | Auth-Port: 143 | ", "missingServerOrPort, close", "no server"),
        ("HTTP/1.1 200 | Auth-Server: host.example | Auth-Port: 143 | ", "host.example:143 - -, close", "a name"),
        ("HTTP/1.1 200 | Auth-Server: back_ends | ", "back_ends - -, close", "a group's name needs no port"),
        ("HTTP/1.1 200 | Auth-Server: 192.0.2.300 | Auth-Port: 143 | ", "address '192.0.2.300', close", "a slip"),
        ("HTTP/1.1 200 | Auth-Server: a/b | Auth-Port: 143 | ", "address 'a/b', close", "no name either"),
        ("HTTP/1.1 200 | Auth-Server: host.example | Auth-Port: x | ", "port 'x', close", "a name's port"),
        ("HTTP/1.1 200 | Auth-Server: [::1] | Auth-Port: 143 | ", "address '[::1]', close", "brackets"),
        (#"HTTP/1.1 200 | Auth-Server: 192.0.2.1\0\x01 | Auth-Port: 1 | "#, "address '192.0.2.1  ', close", "NUL"),
        ("HTTP/1.1 200 | Auth-Server: 192.0.2.1 | Auth-Port: 0 | ", "port '0', close", "port 0"),
        ("HTTP/1.1 200 | Auth-Server: 192.0.2.1 | Auth-Port: 65536 | ", "port '65536', close", "port one past"),
        ("HTTP/1.1 200 | Auth-Server: 192.0.2.1 | Auth-Port: +14 | ", "port '+14', close", "a sign"),
        ("HTTP/1.1 200 | \(server) | Auth-SSL-Backend: yes | ", "security 'yes', close", "no way to be secure"),
        ("HTTP/1.1 200 | \(server) | Auth-SSL-Backend: | ", "security '', close", "nor is nothing"),
        ("HTTP/1.1 200 | \(server) | Auth-SSL-Backend-Name: a b | ", "name 'a b', close", "no name"),
        (
            "HTTP/1.1 200 | \(server) | Auth-SSL-Backend-Name: \(String(repeating: "a", count: 254)) | ",
            "name '\(String(repeating: "a", count: 254))', close", "one past the longest name"
        ),
    ])
    func `answers nothing can be done with`(answer: String, outcome: String, reason: String) throws {
        try check(answer, "= \(outcome)")
    }

    @Test(arguments: [
        ("HTTP/1.1 2x0 OK", "response"), ("HTTP/1.1", "response"), (#"HTTP/1.1 200 O\rK"#, "response"),
        ("HTTP/1.1 20", "response"), ("HTTP/1.1 200 | X_Y: 1", "header"), ("HTTP/1.1 200 | X : 1", "header"),
        ("HTTP/1.1 200 | : 1", "header"), ("HTTP/1.1 200 |  folded", "header"), ("\u{16}\u{3}\u{1}", "header"),
        (#"HTTP/1.1 200 | Auth-User: a\rb"#, "header"), ("HTTP/1.1 200 | HTTP/1.1 200", "header"),
    ])
    func `malformed heads (checklist C6)`(answer: String, outcome: String) throws {
        try check(answer, "= \(outcome), close")
    }

    @Test(arguments: [
        ("Auth-Status: no such user", "refused 'no such user' - -, close", "plain words"),
        ("Auth-Status: ok", "refused 'ok' - -, close", "case matters"),
        ("Auth-Status:", "refused 'Invalid login or password' - -, close", "empty is no success"),
        ("Auth-Status", "refused 'Invalid login or password' - -, close", "nor is a name without colon"),
        (#"Auth-Status: a\tb\0c\x1b\x7fd"#, "refused 'a b c  d' - -, close", "control bytes (row 34)"),
        ("Auth-Status: no | Auth-Status: OK", "refused 'no' - -, close", "no is not undone"),
        ("Auth-Status: OK | Auth-Status: no", "refused 'no' - -, close", "but OK is"),
        ("Auth-Status: no | Auth-Wait: 3", "refused 'no' - 3.0 seconds, close", "again after a while"),
        ("Auth-Status: no | Auth-Wait: 0", "refused 'no' - -, close", "0 is none"),
        ("Auth-Status: no | Auth-Wait: 3x", "refused 'no' - -, close", "garbage is ignored"),
        ("Auth-Status: no | Auth-Wait: -3", "refused 'no' - -, close", "so is a sign"),
        ("Auth-Status: no | Auth-Wait: 99999999999999999999", "refused 'no' - -, close", "so is an overflow"),
        ("Auth-Status: no | Auth-Wait: 3600", "refused 'no' - 3600.0 seconds, close", "the longest wait"),
        ("Auth-Status: no | Auth-Wait: 3601", "refused 'no' - 3600.0 seconds, close", "one past it"),
        ("Auth-Status: WAIT | Auth-Wait: 2", "again 2.0 seconds, close", "WAIT"),
        ("Auth-Status: WAIT", "again 1.0 seconds, close", "WAIT never loops (row 4)"),
        ("Auth-Status: WAIT | Auth-Wait: 0", "again 1.0 seconds, close", "nor with 0"),
        ("Auth-Status: WAIT | Auth-Status: OK", "again 1.0 seconds, close", "WAIT is not undone"),
    ])
    func `refusals and waits`(headers: String, outcome: String, reason: String) throws {
        try check("HTTP/1.1 200 OK | \(headers) | ", "= \(outcome)")
        try check("HTTP/1.1 500 OK | \(headers) | ", "= \(outcome)")
    }

    @Test(arguments: [
        ("451 4.3.0", "451 4.3.0"), ("550", "550"), ("235 2.0.0", "-"), ("354", "-"), ("550-", "-"), ("55", "-"),
        ("5500", "-"), (#"550\t5"#, "-"),
        ("550 " + String(repeating: "5", count: 28), "550 " + String(repeating: "5", count: 28)),
        ("550 " + String(repeating: "5", count: 29), "-"), ("", "-"),
    ])
    func `only a code that refuses is passed on`(code: String, outcome: String) throws {
        let answer = "HTTP/1.1 200 | Auth-Status: no | Auth-Error-Code: \(code) | "
        try check(answer, "= refused 'no' \(outcome) -, close", mailProtocol: .smtp)
        try check(answer, "= refused 'no' - -, close", mailProtocol: .pop3)
    }

    @Test func `a refusal's text is bounded`() throws {
        let text = String(repeating: "x", count: 500)
        try check("HTTP/1.1 200 | Auth-Status: \(text) | ", "= refused '\(text)' - -, close")
        try check("HTTP/1.1 200 | Auth-Status: \(text)y | ", "= refused '\(text)' - -, close")
    }

    @Test(arguments: [
        ("eyJzdGF0dXMiOiI0MDAifQ==", " challenge=eyJzdGF0dXMiOiI0MDAifQ==", "JSON in base64"),
        ("eyJzdGF0dXMiOiI0MDAifQ==AA", "", "no base64"), ("e30= x", "", "two words"), ("", "", "nothing"),
        (String(repeating: "AAAA", count: 1024), " challenge=\(String(repeating: "AAAA", count: 1024))", "the longest"),
        (String(repeating: "AAAA", count: 1025), "", "one past it"),
    ])
    func `C6: Auth-Error-SASL counts for tokens only, and if it is base64 of a bounded length`(
        value: String, challenge: String, reason: String
    ) throws {
        let answer = "HTTP/1.1 200 | Auth-Status: no | Auth-Wait: 1 | Auth-Error-SASL: \(value) | "
        for method in [AuthenticationMethod.xoauth2, .oauthBearer] {
            try check(answer, "= refused 'no' - 1.0 seconds\(challenge), close", method: method)
        }
        try check(answer, "= refused 'no' - 1.0 seconds, close", method: .plain)
    }

    @Test(arguments: [AuthenticationMethod.apop, .cramMD5, .external, .xoauth2, .oauthBearer])
    func `IMAP and POP3 need a password where the client showed none`(method: AuthenticationMethod) throws {
        let answer = "HTTP/1.1 200 | Auth-Status: OK | \(Self.server) | "
        try check(answer, "= missingPassword, close", mailProtocol: .pop3, method: method)
        try check(answer, "= 198.51.100.1:143 - -, close", mailProtocol: .smtp, method: method)
        try check(
            "HTTP/1.1 200 | Auth-Pass: clear | \(Self.server) | ", "= 198.51.100.1:143 - clear, close", method: method)
    }

    @Test(arguments: [
        ("Content-Length: 3 | ", "abc", "keep", "counted"),
        ("Content-Length: 3 | Content-Length: 3 | ", "abc", "keep", "counted twice alike"),
        ("Transfer-Encoding: chunked | ", #"3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n"#, "keep", "chunks"),
        ("Transfer-Encoding: Chunked | ", #"0\r\nTrailer: x\r\n\r\n"#, "keep", "a trailer"),
        ("Connection: keep-alive | Content-Length: 1 | ", "a", "keep", "keep-alive is the rule"),
        ("Content-Length: 3 | Content-Length: 4 | ", "", "close", "counted twice differently"),
        ("Content-Length: 3 | Transfer-Encoding: chunked | ", "", "close", "both (request smuggling)"),
        ("Transfer-Encoding: chunked | Content-Length: 3 | ", "", "close", "both, the other way around"),
        ("Transfer-Encoding: gzip, chunked | ", "", "close", "another coding"),
        ("Content-Length: -1 | ", "", "close", "a sign"),
        ("Content-Length: | ", "", "close", "nothing"),
        ("Connection: x , Close | Content-Length: 3 | ", "", "close", "Connection: close"),
        ("Transfer-Encoding: chunked | ", #"-1\r\n"#, "close", "a chunk with a sign"),
        ("Transfer-Encoding: chunked | ", #"+1\r\n"#, "close", "with the other"),
        ("Transfer-Encoding: chunked | ", #"-0\r\n"#, "close", "zero with a sign"),
        ("Transfer-Encoding: chunked | ", #"1\r\nab\r\n"#, "close", "a chunk longer than it says"),
        ("Transfer-Encoding: chunked | ", #"g\r\n"#, "close", "no number"),
        ("Transfer-Encoding: chunked | ", #"4001\r\n"#, "close", "more than the bound"),
        ("Content-Length: 16385 | ", "", "close", "more than the bound"),
    ])
    func `the body decides about the connection`(headers: String, body: String, kept: String, reason: String) throws {
        let answer = "HTTP/1.1 200 | Auth-Status: no | \(headers)"
        try check(answer, (body.isEmpty ? "" : "c: \(body)\n") + "= refused 'no' - -, \(kept)")
    }

    @Test func `bytes behind the answer stay unread`() throws {
        try check(
            "HTTP/1.1 200 | Auth-Status: no | Content-Length: 1 | ", "c: aHTTP\n= refused 'no' - -, keep\nl: HTTP")
    }

    @Test func `the head may be 16 KiB long, and no more`() throws {
        func answer(_ length: Int) -> [UInt8] {
            let start = "HTTP/1.1 200\r\nAuth-Status: no\r\nX: "
            return Array((start + String(repeating: "x", count: length - start.utf8.count - 4) + "\r\n\r\n").utf8)
        }
        #expect(try outcome(answer(AuthHTTPExchange.headMaximum)) == "refused 'no' - -, close")
        #expect(try outcome(answer(AuthHTTPExchange.headMaximum + 1)) == "tooLong, close")
        #expect(try outcome([UInt8](repeating: 65, count: AuthHTTPExchange.headMaximum)) == "tooLong, close")
    }

    @Test func `a body may be 16 KiB long`() throws {
        let head = Array("HTTP/1.1 200\r\nAuth-Status: no\r\nContent-Length: 16384\r\n\r\n".utf8)
        #expect(try outcome(head + [UInt8](repeating: 65, count: 16384)) == "refused 'no' - -, keep")
    }

    @Test func `a body that does not come takes nothing from the answer`() throws {
        let head = Array("HTTP/1.1 200\r\nAuth-Status: no\r\nContent-Length: 3\r\n\r\n".utf8)
        #expect(try outcome(Array(head.dropLast())) == "unfinished")
        #expect(try outcome(head) == "refused 'no' - -, unfinished")
        #expect(try outcome(head + [65, 65]) == "refused 'no' - -, unfinished")
        #expect(try outcome(head, keepsConnection: false) == "refused 'no' - -, close")
    }

    private func outcome(_ answer: [UInt8], keepsConnection: Bool = true) throws -> String {
        let attempt = LoginAttempt(method: .plain, login: [], password: Secret([]), number: 1)
        var exchange = AuthHTTPExchange(
            AuthHTTPRequest(
                AuthHTTPTemplate(AuthHTTPSettings(address: BackEndFixture.address, host: "h")), mailProtocol: .imap,
                attempt: attempt, client: BackEndFixture.client), keepsConnection: keepsConnection)
        _ = exchange.next()
        exchange.input.append(contentsOf: answer)
        guard case .finish(let outcome) = exchange.next() else {
            return exchange.decided.map { "\(Self.describe($0)), unfinished" } ?? "unfinished"
        }
        return Self.describe(outcome)
    }
}
