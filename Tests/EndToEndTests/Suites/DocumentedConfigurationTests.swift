import Foundation
import Testing

/// What README.md and docs show as a configuration is one.
///
/// A block fenced as `nginx` passes `mailgateway check`; one fenced as `nginx refused` begins with a
/// comment that holds the message it is refused with. A block without `events` is the content of
/// `mail {}`; what it needs besides is added. A block fenced as `text` and a name is a file of that name
/// beside the configuration.
@Suite("Documented configurations", .endToEnd, .beyondNginx) struct DocumentedConfigurationTests {
    struct Block: Sendable, CustomTestStringConvertible {
        let place: String
        let isRefused: Bool
        let text: String
        /// The files that its document shows.
        let files: [String: String]
        var testDescription: String { place }

        /// The message behind the first line's `#`.
        var message: String {
            text.prefix { $0 != "\n" }.drop { $0 == "#" }.trimmingCharacters(in: .whitespaces)
        }

        /// A whole configuration.
        var completed: String {
            if text.contains(/(?m)^events\b/) { return text }
            let service = text.contains(/\bauth_(http|file|mysql|pam)\b/) ? "" : "auth_http 127.0.0.1:9143;"
            let server = text.contains(/server \{/) ? "" : "server { listen 127.0.0.1:1143; protocol imap; }"
            return "events { }\nmail {\n\(service)\n\(text)\n\(server)\n}\n"
        }
    }

    @Test("are there") func areThere() {
        #expect(Self.blocks.contains { $0.place.hasPrefix("README.md:") && !$0.isRefused })
        #expect(Self.blocks.contains { $0.isRefused })
    }

    @Test("do what the document says", arguments: blocks) func doAsSaid(block: Block) throws {
        try Stage.run { stage in
            try stage.directory.makeFolder("pam.d")
            for (name, text) in block.files { try stage.directory.write(name, text) }
            let file = try stage.directory.write("shown.conf", block.completed)
            // What the guides have beside them.
            for name in ["master.password", "mysql.password"] { try stage.directory.write(name, "secret\n") }
            let result = try stage.run(GatewayKind.underTest.command(checking: true, in: stage.directory) + [file])
            #expect(result.status == .code(block.isRefused ? 1 : 0), "\(result)")
            if block.isRefused {
                #expect(!block.message.isEmpty && result.errors.contains(block.message), "\(result)")
            }
        }
    }

    /// All blocks of README.md and docs, by file and line.
    static let blocks: [Block] = {
        let top = URL(fileURLWithPath: #filePath)
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().path
        let names = FileManager.default.enumerator(atPath: "\(top)/docs")?.allObjects as? [String] ?? []
        let paths = ["README.md"] + names.filter { $0.hasSuffix(".md") }.sorted().map { "docs/\($0)" }
        return paths.flatMap { blocks(in: textOfFile("\(top)/\($0)"), of: $0) }
    }()

    /// The first whole configuration of a document, with the document's files.
    static func whole(of path: String) throws -> Block {
        try #require(blocks.first { $0.place.hasPrefix("\(path):") && $0.text.contains(/(?m)^events\b/) })
    }

    private static func blocks(in document: String, of path: String) -> [Block] {
        let fences = fences(in: document)
        let files = Dictionary(
            fences.filter { $0.words.count == 2 && $0.words[0] == "text" }.map { ($0.words[1], $0.text) },
            uniquingKeysWith: { first, _ in first })
        return fences.filter { $0.words.first == "nginx" }.map { fence in
            Block(
                place: "\(path):\(fence.line)", isRefused: fence.words.dropFirst().first == "refused",
                text: fence.text, files: files)
        }
    }

    /// What stands between fences, with the words behind the opening one.
    private static func fences(in document: String) -> [(line: Int, words: [String], text: String)] {
        var fences: [(line: Int, words: [String], text: String)] = []
        var open: (line: Int, words: [String], text: String)?
        for (index, line) in document.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            if let fence = open, line == "```" {
                fences.append(fence)
                open = nil
            } else if open != nil {
                open?.text += "\(line)\n"
            } else if line.hasPrefix("```") {
                open = (index + 1, line.dropFirst(3).split(separator: " ").map(String.init), "")
            }
        }
        return fences
    }
}
