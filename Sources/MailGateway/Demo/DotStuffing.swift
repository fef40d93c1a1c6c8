import MailSessions

/// The dot that ends a message, and the one that protects lines which begin like it (RFC 5321 §4.5.2, RFC 1939 §3).
enum DotStuffing {
    /// `text` with its dots doubled, a line end and the final dot.
    /// - Parameter bodyLinesMaximum: how much of the body to take, all of it by default.
    static func stuffed(_ text: [UInt8], bodyLinesMaximum: Int?) -> [UInt8] {
        var result: [UInt8] = []
        var bodyLines: Int?
        var rest = text[...]
        while !rest.isEmpty {
            let line = rest.prefix { $0 != ASCII.lf }
            rest = rest[line.endIndex...].dropFirst()
            let content = line.last == ASCII.cr ? line.dropLast() : line
            if let count = bodyLines {
                guard count < bodyLinesMaximum ?? .max else { break }
                bodyLines = count + 1
            } else if content.isEmpty {
                bodyLines = 0
            }
            if content.first == UInt8(ascii: ".") { result.append(UInt8(ascii: ".")) }
            result += .line(content)
        }
        return result + .line(".")
    }
}
