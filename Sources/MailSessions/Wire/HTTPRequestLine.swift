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
    private static let longestMethod = 7
    private static let initials = methods.compactMap(\.utf8.first)

    /// The method, if the first `length` bytes of `input`, a line without its end, are a request. The
    /// rest of it may hold credentials, and is for no log.
    static func method(in input: ByteQueue, length: Int) -> [UInt8]? {
        // Most lines of mail protocols do not begin as one of these methods does.
        guard length > 0, initials.contains(input[0] & 0xDF) else { return nil }
        var last = length
        while last > 0, input[last - 1] != ASCII.space { last -= 1 }
        guard last < length, input[last] & 0xDF == UInt8(ascii: "H"),
            input[last..<min(length, last + 5)].equals("HTTP/"),
            let space = input.firstIndex(of: ASCII.space, to: min(longestMethod + 1, length)),
            methods.contains(input[0..<space].asciiUppercased)
        else { return nil }
        return input[0..<space]
    }
}
