import Glibc

/// The file with the master's process number: it says that every listener is bound.
struct PIDFile {
    private let path: String

    /// Writes our number and a newline.
    init(_ path: String) throws(StartFailure) {
        self.path = path
        let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw .lastError("open() \(quoted(path))") }
        defer { close(descriptor) }
        let text = Array("\(getpid())\n".utf8)
        let count = unsafe text.withUnsafeBytes { unsafe write(descriptor, $0.baseAddress, $0.count) }
        guard count == text.count else { throw .lastError("write() \(quoted(path))") }
    }

    /// Removes it; that it has gone already is nobody's failure.
    func remove() { _ = unsafe unlink(path) }
}
