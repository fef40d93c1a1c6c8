import AsyncIO
import Glibc
import MailSessions

/// How a person or a program gives a password: never as an argument, and never shown.
enum PasswordPrompt {
    /// The longest password, in bytes: more than any scheme takes.
    private static let maximum = 1024

    /// Asks twice on the terminal.
    static func askTwice() throws(PasswdFailure) -> Secret {
        guard isatty(STDIN_FILENO) == 1 else {
            throw PasswdFailure("standard input is no terminal; with --stdin the password is read from it")
        }
        let first = try ask("New password: ")
        let second = try ask("Once more: ")
        var bytes = second.bytes
        defer { wipe(&bytes) }
        guard first.equals(bytes) else { throw PasswdFailure("the two passwords differ") }
        return first
    }

    /// Reads one line from standard input; its end does not belong to the password.
    static func readLine() throws(PasswdFailure) -> Secret {
        var line = [UInt8](repeating: 0, count: maximum + 2)
        defer { wipe(&line) }
        var count = 0
        reading: while count < line.count {
            let received = unsafe line.withUnsafeMutableBytes {
                unsafe read(STDIN_FILENO, $0.baseAddress?.advanced(by: count), 1)
            }
            if received < 0, errno == EINTR { continue }
            guard received > 0 else { break }
            if line[count] == ASCII.lf { break reading }
            count += 1
        }
        if count > 0, line[count - 1] == ASCII.cr { count -= 1 }
        guard count > 0 else { throw PasswdFailure("the password is empty") }
        guard count <= maximum else { throw PasswdFailure("the password has more than \(maximum) bytes") }
        guard !line[..<count].contains(where: \.isControl) else {
            throw PasswdFailure("the password holds control characters")
        }
        return Secret(line[..<count])
    }

    /// Asks with the terminal showing nothing; the keys that would end us have no effect meanwhile, so that it
    /// never stays that way.
    private static func ask(_ question: String) throws(PasswdFailure) -> Secret {
        var former = termios()
        guard unsafe tcgetattr(STDIN_FILENO, &former) == 0 else { throw PasswdFailure("the terminal does not answer") }
        var silent = former
        silent.c_lflag &= ~tcflag_t(ECHO | ISIG)
        unsafe tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent)
        defer {
            unsafe tcsetattr(STDIN_FILENO, TCSAFLUSH, &former)
            Terminal.write("")
        }
        Terminal.ask(question)
        return try readLine()
    }
}
