import Foundation
import Testing

/// What documents point at is there: files, headings, and the tests that docs/security.md names.
@Suite("Documents") struct DocumentationLinkTests {
    @Test("link to files and headings that exist", arguments: Document.all) func linksResolve(document: Document) {
        for link in document.links {
            let parts = link.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false)
            let path = parts[0].isEmpty ? document.path : document.resolved(String(parts[0]))
            #expect(FileManager.default.fileExists(atPath: "\(projectTop)/\(path)"), "\(link)")
            guard parts.count == 2, let target = Document.all.first(where: { $0.path == path }) else { continue }
            #expect(target.anchors.contains(String(parts[1])), "\(link)")
        }
    }

    @Test("name files that exist", arguments: Document.all) func filesExist(document: Document) {
        let names = Set(SourceFile.all.map { $0.path.split(separator: "/").last ?? "" })
        // The first word: a command may have arguments.
        for span in document.codeSpans.compactMap({ $0.split(separator: " ").first }) {
            if ["Sources/", "Tests/", "Benchmarks/", "docs/", "deploy/", "scripts/"].contains(where: span.hasPrefix) {
                #expect(FileManager.default.fileExists(atPath: "\(projectTop)/\(span)"), "\(span)")
            } else if span.hasSuffix(".swift") {
                #expect(names.contains(span.split(separator: "/").last ?? ""), "\(span)")
            }
        }
    }

    /// The last column of a table in docs/security.md says in which tests to look.
    @Test("name tests that exist") func testsExist() throws {
        let document = try #require(Document.all.first { $0.path == "docs/security.md" })
        let tests = SourceFile.all.filter { $0.isIn("Tests") }
        let spans = document.lines.filter { $0.hasPrefix("| ") }.flatMap { row in
            Document.codeSpans(in: row.split(separator: "|").last ?? "")
        }
        #expect(spans.count > 40)
        for span in spans {
            let isThere = tests.contains { test in
                test.path.hasSuffix("/\(span).swift") || test.lines.contains { $0.contains(span) }
            }
            #expect(isThere, "\(span)")
        }
    }

    @Test("can all be reached from README.md") func allAreReached() {
        var reached: Set<String> = ["README.md"]
        var next = ["README.md"]
        while let path = next.popLast() {
            guard let document = Document.all.first(where: { $0.path == path }) else { continue }
            let targets = document.links.map { document.resolved($0.prefix { $0 != "#" }) }
            for target in targets where reached.insert(target).inserted { next.append(target) }
        }
        #expect(Document.all.map(\.path).filter { !reached.contains($0) } == [])
    }
}

/// A Markdown file of the project, without its fenced blocks.
struct Document: Sendable, CustomTestStringConvertible {
    /// Relative to the project's top.
    let path: String
    let lines: [Substring]

    var testDescription: String { path }

    init(path: String, text: String) {
        self.path = path
        var isFenced = false
        lines = text.split(separator: "\n", omittingEmptySubsequences: false).filter { line in
            if line.hasPrefix("```") { isFenced.toggle() }
            return !isFenced
        }
    }

    /// Where its links lead within the project, as written.
    var links: [String] {
        lines.flatMap { line in
            line.matches(of: /\]\(([^)\s]+)\)/).map { String($0.1) }.filter { !$0.contains("://") }
        }
    }

    /// What stands between backticks.
    var codeSpans: [String] { lines.flatMap(Document.codeSpans) }

    static func codeSpans(in line: Substring) -> [String] { line.matches(of: /`([^`]+)`/).map { String($0.1) } }

    /// The names by which headings are linked to: small letters, no punctuation, hyphens for spaces.
    var anchors: Set<String> {
        Set(
            lines.filter { $0.hasPrefix("#") }.map { line in
                line.drop { $0 == "#" }.trimmingCharacters(in: .whitespaces).lowercased()
                    .filter { $0.isLetter || $0.isNumber || " -_".contains($0) }.replacing(" ", with: "-")
            })
    }

    /// A path of a link, seen from the project's top.
    func resolved(_ link: some StringProtocol) -> String {
        var parts = path.split(separator: "/").dropLast().map(String.init)
        for part in link.split(separator: "/") where part != "." {
            if part == ".." { _ = parts.popLast() } else { parts.append(String(part)) }
        }
        return parts.joined(separator: "/")
    }

    /// All Markdown files: at the top, in docs and in deploy.
    static let all: [Document] = {
        let top = (try? FileManager.default.contentsOfDirectory(atPath: projectTop)) ?? []
        let deeper = ["docs", "deploy"].flatMap { folder in
            (FileManager.default.enumerator(atPath: "\(projectTop)/\(folder)")?.allObjects as? [String] ?? [])
                .map { "\(folder)/\($0)" }
        }
        return (top + deeper).filter { $0.hasSuffix(".md") }.sorted().map { path in
            let data = FileManager.default.contents(atPath: "\(projectTop)/\(path)") ?? Data()
            return Document(path: path, text: String(decoding: data, as: UTF8.self))
        }
    }()
}
