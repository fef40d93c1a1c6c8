import AsyncIO
import Glibc

/// Where the texts of a configuration come from: the disk, or what the master has read already.
protocol ConfigurationSource: Sendable {
    /// The whole content of a file: perhaps a key, or passwords.
    func read(_ path: String) throws(SourceError) -> Secret
    /// The paths that a glob(3) pattern matches, sorted by their bytes; none is not an error.
    func paths(matching pattern: String) -> [String]
}

/// Why a file cannot be read.
struct SourceError: Error, Sendable, Hashable {
    /// The system call that failed.
    let call: String
    let path: String
    /// `errno`.
    let code: Int32

    /// nginx's text, e.g. `open() "/etc/x" failed (2: No such file or directory)`.
    var text: String { "\(call)() \(quoted(path)) failed (\(reason))" }

    /// The number and the system's words for it.
    var reason: String { "\(code): \(unsafe String(cString: strerror(code)))" }
}

/// A file that a configuration consists of, so that a worker can read the identical text.
struct ConfigurationText: Sendable, Hashable {
    /// What a file is for.
    enum Kind: Sendable, Hashable {
        /// nginx's language; shown by `-T`.
        case directives
        /// An `auth_file`, or a file that holds a password; never shown.
        case accounts
        /// A certificate, key, passphrase or list for TLS; never shown.
        case tls
    }

    let path: String
    let content: Secret
    let kind: Kind
}

/// The files of this machine.
struct DiskSource: ConfigurationSource {
    /// The largest file, in bytes: far above any real one, far below what hurts.
    static let fileMaximum = 64 << 20

    /// Reads with open(2) and read(2), at most `fileMaximum` bytes.
    func read(_ path: String) throws(SourceError) -> Secret {
        let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw SourceError(call: "open", path: path, code: errno) }
        defer { close(file) }
        var pieces: [Secret] = []
        var size = 0
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        defer { wipe(&chunk) }
        while true {
            let count = unsafe chunk.withUnsafeMutableBytes { unsafe Glibc.read(file, $0.baseAddress, $0.count) }
            if count < 0 {
                if errno == EINTR { continue }
                throw SourceError(call: "read", path: path, code: errno)
            }
            if count == 0 { return Secret(joining: pieces) }
            pieces.append(Secret(chunk[..<count]))
            size += count
            guard size <= DiskSource.fileMaximum else {
                throw SourceError(call: "read", path: path, code: EFBIG)
            }
        }
    }

    /// Asks glob(3), which sorts.
    func paths(matching pattern: String) -> [String] {
        var matches = unsafe glob_t()
        defer { unsafe globfree(&matches) }
        guard unsafe glob(pattern, 0, nil, &matches) == 0 else { return [] }
        var paths: [String] = []
        let count = unsafe Int(matches.gl_pathc)
        for index in 0..<count {
            if let path = unsafe matches.gl_pathv[index] { paths.append(unsafe String(cString: path)) }
        }
        return paths
    }
}

/// Texts in memory: the worker's copy of what the master has read, and what tests write.
struct MemorySource: ConfigurationSource {
    private let files: [String: Secret]

    /// Files by path.
    init(_ files: [String: [UInt8]]) { self.files = files.mapValues { Secret($0) } }

    /// The texts of a configuration that was read before.
    init(_ texts: [ConfigurationText]) {
        files = Dictionary(texts.map { ($0.path, $0.content) }, uniquingKeysWith: { first, _ in first })
    }

    /// Looks the path up; an unknown one is ENOENT, as on a disk.
    func read(_ path: String) throws(SourceError) -> Secret {
        guard let content = files[path] else { throw SourceError(call: "open", path: path, code: ENOENT) }
        return content
    }

    /// Asks fnmatch(3) by the rules of glob(3): `*` matches neither `/` nor a leading dot.
    func paths(matching pattern: String) -> [String] {
        let matches = files.keys.filter { path in
            let difference = unsafe fnmatch(pattern, path, FNM_PATHNAME | FNM_PERIOD)
            return difference == 0
        }
        return matches.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }
}
