import ArgumentParser
import AsyncIO
import Glibc

/// The options that `run` and `check` share, named as in nginx.
struct RunOptions: ParsableArguments {
    @Option(
        name: [.customShort("c", allowingJoined: true), .customLong("configuration")],
        help: ArgumentHelp(
            "The configuration file, relative to the prefix; without it a built-in demo runs.", valueName: "file"))
    var path: String?

    @Option(
        name: [.customShort("p", allowingJoined: true), .customLong("prefix")],
        help: ArgumentHelp("The directory that the pid file and logs are relative to.", valueName: "directory"))
    var prefix = ""

    @Option(
        name: [.customShort("e", allowingJoined: true), .customLong("error-log")],
        help: ArgumentHelp(
            "The log until the configuration's own is known: a file or stderr.", valueName: "file"))
    var errorLog: String?

    @Option(
        name: [.customShort("g", allowingJoined: true), .customLong("directives")],
        help: ArgumentHelp("Directives of the main level, read before the file.", valueName: "directives"))
    var directives = ""

    /// The file of `-e`, if it is one.
    var earlyLog: String? {
        guard let errorLog, errorLog != "stderr" else { return nil }
        return joined(prefix, errorLog)
    }

    /// The main file as messages name it.
    var shownPath: String { path.map { joined(prefix, $0) } ?? DemoConfiguration.path }

    /// Reads the configuration that was asked for; changes nothing.
    /// - Parameters:
    ///   - demo: where the demo's back-end listens, of interest without `-c` only.
    ///   - ticketSeed: what session tickets were made with before.
    func loadConfiguration(
        demo: DemoConfiguration.BackEndPorts, ticketSeed: TLSTicketSeed = TLSTicketSeed()
    ) throws(ConfigurationError) -> Configuration {
        if let path {
            return try Configuration.load(
                path: path, prefix: prefix, globalDirectives: directives, hostName: RunOptions.hostName,
                ticketSeed: ticketSeed)
        }
        let text = Array(DemoConfiguration.text(backEnd: demo).utf8)
        return try Configuration.load(
            path: DemoConfiguration.path, prefix: prefix, globalDirectives: directives,
            source: MemorySource([DemoConfiguration.path: text]), hostName: RunOptions.hostName)
    }

    private static var hostName: String {
        // One more than the longest name, so that it always ends with NUL (gethostname(2)).
        var name = [CChar](repeating: 0, count: 65)
        guard unsafe gethostname(&name, name.count - 1) == 0 else { return "localhost" }
        return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
