import AsyncIO
import Glibc

/// Which configuration the command line means, however it was written.
struct ConfigurationChoice: Sendable, Hashable {
    /// `-c`; nil for the demo's.
    var path: String?
    /// `-p`
    var prefix = ""
    /// `-e`
    var errorLog: String?
    /// `-g`
    var directives = ""

    /// The file of `-e`, if it is one.
    var earlyLog: String? {
        guard let errorLog, errorLog != "stderr" else { return nil }
        return joined(prefix, errorLog)
    }

    /// The same choice with a prefix that means the same everywhere: a worker reads the configuration again, and is in
    /// its `working_directory` by then.
    var absolute: ConfigurationChoice {
        var choice = self
        choice.prefix = joined(Program.currentDirectory, prefix)
        return choice
    }

    /// The main file as messages name it.
    var shownPath: String { path.map { joined(prefix, $0) } ?? DemoConfiguration.path }

    /// Reads the configuration that was asked for; changes nothing.
    /// - Parameters:
    ///   - demo: where the demo's back-end listens, of interest without `-c` only.
    ///   - ticketSeed: what session tickets were made with before.
    func loadConfiguration(
        demo: DemoConfiguration.BackEndPorts = DemoConfiguration.placeholders,
        ticketSeed: TLSTicketSeed = TLSTicketSeed()
    ) throws(ConfigurationError) -> Configuration {
        if let path {
            return try Configuration.load(
                path: path, prefix: prefix, globalDirectives: directives, hostName: ConfigurationChoice.hostName,
                ticketSeed: ticketSeed)
        }
        let text = Array(DemoConfiguration.text(backEnd: demo).utf8)
        return try Configuration.load(
            path: DemoConfiguration.path, prefix: prefix, globalDirectives: directives,
            source: MemorySource([DemoConfiguration.path: text]), hostName: ConfigurationChoice.hostName)
    }

    private static var hostName: String {
        // One more than the longest name, so that it always ends with NUL (gethostname(2)).
        var name = [CChar](repeating: 0, count: 65)
        guard unsafe gethostname(&name, name.count - 1) == 0 else { return "localhost" }
        return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
