import AsyncIO
import Testing

@testable import MailSessions

/// What the columns of an answer mean.
@Suite struct MySQLAccountTests {
    private func account(_ values: [MySQLColumn: String]) throws -> MySQLAccount {
        try MySQLAccount(values.mapValues { Array($0.utf8) })
    }

    @Test(
        arguments: [
            ([:], "configured"), ([.host: ""], "configured"),
            ([.host: "192.0.2.1"], "name(\"192.0.2.1\", port: nil)"),
            ([.host: "192.0.2.1", .port: "1143"], "address(192.0.2.1:1143)"),
            ([.host: "2001:db8::1", .port: "1"], "address([2001:db8::1]:1)"),
            ([.host: "2001:db8::1"], "name(\"2001:db8::1\", port: nil)"),
            ([.host: "unix:/run/imap", .port: "1"], "address(unix:/run/imap)"),
            ([.host: "mail1"], "name(\"mail1\", port: nil)"),
            ([.host: "mail1.example.org", .port: "65535"], "name(\"mail1.example.org\", port: 65535)"),
        ] as [([MySQLColumn: String], String)])
    func `back-ends`(values: [MySQLColumn: String], choice: String) throws {
        let found = try account(values).backEnd
        let text =
            switch found {
            case .address(let address): "address(\(address))"
            case .name(let name, let port): "name(\"\(name)\", port: \(port.map { "\($0)" } ?? "nil"))"
            case .configured: "configured"
            }
        #expect(text == choice)
    }

    @Test(
        arguments: [
            ([.password: "secret"], MySQLAnswerFault.invalid(.password)), ([.password: ""], .invalid(.password)),
            ([.password: "{PLAIN}"], .invalid(.password)), ([.password: "{MD5}x"], .invalid(.password)),
            ([.host: "a b"], .invalid(.host)), ([.host: "a:1"], .invalid(.host)), ([.host: "unix:"], .invalid(.host)),
            ([.host: "a", .port: "0"], .invalid(.port)), ([.host: "a", .port: "65536"], .invalid(.port)),
            ([.host: "a", .port: "-1"], .invalid(.port)), ([.port: "1"], .portWithoutHost),
            ([.proxySSL: "maybe"], .invalid(.proxySSL)), ([.reason: "no", .wait: "soon"], .invalid(.wait)),
            ([.reason: "no", .wait: "-1"], .invalid(.wait)),
        ] as [([MySQLColumn: String], MySQLAnswerFault)])
    func refused(values: [MySQLColumn: String], fault: MySQLAnswerFault) {
        #expect(throws: fault) { try account(values) }
    }

    @Test(arguments: [("off", BackEndSecurity.off), ("0", .off), ("ON", .on), ("1", .on), ("StartTLS", .startTLS)])
    func `proxy_ssl`(word: String, security: BackEndSecurity) throws {
        #expect(try account([.proxySSL: word]).security == security)
    }

    @Test func `a reason is one line, bounded, and so is the wait`() throws {
        let long = String(repeating: "x", count: 600)
        let refusal = try #require(try account([.reason: "a\r\nb\(long)", .wait: "999999"]).refusal)
        #expect(refusal.text.count == 500)
        #expect(String(decoding: refusal.text, as: UTF8.self).hasPrefix("a  bxx"))
        #expect(refusal.wait == .seconds(3600))
        #expect(try account([.wait: "7"]).refusal == nil)
        #expect(try account([.reason: "later"]).refusal?.wait == nil)
    }

    // MARK: Passwords

    private func attempt(
        _ password: String, _ method: AuthenticationMethod = .plain, salt: String? = nil
    ) -> LoginAttempt {
        LoginAttempt(
            method: method, login: Array("ann".utf8), password: Secret(Array(password.utf8)),
            salt: salt.map { Array($0.utf8) }, number: 1)
    }

    private static let yescrypt = "$y$j75$saltsaltsalt$jyf/lxrpdyAIshWRo1x5DRC6KIE7sNRRtjcomR3PgHA"

    @Test(arguments: [
        ("{PLAIN}secret", "secret", true), ("{PLAIN}secret", "Secret", false), ("{CRYPT}" + yescrypt, "secret", true),
        (yescrypt, "secret", true), (yescrypt, "secreT", false), (yescrypt, yescrypt, false), (nil, "", false),
        (nil, "no account has this password", false),
    ])
    func `passwords are proven, whatever form they are kept in`(stored: String?, shown: String, isRight: Bool) throws {
        let kept = try stored.map { try StoredPassword(Array($0.utf8)[...]) }
        let proven = StoredPassword.proven(by: attempt(shown), against: kept, decoy: .usual)
        #expect(proven == (isRight ? Secret(Array(shown.utf8)) : nil))
    }

    /// The examples of RFC 2195 §2 and RFC 1939 §7.
    @Test(arguments: [
        (
            "tanstaaftanstaaf", "b913a602c7eda7a495b4e6e7334d3890", AuthenticationMethod.cramMD5,
            "<1896.697170952@postoffice.reston.mci.net>"
        ),
        ("tanstaaf", "c4c9334bac560ecc979e58001b3e22fb", .apop, "<1896.697170952@dbc.mtview.ca.us>"),
    ])
    func `digests need the password itself`(
        password: String, digest: String, method: AuthenticationMethod, salt: String
    ) throws {
        let kept = try StoredPassword(Array("{PLAIN}\(password)".utf8)[...])
        let right = attempt(digest, method, salt: salt)
        #expect(StoredPassword.proven(by: right, against: kept, decoy: .usual) == Secret(Array(password.utf8)))
        let hashed = try StoredPassword(Array(Self.yescrypt.utf8)[...])
        for (attempt, stored) in [
            (attempt(digest, method, salt: "<other@mx>"), kept), (attempt(digest, method), kept), (right, hashed),
            (right, nil),
        ] { #expect(StoredPassword.proven(by: attempt, against: stored, decoy: .usual) == nil) }
    }

    @Test func `no password fits the decoy, not even its own (checklist G2)`() {
        for shown in ["secret", "", "correct horse"] {
            #expect(StoredPassword.proven(by: attempt(shown), against: nil, decoy: .usual) == nil)
        }
    }
}
