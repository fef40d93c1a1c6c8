import AsyncIO

/// What a line feed without a carriage return in front of it means.
///
/// Two servers which disagree about it see different commands in the same bytes (SMTP smuggling;
/// RFC 5321 §2.3.8), so it is a setting of the server and never a guess.
package enum BareLineFeedPolicy: Sendable, Hashable {
    /// It ends a line, as Dovecot has it.
    case accept
    /// It ends a line that is refused.
    case refuse
}

/// Finds the lines in a client's input, however the bytes were cut.
///
/// A line ends at the first LF. It is malformed if it holds a NUL, a CR other than the one in front
/// of that LF, or ends without CR where the policy refuses this. The framer only measures: the bytes
/// stay in the queue, where consuming them also wipes them.
package struct LineFramer: Sendable {
    /// What stands at the beginning of the input; `content` is the length without the line's end,
    /// `length` the length with it.
    package enum Frame: Sendable, Equatable {
        case line(content: Int, length: Int)
        case malformed(content: Int, length: Int)
        /// More than the maximum without an end of line: nothing can be made of the rest.
        case tooLong

        var isMalformed: Bool { if case .malformed = self { true } else { false } }

        /// The length without the line's end, where there is one.
        var content: Int? {
            switch self {
            case .line(let content, _), .malformed(let content, _): content
            case .tooLong: nil
            }
        }
    }

    private let bareLineFeed: BareLineFeedPolicy
    /// Bytes at the beginning that are known to hold no LF, so that slow input costs no second look.
    private var scanned = 0

    /// A framer at the beginning of its input.
    package init(bareLineFeed: BareLineFeedPolicy) {
        self.bareLineFeed = bareLineFeed
    }

    /// The first line of `input`, or nil until it is complete. The caller consumes `length` bytes of it
    /// before asking again.
    /// - Parameter maximum: of the line in bytes, its end included.
    package mutating func next(in input: ByteQueue, maximum: Int) -> Frame? {
        guard let end = input.firstIndex(of: ASCII.lf, from: scanned) else {
            scanned = input.count
            guard input.count >= maximum else { return nil }
            scanned = 0
            return .tooLong
        }
        scanned = 0
        guard end < maximum else { return .tooLong }
        let hasReturn = end > 0 && input[end - 1] == ASCII.cr
        let content = hasReturn ? end - 1 : end
        let isMalformed =
            !hasReturn && bareLineFeed == .refuse || input.firstIndex(of: ASCII.cr, to: content) != nil
            || input.firstIndex(of: ASCII.nul, to: content) != nil
        return isMalformed
            ? .malformed(content: content, length: end + 1) : .line(content: content, length: end + 1)
    }
}
