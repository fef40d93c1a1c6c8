import AsyncIO

extension [UInt8] {
    /// `text`, `secret` and CRLF, with no other copy of the secret left behind.
    static func line(_ text: [UInt8], _ secret: Secret) -> [UInt8] {
        var line: [UInt8] = []
        line.reserveCapacity(text.count + secret.count + 2)
        line += text
        line.append(secret)
        line.endLine()
        return line
    }

    /// Appends what `secret` holds; the caller has reserved the room, for growing would leave a copy in freed memory.
    mutating func append(_ secret: Secret) {
        // Safety: the pointer is used within the call.
        unsafe secret.withBytes { unsafe append(contentsOf: $0) }
    }
}
