import AsyncIO
import Testing

@testable import MailSessions

@Suite struct AccountsFileTests {
    private static let sha512 = """
        $6$rounds=1000$saltsalt$LAV5VE5Y7w1d73x1mFNspYWUpazfmwv2SoepNXNKJ/otop/Zok96Hr8Q13LEv0DRY/x8v0/crpIjl8NJSAqXV/
        """
    private static let yescrypt = "$y$j75$saltsaltsalt$jyf/lxrpdyAIshWRo1x5DRC6KIE7sNRRtjcomR3PgHA"

    private static let bcrypt = "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW"

    private static let mixed = """
        # accounts
        ann:{PLAIN}correct: horse

        bob:{CRYPT}\(yescrypt)\r
        eve:\(sha512)
        zoe:\(bcrypt)
        """

    private func parse(_ text: String) throws -> AccountsFile { try AccountsFile(parsing: Array(text.utf8)) }

    private func attempt(
        _ login: String, _ password: String, method: AuthenticationMethod = .plain, salt: String? = nil
    ) -> LoginAttempt {
        LoginAttempt(
            method: method, login: Array(login.utf8), password: Secret(Array(password.utf8)),
            salt: salt.map { Array($0.utf8) }, number: 1)
    }

    /// The decision in words, with hashes checked.
    private func decide(_ accounts: AccountsFile, _ attempt: LoginAttempt) -> String {
        switch accounts.check(attempt) {
        case .accepted(let password): "yes \(String(decoding: password.bytes, as: UTF8.self))"
        case .refused: "no"
        case .needsHash(let hash): hash.verify(attempt.password) ? "hash yes" : "hash no"
        }
    }

    @Test(arguments: [
        ("ann", "correct: horse", "yes correct: horse", "a colon belongs to the password"),
        ("ann", "correct", "hash no", "a wrong password costs what an unknown name costs"),
        ("ann", "", "hash no", "so does an empty one"),
        ("bob", "secret", "hash yes", "yescrypt in a CRLF line"),
        ("bob", "secreT", "hash no", "wrong"),
        ("bob", "secret\0x", "hash no", "crypt(3) would see `secret`"),
        ("eve", "secret", "hash yes", "SHA-512 without a scheme"),
        ("zoe", "secret", "hash yes", "bcrypt"), ("zoe", "Secret", "hash no", "wrong"),
        ("nobody", "secret", "hash no", "the decoy's own password opens nothing"),
        ("", "secret", "hash no", "nobody"), ("ANN", "correct: horse", "hash no", "case matters"),
        ("bob", String(repeating: "x", count: 600), "hash no", "longer than crypt(3) takes"),
    ])
    func `passwords in a mixed file, unknown names costing a hash (checklist G2)`(
        login: String, password: String, decision: String, reason: String
    ) throws {
        #expect(try decide(parse(Self.mixed), attempt(login, password)) == decision)
    }

    @Test(arguments: [("ann", "a", "yes a"), ("ann", "b", "no"), ("bob", "a", "no"), ("ann", "a\0", "no")])
    func `passwords in a plain file need no hash`(login: String, password: String, decision: String) throws {
        #expect(try decide(parse("ann:{PLAIN}a"), attempt(login, password)) == decision)
    }

    @Test func `CRAM-MD5 as in RFC 2195`() throws {
        let accounts = try parse("tim:{PLAIN}tanstaaftanstaaf\nbob:\(Self.sha512)")
        let salt = "<1896.697170952@postoffice.reston.mci.net>"
        let digest = "b913a602c7eda7a495b4e6e7334d3890"
        func decide(_ login: String, _ digest: String, _ salt: String?) -> String {
            self.decide(accounts, attempt(login, digest, method: .cramMD5, salt: salt))
        }
        #expect(decide("tim", digest, salt) == "yes tanstaaftanstaaf")
        #expect(decide("tim", digest.uppercased(), salt) == "yes tanstaaftanstaaf")
        #expect(decide("tim", digest, "<other>") == "no")
        #expect(decide("tim", digest, nil) == "no")
        #expect(decide("tim", "", salt) == "no")
        #expect(decide("tam", digest, salt) == "no")
        #expect(decide("bob", digest, salt) == "no")
    }

