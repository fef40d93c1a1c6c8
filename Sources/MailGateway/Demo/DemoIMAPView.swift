import MailSessions

/// The selected mailbox as one session sees it: numbers stay until the session is told otherwise.
struct DemoIMAPView {
    private(set) var messages: [DemoMessage]
    let isReadOnly: Bool

    init(messages: [DemoMessage], isReadOnly: Bool) {
        self.messages = messages
        self.isReadOnly = isReadOnly
    }

    /// The untagged lines of SELECT (RFC 3501 §6.3.1).
    func greeting(of mailbox: DemoMailbox) -> [UInt8] {
        let flags = DemoFlags.names.map(\.name).joined(separator: " ")
        let unseen = messages.firstIndex { !$0.flags.contains(.seen) }
        var lines = ["FLAGS (\(flags))", "\(messages.count) EXISTS", "0 RECENT"]
        if let unseen { lines.append("OK [UNSEEN \(unseen + 1)] first unseen") }
        lines.append("OK [PERMANENTFLAGS (\(isReadOnly ? "" : flags))] flags kept")
        lines.append("OK [UIDVALIDITY \(mailbox.validity)] valid")
        lines.append("OK [UIDNEXT \(mailbox.nextUID)] next")
        return lines.flatMap { [UInt8].line("* \($0)") }
    }

    /// What is marked for deletion.
    var deleted: Set<UInt32> { Set(messages.filter { $0.flags.contains(.deleted) }.map(\.uid)) }

    /// The messages in `set`, by their place.
    func indices(_ set: DemoIMAPSet, usesUIDs: Bool) -> [Int] {
        let largest = usesUIDs ? messages.last?.uid ?? 0 : UInt32(messages.count)
        return messages.indices.filter { index in
            set.contains(usesUIDs ? messages[index].uid : UInt32(index + 1), largest: largest)
        }
    }

    /// One untagged FETCH line.
    func line(_ index: Int, _ items: [DemoIMAPFetchItem]) -> [UInt8] {
        let parts = items.map { $0.text(of: messages[index]) }.joined(separator: [ASCII.space])
        return .line(Array("* \(index + 1) FETCH (".utf8) + parts + [ASCII.closeParenthesis])
    }

    /// Learns of flags, and of nothing that would change a number.
    mutating func takeFlags(from mailbox: DemoMailbox) {
        let flags = Dictionary(uniqueKeysWithValues: mailbox.messages.map { ($0.uid, $0.flags) })
        for index in messages.indices { messages[index].flags = flags[messages[index].uid] ?? messages[index].flags }
    }

    /// Learns of everything, and returns the lines that tell the client.
    mutating func refresh(from mailbox: DemoMailbox) -> [UInt8] {
        let present = Set(mailbox.messages.map(\.uid))
        var lines: [UInt8] = []
        var remaining = 0
        for (index, message) in messages.enumerated().reversed() where !present.contains(message.uid) {
            lines += .line("* \(index + 1) EXPUNGE")
            remaining -= 1
        }
        remaining += messages.count
        messages = mailbox.messages
        if messages.count > remaining { lines += .line("* \(messages.count) EXISTS") }
        return lines
    }

    /// The numbers or UIDs that match all keys; nil for a key not known here.
    func search(_ command: DemoIMAPCommand, usesUIDs: Bool) -> [UInt32]? {
        var command = command
        var found = Array(messages.indices)
        while !command.isComplete {
            guard let key = command.string() else { return nil }
            switch key.asciiUppercased {
            case "ALL": break
            case "CHARSET": guard command.string() != nil else { return nil }
            case "UID":
                guard let set = command.messages() else { return nil }
                let matching = Set(indices(set, usesUIDs: true))
                found.removeAll { !matching.contains($0) }
            case "SEEN": found.removeAll { !messages[$0].flags.contains(.seen) }
            case "UNSEEN": found.removeAll { messages[$0].flags.contains(.seen) }
            case "DELETED": found.removeAll { !messages[$0].flags.contains(.deleted) }
            case "UNDELETED": found.removeAll { messages[$0].flags.contains(.deleted) }
            default:
                guard let set = DemoIMAPSet(key) else { return nil }
                let matching = Set(indices(set, usesUIDs: false))
                found.removeAll { !matching.contains($0) }
            }
        }
        return found.map { usesUIDs ? messages[$0].uid : UInt32($0 + 1) }
    }
}

extension DemoMailbox {
    /// The values STATUS asks for (RFC 3501 §6.3.10); what is unknown is left out.
    func status(_ items: [String]) -> String {
        items.compactMap { item in
            switch item {
            case "MESSAGES": "MESSAGES \(messages.count)"
            case "RECENT": "RECENT 0"
            case "UIDNEXT": "UIDNEXT \(nextUID)"
            case "UIDVALIDITY": "UIDVALIDITY \(validity)"
            case "UNSEEN": "UNSEEN \(messages.count { !$0.flags.contains(.seen) })"
            default: nil
            }
        }.joined(separator: " ")
    }
}
