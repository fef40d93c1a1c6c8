import Foundation

/// A Swift file of the project, as the rules look at it.
struct SourceFile: Sendable {
    /// Relative to the project's top, such as `Sources/AsyncIO/Net/Listener.swift`.
    let path: String
    /// The lines as written.
    let lines: [Substring]
    /// The same lines without their comments.
    let code: [Substring]

    init(path: String, text: String) {
        self.path = path
        lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        code = withoutComments(text).split(separator: "\n", omittingEmptySubsequences: false)
    }

    /// The names of the modules it imports, with their line numbers.
    var imports: [(line: Int, module: Substring)] {
        code.enumerated().compactMap { index, line in
            let words = line.split(separator: " ")
            guard let keyword = words.firstIndex(of: "import"), keyword + 1 < words.endIndex,
                words[..<keyword].allSatisfy({ $0.hasPrefix("@") || ["public", "package", "internal"].contains($0) })
            else { return nil }
            return (index + 1, words[words.endIndex - 1].prefix { $0 != "." })
        }
    }

    /// Whether it lies in one of the folders.
    func isIn(_ folders: String...) -> Bool { folders.contains { path.hasPrefix("\($0)/") } }

    /// All Swift files of the project.
    static let all: [SourceFile] = {
        ["Sources", "Tests", "Benchmarks"].flatMap { folder in
            let names = FileManager.default.enumerator(atPath: "\(projectTop)/\(folder)")?.allObjects as? [String] ?? []
            return names.filter { $0.hasSuffix(".swift") }.sorted().map { name in
                let data = FileManager.default.contents(atPath: "\(projectTop)/\(folder)/\(name)") ?? Data()
                return SourceFile(path: "\(folder)/\(name)", text: String(decoding: data, as: UTF8.self))
            }
        }
    }()
}

/// The folder that Package.swift lies in.
let projectTop = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path

/// The text with every comment replaced by nothing; line ends and string literals stay.
func withoutComments(_ text: String) -> String {
    var result: [UInt8] = []
    var scanner = CommentScanner()
    let bytes = Array(text.utf8)
    var index = 0
    while index < bytes.count {
        let (length, isComment) = scanner.step(bytes[index...])
        for byte in bytes[index..<index + length] where !isComment || byte == UInt8(ascii: "\n") {
            result.append(byte)
        }
        index += length
    }
    return String(decoding: result, as: UTF8.self)
}

/// Tells comments, string literals and code apart, a few bytes at a time.
///
/// It knows what the project's code uses: line comments, nested block comments, and strings of one
/// or several lines with escapes. Raw strings and regular expressions pass as code.
private struct CommentScanner {
    private enum State {
        case code
        case lineComment
        case blockComment(depth: Int)
        case string(delimiter: String)
    }

    private var state = State.code

    /// How many bytes belong together, and whether they are comment.
    mutating func step(_ rest: ArraySlice<UInt8>) -> (length: Int, isComment: Bool) {
        func begins(_ text: String) -> Bool { rest.starts(with: text.utf8) }
        switch state {
        case .code:
            if begins("//") {
                state = .lineComment
                return (2, true)
            }
            if begins("/*") {
                state = .blockComment(depth: 1)
                return (2, true)
            }
            for delimiter in ["\"\"\"", "\""] where begins(delimiter) {
                state = .string(delimiter: delimiter)
                return (delimiter.utf8.count, false)
            }
        case .lineComment:
            if begins("\n") { state = .code }
            return (1, true)
        case .blockComment(let depth):
            if begins("/*") {
                state = .blockComment(depth: depth + 1)
                return (2, true)
            }
            if begins("*/") {
                state = depth == 1 ? .code : .blockComment(depth: depth - 1)
                return (2, true)
            }
            return (1, true)
        case .string(let delimiter):
            if begins("\\"), rest.count > 1 { return (2, false) }
            if begins(delimiter) {
                state = .code
                return (delimiter.utf8.count, false)
            }
        }
        return (1, false)
    }
}
