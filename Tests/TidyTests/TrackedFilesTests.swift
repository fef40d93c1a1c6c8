import Foundation
import Testing

/// What must not be committed: products, caches, and what is bound to one machine.
@Suite("Tracked files") struct TrackedFilesTests {
    @Test(.enabled("there is no git repository here") { isRepository })
    func holdNothingThatIsMade() throws {
        let git = Process()
        git.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        git.arguments = ["git", "-C", projectTop, "-c", "safe.directory=*", "ls-files", "-z"]
        let output = Pipe()
        git.standardOutput = output
        try git.run()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        git.waitUntilExit()
        let paths = String(decoding: data, as: UTF8.self).split(separator: "\0").map(String.init)
        try #require(paths.contains("Package.swift"))
        #expect(paths.filter(Self.isMade).isEmpty)
    }

    @Test(arguments: [
        ".build/debug/a", ".build-tsan/a", "Tests/.build_x/a", "Package.resolved", "default.profraw",
        "Tests/EndToEndTests/Clients/__pycache__/a.pyc", "a.o", ".swiftpm/x", "core", ".DS_Store",
    ]) func areToldFromWhatIsMade(path: String) {
        #expect(Self.isMade(path))
    }

    @Test(arguments: ["Package.swift", ".swift-format", ".ci/run", "Sources/MailGateway/CommandLine/Build.swift"])
    func mayBeAnythingElse(path: String) {
        #expect(!Self.isMade(path))
    }

    private static var isRepository: Bool { FileManager.default.fileExists(atPath: "\(projectTop)/.git") }

    private static func isMade(_ path: String) -> Bool {
        let parts = path.split(separator: "/")
        let folders = parts.dropLast()
        let name = parts.last ?? ""
        return folders.contains { $0.hasPrefix(".build") || $0 == ".swiftpm" || $0 == "__pycache__" }
            || ["Package.resolved", "core", ".DS_Store"].contains(name)
            || [".profraw", ".pyc", ".o", ".a", ".so", ".swiftmodule"].contains { name.hasSuffix($0) }
    }
}
