import AsyncIO
import MailSessions

extension Vocabulary
where
    Subject.Question == LoginAttempt, Subject.Answer == Verdict, Subject.Note == FrontEndNote,
    Subject.Outcome == FrontEndOutcome
{
    /// The words of front-end transcripts.
    ///
    /// ```
    /// ? plain ann secret -> refuse "no such user" wait 3s
    /// ? cram-md5 ann 0123… salt=<0.7@mx> #2 -> refuse "later" code "451 4.3.0"
    /// ? xoauth2 ann token -> refuse "no" challenge "e30=" wait 1s
    /// ? none "" "" ehlo=laptop from=MAIL FROM:<a@b> to=RCPT TO:<c@d> -> accept
    /// ! tooLongCommand "a LOGIN"
    /// = accepted a2
    /// ```
    /// CR, LF and NUL are written `\r`, `\n` and `\0`. An attempt's number is written where it is not the first. The excerpt of early bytes is not
    /// written: how many came early is a matter of how they were cut.
    package static var frontEnd: Vocabulary {
        Vocabulary(
            question: FrontEndWords.question, answer: FrontEndWords.verdict, note: FrontEndWords.note,
            outcome: FrontEndWords.outcome)
    }
}

/// The words themselves.
private enum FrontEndWords {
    static func question(_ attempt: LoginAttempt) -> String {
        var words = [attempt.method.rawValue, text(attempt.login), text(attempt.password.bytes)]
        if let salt = attempt.salt { words.append("salt=" + text(salt)) }
        if let envelope = attempt.envelope { words += self.envelope(envelope) }
        if attempt.number > 1 { words.append("#\(attempt.number)") }
        return words.joined(separator: " ")
    }

    static func verdict(_ line: String) -> Verdict? {
        if line == "accept" { return .accept }
        if line == "unavailable" { return .unavailable }
        if line == "limited by connections" { return .limited(.connections) }
        if line == "limited by logins" { return .limited(.logins) }
        let raw = line.replacing(#"\r"#, with: "\r").replacing(#"\n"#, with: "\n")
        let parts = raw.split(separator: "\"", omittingEmptySubsequences: false).map(String.init)
        guard parts.count >= 3, parts[0] == "refuse " else { return nil }
        var quoted: [String: [UInt8]] = [:]
        for index in stride(from: 2, to: parts.count - 1, by: 2) { quoted[parts[index]] = Array(parts[index + 1].utf8) }
        guard Set(quoted.keys).isSubset(of: [" code ", " challenge "]) else { return nil }
        var wait: Duration?
        if let words = parts.last?.split(separator: " "), !words.isEmpty {
            guard words.count == 2, words[0] == "wait", let seconds = Int(words[1].dropLast()) else { return nil }
            wait = .seconds(seconds)
        }
        return .refuse(
            text: Array(parts[1].utf8), code: quoted[" code "], wait: wait, challenge: quoted[" challenge "])
    }

    static func note(_ note: FrontEndNote) -> String {
        switch note {
        case .tooLongCommand(let excerpt): "tooLongCommand \"\(text(excerpt, empty: ""))\""
        case .tooManyErrors: "tooManyErrors"
        case .invalidBase64(let mechanism): "invalidBase64 \(mechanism)"
        case .invalidPlainLogin: "invalidPlainLogin"
        case .invalidPlainPassword: "invalidPlainPassword"
        case .invalidCramMD5Hash: "invalidCramMD5Hash"
        case .invalidBearer(let mechanism): "invalidBearer \(mechanism)"
        case .rejected(let excerpt): "rejected \"\(text(excerpt))\""
        case .rejectedBeforeGreeting: "rejectedBeforeGreeting"
        case .foreignProtocol(let excerpt): "foreignProtocol \"\(text(excerpt))\""
        case .command(let excerpt): "command \"\(text(excerpt))\""
        }
    }

    static func outcome(_ outcome: FrontEndOutcome) -> String {
        switch outcome {
        case .accepted(let context):
            let tag = context.tag.isEmpty ? [] : [text(context.tag)]
            return (["accepted"] + tag + envelope(context.envelope)).joined(separator: " ")
        case .quit: return "quit"
        case .refused: return "refused"
        case .unavailable: return "unavailable"
        case .limited: return "limited"
        case .violation: return "violation"
        }
    }

    private static func envelope(_ envelope: SMTPEnvelope) -> [String] {
        var words: [String] = []
        if let helo = envelope.helo { words.append((envelope.isExtended ? "ehlo=" : "helo=") + text(helo)) }
        if let from = envelope.mailFrom { words.append("from=" + text(from)) }
        if let recipient = envelope.recipient { words.append("to=" + text(recipient)) }
        return words
    }

    private static func text(_ bytes: [UInt8], empty: String = "\"\"") -> String {
        let shown = String(decoding: bytes, as: UTF8.self).unicodeScalars.map { scalar in
            switch scalar {
            case "\r": #"\r"#
            case "\n": #"\n"#
            case "\0": #"\0"#
            default: String(scalar)
            }
        }
        return shown.isEmpty ? empty : shown.joined()
    }
}
