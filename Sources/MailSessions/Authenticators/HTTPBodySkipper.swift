import AsyncIO

/// Reads a body that nobody wants, so that the next answer begins where it ends (RFC 9112 §6, §7.1).
struct HTTPBodySkipper: Sendable {
    /// How far the body is.
    enum Progress: Equatable { case incomplete, complete, endless }

    private enum Part {
        /// So many bytes; then the body ends, or CRLF and another chunk follow.
        case bytes(Int, isChunk: Bool)
        case chunkEnd
        case chunkSize
        case trailers
    }

    private var part: Part
    /// Counts chunk sizes, line ends and trailers; the bytes in the chunks are counted in `remaining`.
    private var lines: ReplyFramer
    private var remaining: Int

    /// Nil where the end cannot be found within `maximum` bytes.
    init?(_ length: AuthHTTPHead.BodyLength, maximum: Int) {
        switch length {
        case .counted(let count):
            guard count <= maximum else { return nil }
            part = .bytes(count, isChunk: false)
        case .chunked: part = .chunkSize
        case .unknown: return nil
        }
        remaining = maximum
        lines = ReplyFramer(maximum: maximum)
    }

    /// Drops what belongs to the body.
    mutating func skip(in input: inout ByteQueue) -> Progress {
        while true {
            if case .bytes(let count, let isChunk) = part {
                let here = min(count, input.count)
                input.consume(here)
                guard here == count else {
                    part = .bytes(count - here, isChunk: isChunk)
                    return .incomplete
                }
                guard isChunk else { return .complete }
                part = .chunkEnd
            }
            switch lines.next(from: &input) {
            case .incomplete: return .incomplete
            case .tooLong: return .endless
            case .line(let line): if let progress = take(line) { return progress }
            }
        }
    }

    private mutating func take(_ line: ReplyLine) -> Progress? {
        switch part {
        case .chunkSize:
            let digits = line.text.prefix { $0 != UInt8(ascii: ";") && $0 != ASCII.space }
            guard digits.allSatisfy(\.isHexDigit), let size = Int(String(decoding: digits, as: UTF8.self), radix: 16),
                (0...remaining).contains(size)
            else { return .endless }
            remaining -= size
            part = size == 0 ? .trailers : .bytes(size, isChunk: true)
        case .chunkEnd:
            guard line.text.isEmpty else { return .endless }
            part = .chunkSize
        case .trailers:
            if line.text.isEmpty { return .complete }
        case .bytes:
            return .endless
        }
        return nil
    }
}
