import Glibc

/// The lines that the harness's processes exchange over their standard streams, and what it tells people: written
/// at once, never held back in a buffer.
enum Announcement {
    /// Writes one line to standard output, where the parent reads it.
    static func write(_ line: String) {
        let bytes = Array((line + "\n").utf8)
        // A parent that is gone kills this process anyway.
        _ = unsafe bytes.withUnsafeBytes { unsafe Glibc.write(1, $0.baseAddress, $0.count) }
    }

    /// Waits for the parent's next line on standard input; false when the parent is gone.
    static func awaitWord(_ word: String) -> Bool {
        readLine() == word
    }
}
