import Foundation
import Glibc

/// A temporary directory of one test, readable by the accounts that mail servers run as.
struct TestDirectory {
    let path: String

    init() throws {
        var template = Array("/tmp/mailgateway-e2e-XXXXXX".utf8CString)
        guard unsafe mkdtemp(&template) != nil else { throw SystemError("mkdtemp") }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        unsafe chmod(path, 0o755)
    }

    /// The path of a file or folder in it.
    func path(_ relative: String) -> String { "\(path)/\(relative)" }

    /// Makes a folder and returns its path.
    @discardableResult
    func makeFolder(_ relative: String) throws -> String {
        try FileManager.default.createDirectory(atPath: path(relative), withIntermediateDirectories: true)
        return path(relative)
    }

    /// Writes a file and returns its path.
    @discardableResult
    func write(_ relative: String, _ text: String, mode: mode_t = 0o644) throws -> String {
        try Data(text.utf8).write(to: URL(fileURLWithPath: path(relative)))
        unsafe chmod(path(relative), mode)
        return path(relative)
    }

    /// The names of all files in it whose path starts with `prefix`.
    func files(startingWith prefix: String = "") -> [String] {
        (FileManager.default.enumerator(atPath: path)?.allObjects as? [String] ?? []).filter { $0.hasPrefix(prefix) }
    }

    /// Deletes it, unless the environment asks to keep it for a look (END_TO_END_KEEP=1).
    func remove() {
        guard ProcessInfo.processInfo.environment["END_TO_END_KEEP"] == nil else { return print("kept \(path)") }
        do {
            try FileManager.default.removeItem(atPath: path)
        } catch {
            print("cannot remove \(path): \(error)")
        }
    }
}
