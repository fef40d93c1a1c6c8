import AsyncIO
import MailSessions

/// The one mailbox of the demo back-end, in memory.
///
/// The three server dialogues never touch it: they ask (`DemoQuestion`) and are answered, so that
/// whoever runs them decides who owns the store and in which order questions are served.
package struct DemoStore: Sendable {
    /// The most messages kept.
    package static let messagesMaximum = 1000
    /// The longest message, in bytes, the Received header not counted.
    package static let messageBytesMaximum = 1024 * 1024
    /// All messages together, in bytes.
    package static let storeBytesMaximum = 16 * 1024 * 1024

    private let login: [UInt8]
    private let password: Secret
    private var mailbox: DemoMailbox

    /// A store with the welcome message in it.
    /// - Parameter now: seconds since 1970; also the mailbox's UIDVALIDITY, for the next start forgets all.
    package init(login: String, password: Secret, now: Int64) {
        self.login = Array(login.utf8)
        self.password = password
        mailbox = DemoMailbox(validity: UInt32(truncatingIfNeeded: max(now, 1)))
        append(DemoStore.welcome(to: login, at: now), at: now)
    }

    /// Answers a dialogue's question.
    /// - Parameter now: seconds since 1970.
    package mutating func answer(_ question: DemoQuestion, at now: Int64) -> DemoAnswer {
        switch question {
        case .logIn(let login, let password):
            var given = password.bytes
            defer { wipe(&given) }
            return self.password.equals(given) && login == self.login ? .accepted : .refused
        case .mailbox:
            break
        case .change(let uids, let change, let flags):
            for index in mailbox.messages.indices where uids.contains(mailbox.messages[index].uid) {
                mailbox.messages[index].flags.apply(change, flags)
            }
        case .remove(let uids):
            mailbox.messages.removeAll { uids.contains($0.uid) }
        case .deliver(let delivery):
            let text = delivery.received(by: now) + delivery.text
            let total = mailbox.messages.reduce(text.count) { $0 + $1.text.count }
            guard mailbox.messages.count < DemoStore.messagesMaximum, total <= DemoStore.storeBytesMaximum,
                mailbox.nextUID < UInt32.max
            else { return .refused }
            append(text, at: now)
            return .accepted
        }
        return .mailbox(mailbox)
    }

    private mutating func append(_ text: [UInt8], at now: Int64) {
        mailbox.messages.append(DemoMessage(uid: mailbox.nextUID, received: now, text: text))
        mailbox.nextUID += 1
    }

    private static func welcome(to login: String, at now: Int64) -> [UInt8] {
        let lines = [
            "From: mailgateway <demo@mailgateway.invalid>", "To: \(login) <\(login)@mailgateway.invalid>",
            "Subject: Welcome to mailgateway", "Date: \(DemoDate(now).headerText)",
            "Message-ID: <welcome.\(now)@mailgateway.invalid>", "MIME-Version: 1.0",
            "Content-Type: text/plain; charset=utf-8", "",
            "This message came through the proxy from its demo back-end.",
            "Send one to yourself by SMTP, and it appears here.",
        ]
        return lines.flatMap { [UInt8].line($0) }
    }
}

/// What a demo server asks the store.
package enum DemoQuestion: Sendable {
    /// Answered by `accepted` or `refused`.
    case logIn(login: [UInt8], password: Secret)
    /// Answered by `mailbox`, like the next two.
    case mailbox
    case change(uids: Set<UInt32>, DemoFlagChange, DemoFlags)
    case remove(uids: Set<UInt32>)
    /// Answered by `accepted`, or `refused` where the store is full.
    case deliver(DemoDelivery)
}

/// What the store answers.
package enum DemoAnswer: Sendable {
    case accepted, refused
    case mailbox(DemoMailbox)
}

/// The mailbox at one moment.
package struct DemoMailbox: Sendable {
    /// UIDVALIDITY (RFC 3501 §2.3.1.1).
    package let validity: UInt32
    package internal(set) var nextUID: UInt32 = 1
    package internal(set) var messages: [DemoMessage] = []
}

/// A message, its lines ended by CRLF.
package struct DemoMessage: Sendable, Equatable {
    package let uid: UInt32
    package var flags: DemoFlags = []
    /// Seconds since 1970.
    package let received: Int64
    package let text: [UInt8]

    init(uid: UInt32, received: Int64, text: [UInt8]) {
        self.uid = uid
        self.received = received
        self.text = text
    }

    /// Where the header ends, the blank line included.
    var headerCount: Int { text.firstRange(of: Array("\r\n\r\n".utf8))?.upperBound ?? text.count }
}

/// The system flags (RFC 3501 §2.3.2).
package struct DemoFlags: OptionSet, Sendable {
    package let rawValue: UInt8
    package init(rawValue: UInt8) { self.rawValue = rawValue }

    static let seen = DemoFlags(rawValue: 1)
    static let answered = DemoFlags(rawValue: 2)
    static let flagged = DemoFlags(rawValue: 4)
    static let deleted = DemoFlags(rawValue: 8)
    static let draft = DemoFlags(rawValue: 16)

    static let names: [(flag: DemoFlags, name: String)] = [
        (.seen, "\\Seen"), (.answered, "\\Answered"), (.flagged, "\\Flagged"), (.deleted, "\\Deleted"),
        (.draft, "\\Draft"),
    ]

    /// As in `FLAGS (\Seen)`.
    var text: String { "(" + Self.names.filter { contains($0.flag) }.map(\.name).joined(separator: " ") + ")" }

    /// The flag called so; unknown names, keywords among them, are no flag here.
    init(name: String) {
        self = Self.names.first { $0.name.lowercased() == name.lowercased() }?.flag ?? []
    }

    mutating func apply(_ change: DemoFlagChange, _ flags: DemoFlags) {
        switch change {
        case .replace: self = flags
        case .add: formUnion(flags)
        case .remove: subtract(flags)
        }
    }
}

/// How STORE changes flags.
package enum DemoFlagChange: Sendable { case replace, add, remove }

/// A message on its way into the store.
package struct DemoDelivery: Sendable {
    /// What the client called itself.
    package var helo: [UInt8]
    /// Who logged in, nil without login.
    package var login: [UInt8]?
    package var text: [UInt8]

    /// The trace header (RFC 5321 §4.4), which also tells whether a login happened.
    func received(by now: Int64) -> [UInt8] {
        let name = helo.withoutControls.prefix(255)
        let user = login.map { Array(" (login ".utf8) + $0.withoutControls.prefix(255) + Array(")".utf8) } ?? []
        return Array("Received: from ".utf8) + name + user
            + Array("\r\n\tby mailgateway.invalid with ESMTP; \(DemoDate(now).headerText)\r\n".utf8)
    }
}