    @Test func `APOP as in RFC 1939`() throws {
        let accounts = try parse("mrose:{PLAIN}tanstaaf")
        let salt = "<1896.697170952@dbc.mtview.ca.us>"
        let digest = "c4c9334bac560ecc979e58001b3e22fb"
        #expect(decide(accounts, attempt("mrose", digest, method: .apop, salt: salt)) == "yes tanstaaf")
        #expect(decide(accounts, attempt("mrose", digest, method: .cramMD5, salt: salt)) == "no")
        #expect(decide(accounts, attempt("other", digest, method: .apop, salt: salt)) == "no")
    }

    @Test func `a digest of the decoy's password opens nothing`() throws {
        let decoy = Secret(Array("no account has this password".utf8))
        let digest = try #require(MessageDigest.apop(salt: Array("s".utf8), password: decoy))
        let text = String(decoding: digest, as: UTF8.self)
        #expect(try decide(parse("ann:{PLAIN}a"), attempt("x", text, method: .apop, salt: "s")) == "no")
    }

    @Test(arguments: [AuthenticationMethod.external, .none])
    func `who shows no password is refused`(method: AuthenticationMethod) throws {
        #expect(try decide(parse("ann:{PLAIN}a"), attempt("ann", "a", method: method)) == "no")
    }

    @Test(arguments: [
        ("ann", 1, AccountsFileError.Reason.noColon), ("#\n\nann {PLAIN}a", 3, .noColon),
        ("a:{PLAIN}x\n:{PLAIN}a", 2, .invalidName), ("a\tb:{PLAIN}a", 1, .invalidName),
        ("a:{PLAIN}x\r\nb:{PLAIN}x\r\na:{PLAIN}y", 3, .duplicate),
        ("a:{PLAIN}", 1, .invalidPassword), ("a:{PLAIN}\0", 1, .invalidPassword),
        ("a:secret", 1, .unknownScheme), ("a:", 1, .unknownScheme), ("a:{plain}x", 1, .unknownScheme),
        ("a:{SHA1}x", 1, .unknownScheme), ("a:$", 1, .invalidHash), ("a:{CRYPT}", 1, .invalidHash),
        ("a:backend=x", 1, .unknownScheme), ("a:backend=x:secret", 1, .unknownScheme),
        ("a:backend=:{PLAIN}x", 1, .invalidBackEnd), ("a:backend=x:0:{PLAIN}x", 1, .invalidBackEnd),
        ("a:backend=x:99999:{PLAIN}x", 1, .invalidBackEnd), ("a:backend=x y:{PLAIN}x", 1, .invalidBackEnd),
        ("a:backend=/x:{PLAIN}x", 1, .invalidBackEnd), ("a:backend=x:143:{PLAIN}", 1, .invalidPassword),
        ("a:{CRYPT}secret", 1, .invalidHash), ("a:$9$salt$hash", 1, .invalidHash), ("a:*", 1, .unknownScheme),
    ])
    func `errors name the line and what would be accepted`(
        text: String, line: Int, reason: AccountsFileError.Reason
    ) throws {
        #expect(throws: AccountsFileError(line: line, reason: reason)) { try parse(text) }
    }

