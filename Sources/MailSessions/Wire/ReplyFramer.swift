import AsyncIO

/// Takes whole lines out of what a server sent, however the bytes were cut.
///
/// A line ends with LF; a CR in front of it belongs to the line end. The bound covers all lines of
/// one reply together, line ends included, so that a server which never stops talking is noticed.
struct ReplyFramer: Sendable {
    /// What the input holds.
    enum Frame {
        case line(ReplyLine)
        /// Nothing can be decided yet.
        case incomplete
        /// The reply does not fit in its bound.
        case tooLong
    }

    private let maximum: Int
    private var remaining: Int
    private var lines = LineFramer(bareLineFeed: .accept)

    /// - Parameter maximum: the longest reply, in bytes.
    init(maximum: Int) {
        self.maximum = maximum
        remaining = maximum
    }

    /// Takes the next line out of `input`. A server's NUL or lone CR is for whoever reads the line to judge.
    mutating func next(from input: inout ByteQueue) -> Frame {
        var none: [UInt8] = []
        return next(from: &input, earlier: &none) { _, _ in false }
    }

    /// The same for replies of several lines: those which others follow are moved to `earlier` as they are.
    /// - Parameter isFollowed: whether the first line of the input, of so many bytes without its end, has others behind.
    mutating func next(
        from input: inout ByteQueue, earlier: inout [UInt8], isFollowed: (ByteQueue, Int) -> Bool
    ) -> Frame {
        while true {
            switch lines.next(in: input, maximum: remaining) {
            case nil: return .incomplete
            case .tooLong: return .tooLong
            case .line(let content, let length), .malformed(let content, let length):
                remaining -= length
                guard isFollowed(input, content) else { return .line(ReplyLine(bytes: input.take(length))) }
                // As large as such replies are.
                if earlier.isEmpty { earlier.reserveCapacity(512) }
                input.move(length, to: &earlier)
            }
        }
    }

    /// Begins a new reply with the whole bound.
    mutating func restart() { remaining = maximum }
}

/// One line of a server's reply.
struct ReplyLine: Sendable {
    /// As received, line end included.
    private(set) var bytes: [UInt8]
    /// Where the line end begins.
    private var end: Int

    /// A line as received.
    init(bytes: [UInt8]) {
        self.bytes = bytes
        end = bytes.count
        if end > 0, bytes[end - 1] == ASCII.lf { end -= 1 }
        if end > 0, bytes[end - 1] == ASCII.cr { end -= 1 }
    }

    /// Overwrites a line that may hold a password.
    mutating func wipe() {
        AsyncIO.wipe(&bytes)
        end = 0
    }

    /// The longest excerpt that leaves us, in bytes: what fits in an SMTP reply line (RFC 5321 §4.5.3.1.5).
    static let excerptMaximum = 500

    /// Without its line end.
    var text: ArraySlice<UInt8> { bytes[..<end] }

    /// What may be shown to a client or in a log: bounded, control bytes replaced by spaces (security-checklist C7).
    var excerpt: [UInt8] { text.prefix(ReplyLine.excerptMaximum).withoutControls }

    /// Whether the line begins with `prefix`, written in capitals; the line may use small letters.
    func begins(with prefix: StaticString) -> Bool { text.begins(with: prefix) }
}

extension UInt8 {
    /// Bytes that would end or cut a line of a text protocol.
    var breaksLines: Bool { self == ASCII.cr || self == ASCII.lf || self == ASCII.nul }
}
