import MailSessions

/// One data item of FETCH (RFC 3501 §6.4.5).
enum DemoIMAPFetchItem {
    case flags, uid, size, internalDate, envelope
    /// `BODY` or `BODYSTRUCTURE`, without extensions.
    case structure(name: String)
    /// `BODY[section]<start.count>` and its older names; `marks` sets \Seen.
    case body(DemoIMAPSection, name: String, part: Range<Int>?, marks: Bool)

    /// The item called so, several for a macro; nil for unknown ones.
    static func named(_ text: [UInt8]) -> [DemoIMAPFetchItem]? {
        switch text.asciiUppercased {
        case "ALL": [.flags, .internalDate, .size, .envelope]
        case "FAST": [.flags, .internalDate, .size]
        case "FULL": [.flags, .internalDate, .size, .envelope, .structure(name: "BODY")]
        case "FLAGS": [.flags]
        case "UID": [.uid]
        case "RFC822.SIZE": [.size]
        case "INTERNALDATE": [.internalDate]
        case "ENVELOPE": [.envelope]
        case "BODY": [.structure(name: "BODY")]
        case "BODYSTRUCTURE": [.structure(name: "BODYSTRUCTURE")]
        case "RFC822": [.body(.all, name: "RFC822", part: nil, marks: true)]
        case "RFC822.HEADER": [.body(.header, name: "RFC822.HEADER", part: nil, marks: false)]
        case "RFC822.TEXT": [.body(.text, name: "RFC822.TEXT", part: nil, marks: true)]
        case let name: section(name).map { [$0] }
        }
    }

    private static func section(_ name: String) -> DemoIMAPFetchItem? {
        let isPeek = name.hasPrefix("BODY.PEEK[")
        guard isPeek || name.hasPrefix("BODY["), let open = name.firstIndex(of: "["),
            let close = name.lastIndex(of: "]"),
            open < close, let section = DemoIMAPSection(String(name[name.index(after: open)..<close]))
        else { return nil }
        let rest = name[name.index(after: close)...]
        var part: Range<Int>?
        var origin = ""
        if !rest.isEmpty {
            let numbers = rest.dropFirst().dropLast().split(separator: ".").compactMap { UInt32($0) }.map(Int.init)
            guard rest.hasPrefix("<"), rest.hasSuffix(">"), numbers.count == 2 else { return nil }
            part = numbers[0]..<numbers[0] + numbers[1]
            origin = "<\(numbers[0])>"
        }
        return .body(section, name: "BODY\(name[open...close])\(origin)", part: part, marks: !isPeek)
    }

    /// Whether fetching it makes a message \Seen.
    var marks: Bool { if case .body(_, _, _, true) = self { true } else { false } }

    /// The item's name and value.
    func text(of message: DemoMessage) -> [UInt8] {
        switch self {
        case .flags: return Array("FLAGS \(message.flags.text)".utf8)
        case .uid: return Array("UID \(message.uid)".utf8)
        case .size: return Array("RFC822.SIZE \(message.text.count)".utf8)
        case .internalDate: return Array("INTERNALDATE \"\(DemoDate(message.received).internalText)\"".utf8)
        case .envelope: return Array("ENVELOPE ".utf8) + DemoIMAPEnvelope(message).text
        case .structure(let name):
            let body = message.text[message.headerCount...]
            let lineCount = body.count { $0 == ASCII.lf }
            let kind = #""TEXT" "PLAIN" ("CHARSET" "UTF-8") NIL NIL "8BIT""#
            return Array("\(name) (\(kind) \(body.count) \(lineCount))".utf8)
        case .body(let section, let name, let part, _):
            var value = section.bytes(of: message)[...]
            if let part { value = value.dropFirst(part.lowerBound).prefix(part.count) }
            return Array("\(name) {\(value.count)}\r\n".utf8) + value
        }
    }
}

/// Which part of a message (RFC 3501 §6.4.5); every message here has one part, its text.
enum DemoIMAPSection {
    case all, header, text
    case fields([String], negated: Bool)

