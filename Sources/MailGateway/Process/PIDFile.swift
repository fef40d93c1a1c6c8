import Glibc

/// The file with the master's process number: it says that every listener is bound.
struct PIDFile {
    /// Where it is while no other program is being tried.
    let path: String
    /// Where it is meanwhile, as in nginx.
    private var asidePath: String { path + ".oldbin" }
    private var isAside = false

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

    /// Leaves its name to the program that takes over.
    mutating func moveAside() throws(StartFailure) {
        guard unsafe rename(path, asidePath) == 0 else {
            throw .lastError("rename() \(quoted(path)) to \(quoted(asidePath))")
        }
        isAside = true
    }

    /// Takes its name back from the program that did not take over.
    mutating func takeBack() throws(StartFailure) {
        guard isAside else { return }
        guard unsafe rename(asidePath, path) == 0 else {
            throw .lastError("rename() \(quoted(asidePath)) back to \(quoted(path))")
        }
        isAside = false
    }

    /// Removes it; that it has gone already is nobody's failure.
    func remove() { _ = unsafe unlink(isAside ? asidePath : path) }
}
