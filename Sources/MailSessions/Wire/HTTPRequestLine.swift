import AsyncIO

/// Recognises the first line of an HTTP request.
///
/// A browser can be made to post to a mail port, with a login in the body (ALPACA, CVE-2021-3618;
/// nginx-mail.md §13 row 30). No line of a mail protocol begins with one of these methods and ends
/// with an HTTP version.
enum HTTPRequestLine {
    private static let methods = [
        "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "PRI",
    ]

    /// Whether the first `length` bytes of `input`, a line without its end, are one.
    static func matches(_ input: ByteQueue, length: Int) -> Bool {
        let longest = 7
        guard let space = input.firstIndex(of: ASCII.space), space <= min(longest, length),
            methods.contains(input[0..<space].asciiUppercased)
        else { return false }
        var last = length
        while last > 0, input[last - 1] != ASCII.space { last -= 1 }
        return input[last..<min(length, last + 5)].asciiUppercased == "HTTP/"
    }
}