    init?(_ name: String) {
        switch name {
        case "": self = .all
        case "HEADER": self = .header
        case "TEXT", "1": self = .text
        default:
            let words = name.split { " ()\"".contains($0) }.map(String.init)
            guard words.count > 1, ["HEADER.FIELDS", "HEADER.FIELDS.NOT"].contains(words[0]) else { return nil }
            self = .fields(Array(words[1...]), negated: words[0].hasSuffix(".NOT"))
        }
    }

    func bytes(of message: DemoMessage) -> [UInt8] {
        switch self {
        case .all: return message.text
        case .header: return Array(message.text[..<message.headerCount])
        case .text: return Array(message.text[message.headerCount...])
        case .fields(let names, let negated):
            let fields = DemoHeaderField.fields(of: message).filter { names.contains($0.name) != negated }
            return fields.flatMap(\.bytes) + [ASCII.cr, ASCII.lf]
        }
    }
}

/// One header field, its continuation lines and line end included.
struct DemoHeaderField {
    /// In capitals.
    let name: String
    fileprivate(set) var bytes: [UInt8]

    /// The value on one line.
    var value: [UInt8] {
        let value = bytes.drop { $0 != UInt8(ascii: ":") }.dropFirst().filter { $0 != ASCII.cr && $0 != ASCII.lf }
        return Array(value.drop { $0 == ASCII.space })
    }

    static func fields(of message: DemoMessage) -> [DemoHeaderField] {
        var fields: [DemoHeaderField] = []
        for line in message.text[..<message.headerCount].split(separator: ASCII.lf) where line != [ASCII.cr] {
            if line.first == ASCII.space || line.first == 9, !fields.isEmpty {
                fields[fields.count - 1].bytes += line + [ASCII.lf]
            } else {
                let name = line.prefix { $0 != UInt8(ascii: ":") }.asciiUppercased
                fields.append(DemoHeaderField(name: name, bytes: line + [ASCII.lf]))
            }
        }
        return fields
    }
}

/// ENVELOPE, with at most one address per field and no display names: enough to list a mailbox.
struct DemoIMAPEnvelope {
    let text: [UInt8]

    init(_ message: DemoMessage) {
        let fields = DemoHeaderField.fields(of: message)
        func value(_ name: String) -> [UInt8]? { fields.first { $0.name == name }?.value }
        let from = value("FROM")
        let addresses = [
            from, value("SENDER") ?? from, value("REPLY-TO") ?? from, value("TO"), value("CC"), value("BCC"),
        ].map(DemoIMAPEnvelope.address)
        let parts =
            [DemoIMAPEnvelope.string(value("DATE")), DemoIMAPEnvelope.string(value("SUBJECT"))] + addresses
            + [DemoIMAPEnvelope.string(value("IN-REPLY-TO")), DemoIMAPEnvelope.string(value("MESSAGE-ID"))]
        text = [ASCII.openParenthesis] + parts.joined(separator: [ASCII.space]) + [ASCII.closeParenthesis]
    }

    /// The first address of a field, `<local@domain>` or bare.
    private static func address(_ field: [UInt8]?) -> [UInt8] {
        guard let field, let first = field.split(separator: UInt8(ascii: ",")).first else { return Array("NIL".utf8) }
        let angle = first.firstIndex(of: UInt8(ascii: "<")).map { first[($0 + 1)...] } ?? first
        let address = angle.prefix { $0 != UInt8(ascii: ">") && $0 != ASCII.space }
        let local = address.prefix { $0 != UInt8(ascii: "@") }
        let domain = address.dropFirst(local.count + 1)
        return Array("((NIL NIL ".utf8) + string(Array(local)) + [ASCII.space] + string(Array(domain))
            + Array("))".utf8)
    }

    /// A string in quotes, as a literal where quotes could not hold it, or NIL.
    private static func string(_ value: [UInt8]?) -> [UInt8] {
        guard let value else { return Array("NIL".utf8) }
        let isPlain = value.allSatisfy { (32...126).contains($0) && $0 != ASCII.quote && $0 != ASCII.backslash }
        return isPlain ? [ASCII.quote] + value + [ASCII.quote] : .line("{\(value.count)}") + value
    }
}
