import MailSessions
import TestSupport
import Testing

/// A protocol's own words around what is the same in all three.
struct ProtocolWords: Sendable, CustomTestStringConvertible {
    let mailProtocol: MailProtocol
    let greeting: String
    /// What begins a SASL exchange.
    let authenticate: String
    /// In front of a challenge.
    let prefix: String
    /// The reply to a command that is none.
    let invalid: String
    let accepted: String
    /// A login with a password that is `x`, and the question it leads to.
    let login: [String]

    var testDescription: String { mailProtocol.rawValue }

    static let all = [
        ProtocolWords(
            mailProtocol: .imap, greeting: "* OK IMAP4 ready", authenticate: "a AUTHENTICATE", prefix: "+ ",
            invalid: "a BAD invalid command", accepted: "accepted a", login: ["C: a LOGIN ann x"]),
        ProtocolWords(
            mailProtocol: .pop3, greeting: "+OK POP3 ready", authenticate: "AUTH", prefix: "+ ",
            invalid: "-ERR invalid command", accepted: "accepted", login: ["C: USER ann", "S: +OK", "C: PASS x"]),
        ProtocolWords(
            mailProtocol: .smtp, greeting: "220 mx ESMTP ready", authenticate: "AUTH", prefix: "334 ",
            invalid: "500 5.5.1 Invalid command", accepted: "accepted", login: ["C: AUTH PLAIN AGFubgB4"]),
    ]

    /// Plays lines behind the greeting, cut in every way.
    func play(_ lines: [String], _ change: @escaping @Sendable (inout ServerSettings) -> Void = { _ in }) throws {
        let row = DialogueRow(mailProtocol.rawValue, change, (["S: \(greeting)"] + lines).joined(separator: "\n"))
        switch mailProtocol {
        case .imap: try row.play(.imap, IMAPFrontEnd.init)
        case .pop3: try row.play(.pop3, POP3FrontEnd.init)
        case .smtp: try row.play(.smtp, SMTPFrontEnd.init)
        }
    }

    /// The reply to refused credentials in nginx's words.
    func refused(_ text: String) -> String {
        switch mailProtocol {
        case .imap: "a NO \(text)"
        case .pop3: "-ERR \(text)"
        case .smtp: "535 5.7.0 \(text)"
        }
    }
}

/// How a client of OAUTHBEARER or XOAUTH2 learns why its token is refused (RFC 7628 §3.2.3), as in freenginx.
@Suite struct TokenRefusalTests {
    /// Mechanism, message in base64, the question, and the acknowledgement.
    private static let mechanisms = [
        // n,a=ann,^Aauth=Bearer x^A^A
        ("OAUTHBEARER", "bixhPWFubiwBYXV0aD1CZWFyZXIgeAEB", "oauthbearer ann x", "AQ=="),
        // user=ann^Aauth=Bearer x^A^A
        ("XOAUTH2", "dXNlcj1hbm4BYXV0aD1CZWFyZXIgeAEB", "xoauth2 ann x", ""),
    ]

    private func play(
        _ words: ProtocolWords, texts: ErrorTexts = .nginx,
        _ lines: (_ command: String, _ question: String, _ acknowledgement: String) -> [String]
    ) throws {
        for (mechanism, message, question, acknowledgement) in Self.mechanisms {
            try words.play(lines("C: \(words.authenticate) \(mechanism) \(message)", "? \(question)", acknowledgement))
            {
                $0.mechanisms = [.plain, .xoauth2, .oauthBearer]
                $0.errorTexts = texts
            }
        }
    }

    @Test(arguments: ProtocolWords.all)
    func `the service's challenge comes after the wait, is acknowledged, and the client may try again`(
        _ words: ProtocolWords
    ) throws {
        try play(words) { command, question, acknowledgement in
            [
                command, "\(question) -> refuse \"no\" challenge \"e30=\" wait 3s", "~ 3s", "S: \(words.prefix)e30=",
                "C: \(acknowledgement)", "S: \(words.refused("no"))",
                command, "\(question) #2 -> accept", "= \(words.accepted)",
            ]
        }
    }

    @Test(arguments: ProtocolWords.all)
    func `without a wait the session ends behind the reply`(_ words: ProtocolWords) throws {
        try play(words) { command, question, acknowledgement in
            [
                command, "\(question) -> refuse \"no\" challenge \"e30=\"", "S: \(words.prefix)e30=",
                "C: \(acknowledgement)", "S: \(words.refused("no"))", "= refused",
            ]
        }
    }

    @Test(arguments: ProtocolWords.all)
    func `without a challenge of the service's there is none, in nginx's words`(_ words: ProtocolWords) throws {
        try play(words) { command, question, _ in
            [command, "\(question) -> refuse \"no\" wait 1s", "~ 1s", "S: \(words.refused("no"))"]
        }
    }

    @Test(arguments: ProtocolWords.all, ["*", "foo", "AQ=", "AQAB", "a b"])
    func `any other answer is no valid command, and gives nobody another try`(
        _ words: ProtocolWords, _ answer: String
    ) throws {
        try play(words) { command, question, _ in
            [
                command, "\(question) -> refuse \"no\" challenge \"e30=\" wait 3s", "~ 3s", "S: \(words.prefix)e30=",
                "C: \(answer)", "S: \(words.invalid)", command, "\(question) #2 -> accept", "= \(words.accepted)",
            ]
        }
        try play(words) { command, question, _ in
            [
                command, "\(question) -> refuse \"no\" challenge \"e30=\"", "S: \(words.prefix)e30=",
                "C: \(answer)", "S: \(words.invalid)", "= refused",
            ]
        }
    }

    @Test(arguments: ProtocolWords.all)
    func `an acknowledgement without end ends the session`(_ words: ProtocolWords) throws {
        let endless = String(repeating: "A", count: 100)
        for (mechanism, message, question, _) in Self.mechanisms {
            try words.play([
                "C: \(words.authenticate) \(mechanism) \(message)",
                "? \(question) -> refuse \"no\" challenge \"e30=\"", "S: \(words.prefix)e30=",
                "C: \(endless)", "! tooLongCommand \"\"", "S: \(words.invalid)", "= violation",
            ]) {
                $0.mechanisms = [.xoauth2, .oauthBearer]
                $0.clientBuffer = 90
            }
        }
    }

    @Test(arguments: ProtocolWords.all)
    func `in the words of the standards a challenge is made where the authenticator has none`(
        _ words: ProtocolWords
    ) throws {
        // {"status":"invalid_token","schemes":"bearer"}
        let own = "eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIiwic2NoZW1lcyI6ImJlYXJlciJ9"
        let refused =
            switch words.mailProtocol {
            case .imap: "a NO [AUTHENTICATIONFAILED] no"
            case .pop3: "-ERR [AUTH] no"
            case .smtp: "535 5.7.8 no"
            }
        try play(words, texts: .rfc) { command, question, acknowledgement in
            [
                command, "\(question) -> refuse \"no\" wait 1s", "~ 1s", "S: \(words.prefix)\(own)",
                "C: \(acknowledgement)", "S: \(refused)",
                command, "\(question) #2 -> refuse \"no\" challenge \"e30=\"", "S: \(words.prefix)e30=",
                "C: \(acknowledgement)", "S: \(refused)", "= refused",
            ]
        }
    }
}
