import AsyncIO
import Glibc
import MailSessions

/// An accounts file that one account is written into: all other lines stay as they are.
struct EditedAccounts: Sendable {
    /// Where it is, behind symbolic links.
    private let path: String
    /// Owner, group and mode of the file; nil for a new one.
    private let former: (owner: uid_t, group: gid_t, mode: mode_t)?
    private(set) var text: [UInt8]

    /// Reads the file, which must be a right one; `mayCreate`: or not be there yet.
    init(path: String, mayCreate: Bool) throws(PasswdFailure) {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else {
            guard errno == ENOENT else { throw EditedAccounts.failed("stat", path) }
            guard mayCreate else { throw PasswdFailure("\(quoted(path)) does not exist; -c makes it") }
            self.path = path
            former = nil
            text = []
            return
        }
        guard let real = unsafe realpath(path, nil) else { throw EditedAccounts.failed("realpath", path) }
        defer { unsafe free(real) }
        self.path = unsafe String(cString: real)
        former = (status.st_uid, status.st_gid, status.st_mode & 0o7777)
        do throws(SourceError) {
            text = try DiskSource().read(self.path).bytes
        } catch {
            throw PasswdFailure(error.text)
        }
        try check()
    }

    /// A text in memory, which is written nowhere.
    init(text: [UInt8]) {
        path = ""
        former = nil
        self.text = text
    }

    /// Overwrites the passwords.
    mutating func wipe() { AsyncIO.wipe(&text) }

    /// Puts the entry in the place of the line with its name, or behind all others.
    mutating func put(
        _ entry: AccountsEntry, password: Secret, _ scheme: AccountsEntry.Scheme
    ) throws(PasswdFailure) {
        let place = line(named: entry.name)
        var line = try entry.line(password, scheme, replacing: place.map { text[$0] })
        defer { AsyncIO.wipe(&line) }
        var edited: [UInt8] = []
        edited.reserveCapacity(text.count + line.count + 2)
        edited += text[..<(place?.lowerBound ?? text.endIndex)]
        if place == nil, let last = edited.last, last != ASCII.lf { edited.append(ASCII.lf) }
        edited += line
        if let place { edited += text[place.upperBound...] } else { edited.append(ASCII.lf) }
        AsyncIO.wipe(&text)
        text = edited
        try check()
    }

    /// The line of an account, without its end.
    private func line(named name: [UInt8]) -> Range<Int>? {
        let beginning = name + [UInt8(ascii: ":")]
        var start = 0
        while start < text.endIndex {
            let end = text[start...].firstIndex(of: ASCII.lf) ?? text.endIndex
            if text[start..<end].starts(with: beginning) {
                return start..<(end > start && text[end - 1] == ASCII.cr ? end - 1 : end)
            }
            start = end + 1
        }
        return nil
    }

    private func check() throws(PasswdFailure) {
        do throws(AccountsFileError) {
            _ = try AccountsFile(parsing: text)
        } catch {
            throw PasswdFailure("\(quoted("\(path):\(error.line)")): \(error.reason.rawValue)")
        }
    }

    // MARK: Writing

    /// The folder that the file is in, or will be.
    var folder: String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// Does `body` while nobody else does in this folder, so that none of two changes at the same time is lost. The
    /// folder is locked, and not the file, which each change replaces. Where that cannot be had (NFS, a folder that may not
    /// be read), the last of two changes wins.
    static func withLock(
        on folder: String, _ body: () throws(PasswdFailure) -> Void
    ) throws(PasswdFailure) {
        let directory = unsafe open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        defer { if directory >= 0 { close(directory) } }
        while directory >= 0, flock(directory, LOCK_EX) != 0, errno == EINTR {}
        try body()
    }

    /// Replaces the file in one step: whoever reads it sees the old one or the new one. A new file is for its owner only.
    func write() throws(PasswdFailure) {
        var name = Array("\(path).XXXXXX".utf8CString)
        let file = unsafe mkstemp(&name)
        guard file >= 0 else { throw EditedAccounts.failed("mkstemp", path) }
        defer { close(file) }
        do throws(PasswdFailure) {
            if let former {
                // First, because changing the owner takes mode bits away.
                guard fchown(file, former.owner, former.group) == 0 else {
                    throw EditedAccounts.failed("fchown", path)
                }
                guard fchmod(file, former.mode) == 0 else { throw EditedAccounts.failed("fchmod", path) }
            }
            var written = 0
            while written < text.count {
                let count = unsafe text.withUnsafeBytes {
                    unsafe Glibc.write(file, $0.baseAddress?.advanced(by: written), text.count - written)
                }
                guard count > 0 || errno == EINTR else { throw EditedAccounts.failed("write", path) }
                written += max(0, count)
            }
            guard fsync(file) == 0 else { throw EditedAccounts.failed("fsync", path) }
            guard unsafe rename(name, path) == 0 else { throw EditedAccounts.failed("rename", path) }
        } catch {
            unsafe unlink(name)
            throw error
        }
    }

    private static func failed(_ call: String, _ path: String) -> PasswdFailure {
        PasswdFailure(SourceError(call: call, path: path, code: errno).text)
    }
}
