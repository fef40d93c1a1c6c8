import TestSupport
import Testing

@testable import MailSessions

/// `error_texts rfc`: a client learns whether its password is wrong (RFC 5530, RFC 3206, RFC 4954 §6).
@Suite struct ErrorTextsTests {
    private static func wrong(_ words: ProtocolWords, _ text: String) -> String {
        switch words.mailProtocol {
        case .imap: "a NO [AUTHENTICATIONFAILED] \(text)"
        case .pop3: "-ERR [AUTH] \(text)"
        case .smtp: "535 5.7.8 \(text)"
        }
    }

    private static func temporary(_ words: ProtocolWords) -> String {
        switch words.mailProtocol {
        case .imap: "a NO [UNAVAILABLE] Temporary authentication failure"
        case .pop3: "-ERR [SYS/TEMP] Temporary authentication failure"
        case .smtp: "454 4.7.0 Temporary authentication failure"
        }
    }

    @Test(arguments: ProtocolWords.all)
    func `wrong credentials have their code, and end the session as before`(_ words: ProtocolWords) throws {
        try words.play(
            words.login + [
                "? plain ann x -> refuse \"no\" wait 2s", "~ 2s", "S: \(Self.wrong(words, "no"))",
            ] + words.login + ["? plain ann x #2 -> refuse \"no\"", "S: \(Self.wrong(words, "no"))", "= refused"]
        ) { $0.errorTexts = .rfc }
    }

    @Test(arguments: ProtocolWords.all)
    func `after a temporary failure the client may try again, as often as it may make mistakes`(
        _ words: ProtocolWords
    ) throws {
        let once = words.login + ["? plain ann x -> unavailable", "S: \(Self.temporary(words))"]
        let again = words.login + ["? plain ann x #2 -> unavailable", "S: \(Self.temporary(words))"]
        try words.play(once + words.login + ["? plain ann x #2 -> accept", "= \(words.accepted)"]) {
            $0.errorTexts = .rfc
        }
        try words.play(once + again + ["= unavailable"]) {
            $0.errorTexts = .rfc
            $0.maxErrors = 2
        }
    }

    @Test(arguments: ProtocolWords.all)
    func `in nginx's words nothing changes`(_ words: ProtocolWords) throws {
        let error =
            switch words.mailProtocol {
            case .imap: "* BAD internal server error"
            case .pop3: "-ERR internal server error"
            case .smtp: "451 4.3.2 Internal server error"
            }
        try words.play(words.login + ["? plain ann x -> unavailable", "S: \(error)", "= unavailable"])
        try words.play(
            words.login + ["? plain ann x -> refuse \"no\"", "S: \(words.refused("no"))", "= refused"])
    }

    @Test func `a code of the service's own stays`() throws {
        let (imap, pop3, smtp) = (ProtocolWords.all[0], ProtocolWords.all[1], ProtocolWords.all[2])
        let change: @Sendable (inout ServerSettings) -> Void = { $0.errorTexts = .rfc }
        let refusal = "? plain ann x -> refuse \"[EXPIRED] change it\""
        try imap.play(imap.login + [refusal, "S: a NO [EXPIRED] change it", "= refused"], change)
        try pop3.play(pop3.login + [refusal, "S: -ERR [EXPIRED] change it", "= refused"], change)
        let code = "? plain ann x -> refuse \"later\" code \"454 4.7.0\""
        try smtp.play(smtp.login + [code, "S: 454 4.7.0 later", "= refused"], change)
        let false250 = "? plain ann x -> refuse \"later\" code \"250 2.0.0\""
        try smtp.play(smtp.login + [false250, "S: 535 5.7.8 later", "= refused"], change)
    }

    @Test func `a recipient that cannot be decided about is no failed login`() throws {
        let words = ProtocolWords.all[2]
        let mail = ["C: MAIL FROM:<a@b>", "S: 250 2.0.0 OK", "C: RCPT TO:<c@d>"]
        let question = #"? none "" "" from=MAIL FROM:<a@b> to=RCPT TO:<c@d>"#
        try words.play(
            mail + ["\(question) -> unavailable", "S: 451 4.3.2 Temporary failure", "C: RCPT TO:<c@d>"]
                + ["\(question) #2 -> accept", "= accepted from=MAIL FROM:<a@b> to=RCPT TO:<c@d>"]
        ) {
            $0.errorTexts = .rfc
            $0.mechanisms = .none
        }
    }

    @Test func `POP3 announces what its codes mean, once`() throws {
        let words = ProtocolWords.all[1]
        let rest = ["S: SASL PLAIN LOGIN", "S: RESP-CODES", "S: AUTH-RESP-CODE", "S: ."]
        try words.play(["C: CAPA", "S: +OK Capability list follows", "S: TOP", "S: USER", "S: UIDL"] + rest) {
            $0.errorTexts = .rfc
        }
        let named = ["S: RESP-CODES", "S: SASL PLAIN LOGIN", "S: AUTH-RESP-CODE", "S: ."]
        try words.play(["C: CAPA", "S: +OK Capability list follows"] + named) {
            $0.errorTexts = .rfc
            $0.capabilities = ["RESP-CODES"]
        }
    }
}