    @Test(arguments: [
        ("a:backend=192.0.2.1:143:{PLAIN}x", BackEndChoice.address(.ipv4(IPv4Address(192, 0, 2, 1), port: 143))),
        ("a:backend=[2001:db8::1]:143:{PLAIN}x", .address(SocketAddress("[2001:db8::1]:143") ?? .unix(""))),
        ("a:backend=unix:/run/imap:{PLAIN}x", .address(.unix("/run/imap"))),
        ("a:backend=mail1.example:1143:\(sha512)", .name("mail1.example", port: 1143)),
        ("a:backend=group_1:{CRYPT}\(bcrypt)", .name("group_1", port: nil)), ("a:{PLAIN}x", .configured),
        ("a:{PLAIN}x:backend=192.0.2.1:143", .configured),
    ])
    func `an account may name its back-end, a password cannot`(line: String, expected: BackEndChoice) throws {
        let accounts = try parse(line)
        #expect(accounts.backEnd(of: Array("a".utf8)) == expected)
        #expect(accounts.allNameBackEnds == (expected != .configured))
        #expect(accounts.backEnd(of: Array("b".utf8)) == .configured)
    }

    @Test func `a file names its back-ends only if all of it does`() throws {
        #expect(try !parse("a:backend=x:{PLAIN}x\nb:{PLAIN}x").allNameBackEnds)
        #expect(try parse("a:backend=x:{PLAIN}x\nb:backend=y:{PLAIN}x").allNameBackEnds)
        #expect(try !parse("").allNameBackEnds)
    }

    @Test(arguments: CryptHash.Method.allCases)
    func `a hash made here opens with its password only, and has a salt of its own`(method: CryptHash.Method) throws {
        func hash(_ password: String) -> [UInt8]? { CryptHash.text(of: Secret(Array(password.utf8)), by: method) }
        let made = try #require(hash("sécret"))
        let accounts = try parse("ann:\(String(decoding: made, as: UTF8.self))")
        #expect(decide(accounts, attempt("ann", "sécret")) == "hash yes")
        #expect(decide(accounts, attempt("ann", "secret")) == "hash no")
        #expect(hash("sécret") != made)
        #expect(hash(String(repeating: "x", count: method.passwordMaximum)) != nil)
        #expect(hash(String(repeating: "x", count: method.passwordMaximum + 1)) == nil)
        #expect(hash("") == nil)
        #expect(hash("a\0b") == nil)
    }

    @Test func `an error says the line and nothing of its content`() {
        #expect(throws: AccountsFileError(line: 1, reason: .unknownScheme)) { try parse("ann:hunter2") }
        #expect(
            AccountsFileError(line: 7, reason: .unknownScheme).description
                == #"expected "{PLAIN}password", "{CRYPT}hash" or a hash beginning with "$" behind ":" in line 7"#)
    }

    @Test func `a line may have 1024 bytes, and no more`() throws {
        let line = "a:{PLAIN}" + String(repeating: "x", count: AccountsFile.lineMaximum - 9)
        #expect(try parse(line + "\r\n").count == 1)
        #expect(throws: AccountsFileError(line: 1, reason: .lineTooLong)) { try parse(line + "x") }
        #expect(throws: Never.self) { try parse("#" + line + line) }
    }

    @Test func `a file may have 100000 accounts, and no more`() throws {
        let text = (0..<AccountsFile.accountsMaximum).map { "\($0):{PLAIN}x\n" }.joined()
        #expect(try parse(text).count == AccountsFile.accountsMaximum)
        #expect(throws: AccountsFileError(line: 100_001, reason: .tooManyAccounts)) { try parse(text + "x:{PLAIN}x") }
    }

    @Test func `a file may have 16 MiB, and no more`() throws {
        let comments = [UInt8](repeating: UInt8(ascii: "#"), count: AccountsFile.fileMaximum)
        #expect(try AccountsFile(parsing: comments).count == 0)
        #expect(throws: AccountsFileError(line: 1, reason: .fileTooLarge)) {
            try AccountsFile(parsing: comments + comments.prefix(1))
        }
    }

    @Test func `an empty file refuses everybody`() {
        #expect(decide(AccountsFile(), attempt("", "")) == "no")
    }
}
