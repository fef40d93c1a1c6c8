import AsyncIO
import MailSessions
import TestSupport

@testable import MailGateway

/// What the tests of the demo servers start from.
enum DemoFixture {
    /// Mon, 23 Nov 2026 06:16:15 UTC.
    static let now: Int64 = 1_795_414_575

    static var store: DemoStore { DemoStore(login: "demo", password: Secret(Array("secret".utf8)), now: now) }

    /// Transcripts name the question's kind and answer it: `? login demo secret -> yes`.
    static func words<Subject: Dialogue>() -> Vocabulary<Subject>
    where
        Subject.Question == DemoQuestion, Subject.Answer == DemoAnswer, Subject.Note == Never,
        Subject.Outcome == DemoEnd
    {
        Vocabulary(
            question: describe, answer: answer, note: String.init(describing:), outcome: String.init(describing:))
    }

    private static func describe(_ question: DemoQuestion) -> String {
        func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
        switch question {
        case .logIn(let login, let password): return "login \(text(login)) \(text(password.bytes))"
        case .mailbox: return "mailbox"
        case .change(let uids, let change, let flags): return "\(change) \(flags.rawValue) \(uids.sorted())"
        case .remove(let uids): return "remove \(uids.sorted())"
        case .deliver(let delivery):
            let lines = text(delivery.text).split(separator: "\r\n" as Character, omittingEmptySubsequences: false)
            let body = delivery.text.isEmpty ? "(empty)" : lines.joined(separator: "|")
            return "deliver \(text(delivery.helo)) \(delivery.login.map(text) ?? "-") \(body)"
        }
    }

    /// `yes`, `no`, or a mailbox of short messages: `3 messages`, the first seen.
    private static func answer(_ words: String) -> DemoAnswer? {
        switch words {
        case "yes": return .accepted
        case "no": return .refused
        case "0 messages": return .mailbox(mailbox(0))
        case "2 messages": return .mailbox(mailbox(2))
        case "3 messages": return .mailbox(mailbox(3))
        case "3 messages, 2 deleted": return .mailbox(mailbox(3, deleted: 2))
        case "without 2": return .mailbox(mailbox(3, without: 2))
        default: return nil
        }
    }

    private static func mailbox(_ count: Int, deleted: Int? = nil, without: Int? = nil) -> DemoMailbox {
        var store = store
        _ = store.answer(.remove(uids: [1]), at: now)
        for number in 0..<count {
            let text = Array("Subject: \(number)\r\n\r\n.\(number)\r\nx\r\n".utf8)
            _ = store.answer(.deliver(DemoDelivery(helo: Array("h".utf8), login: nil, text: text)), at: now)
        }
        _ = store.answer(.change(uids: [2], .add, .seen), at: now)
        if let deleted { _ = store.answer(.change(uids: [UInt32(deleted + 1)], .add, .deleted), at: now) }
        if let without { _ = store.answer(.remove(uids: [UInt32(without + 1)]), at: now) }
        guard case .mailbox(let mailbox) = store.answer(.mailbox, at: now) else { return DemoMailbox(validity: 1) }
        return mailbox
    }
}
