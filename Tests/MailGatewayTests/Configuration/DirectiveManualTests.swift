import Glibc
import Testing

@testable import MailGateway

/// docs/directives.md is what the rows say.
@Suite struct DirectiveManualTests {
    private var path: String {
        let parts = #filePath.split(separator: "/").dropLast(4)
        return "/" + parts.joined(separator: "/") + "/docs/directives.md"
    }

    @Test func `the reference manual is up to date`() throws {
        let manual = DirectiveManual.markdown()
        if unsafe getenv("MAILGATEWAY_UPDATE_DOCS") != nil {
            let file = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
            let written = unsafe write(file, manual, manual.utf8.count)
            close(file)
            try #require(written == manual.utf8.count)
        }
        let shown = String(decoding: try DiskSource().read(path).bytes, as: UTF8.self)
        #expect(shown == manual, "run it again with MAILGATEWAY_UPDATE_DOCS=1")
    }

    @Test func `every directive is in it`() {
        let manual = DirectiveManual.markdown()
        for row in DirectiveTable.areas.flatMap(\.rows) {
            #expect(manual.contains("### \(row.name)\n"))
            #expect(row.manual.hasSuffix("."), "\(row.name)")
        }
    }
}
