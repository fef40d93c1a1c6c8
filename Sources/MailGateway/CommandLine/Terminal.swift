import Glibc
import MailSessions

/// What a person reads who starts the program by hand.
enum Terminal {
    /// One line on standard error, as nginx has it: `mailgateway: [emerg] text`.
    static func complain(_ level: LogLevel, _ text: String) { write("mailgateway: [\(level.rawValue)] \(text)") }

    /// The failure, and what to do about it.
    static func complain(_ failure: StartFailure) {
        complain(.emerg, failure.text)
        if let hint = failure.hint { write("mailgateway: \(hint)") }
    }

    /// Lines on standard error.
    static func write(_ text: String) { put(text + "\n", to: STDERR_FILENO) }

    /// A question on standard error, to be answered on the same line.
    static func ask(_ question: String) { put(question, to: STDERR_FILENO) }

    /// Lines on standard output, which whoever reads it sees at once.
    static func say(_ text: String) { put(text + "\n", to: STDOUT_FILENO) }

    /// A file's content on standard output, as it is, and a line end.
    static func say(_ content: [UInt8]) { put(content + [UInt8(ascii: "\n")], to: STDOUT_FILENO) }

    private static func put(_ text: String, to descriptor: Int32) { put(Array(text.utf8), to: descriptor) }

    private static func put(_ content: [UInt8], to descriptor: Int32) {
        var bytes = content[...]
        while !bytes.isEmpty {
            let count = unsafe bytes.withUnsafeBytes { unsafe Glibc.write(descriptor, $0.baseAddress, $0.count) }
            // A closed standard output is nobody's failure.
            guard count > 0 || (count < 0 && errno == EINTR) else { return }
            bytes = bytes.dropFirst(max(0, count))
        }
    }
}
