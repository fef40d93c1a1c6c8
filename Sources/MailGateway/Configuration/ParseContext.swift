import AsyncIO
import MailSessions

/// What the reading of values needs from outside, and what it collects on the way.
struct ParseContext {
    /// The largest number of files read, included ones counted as often as they are included.
    static let filesMaximum = 100_000
    /// The largest number of listening addresses: each is a socket, and a range of ports makes many at once.
    static let addressesMaximum = 100_000

    let source: any ConfigurationSource
    let resolver: HostResolver
    /// The directory of the main file: the base of `include` and `auth_file`.
    let directory: String
    /// `-p`: the base of `pid` and `error_log`.
    let prefix: String
    /// This machine's name, in lower case: the default of `server_name`.
    let hostName: String

    /// Each file read, once, in the order of reading.
    private(set) var texts: [ConfigurationText] = []
    /// Each name resolved, so that a worker needs no resolver.
    private(set) var resolutions: [String: [SocketAddress]] = [:]
    private(set) var notices: [Notice] = []
    /// The addresses of the `listen` directives of the server being read.
    var addressesTaken: Set<SocketAddress> = []
    /// How many there are in all servers.
    var addressCount = 0
    /// Zones of shared memory.
    var zones = ZoneDeclarations()
    /// TLS contexts for connections of ours, by what they were made of.
    var clientContexts: [TLSClientSettings: TLSContext] = [:]
    /// The same for those that wait until somebody asks for them.
    var lazyContexts: [TLSClientSettings: LazyTLSContext] = [:]
    /// The groups of `upstream {}`, by their names in lower case.
    var groups: [String: BackEndGroupSettings] = [:]
    /// What keys of session tickets come from.
    let ticketSeed: TLSTicketSeed

    private var filesRead = 0
    private var pathsRead: Set<String> = []
    private var subjectsNoticed: Set<String> = []

    /// A context in which nothing has been read.
    init(
        source: any ConfigurationSource, resolver: HostResolver, directory: String, prefix: String, hostName: String,
        ticketSeed: TLSTicketSeed = TLSTicketSeed()
    ) {
        self.ticketSeed = ticketSeed
        self.source = source
        self.resolver = resolver
        self.directory = directory
        self.prefix = prefix
        self.hostName = hostName
    }

    /// A path of the configuration directory.
    func pathOfConfiguration(_ path: String) -> String { joined(directory, path) }

    /// A path of the prefix.
    func pathOfPrefix(_ path: String) -> String { joined(prefix, path) }

    /// Reads a file and keeps its text; a failure is an error at `position`.
    mutating func read(
        _ path: String, as kind: ConfigurationText.Kind, at position: Position,
        failure: (SourceError) -> String = \.text
    ) throws(ConfigurationError) -> Secret {
        filesRead += 1
        guard filesRead <= ParseContext.filesMaximum else {
            throw ConfigurationError(
                "too many files", at: position,
                accepted: "A configuration reads at most \(ParseContext.filesMaximum) files, repeated ones included.")
        }
        let content: Secret
        do throws(SourceError) {
            content = try source.read(path)
        } catch {
            throw ConfigurationError(failure(error), at: position)
        }
        if pathsRead.insert(path).inserted {
            texts.append(ConfigurationText(path: path, content: content, kind: kind))
        }
        return content
    }

    /// The addresses of a name, asked for once.
    mutating func addresses(of name: String) -> [SocketAddress] {
        if let known = resolutions[name] { return known }
        let found = resolver.addresses(name)
        resolutions[name] = found
        return found
    }

    /// Says something about one statement.
    mutating func add(_ level: LogLevel, _ text: String, at position: Position) {
        notices.append(Notice(level: level, text: text, position: position))
    }

    /// Says something about all statements of one kind, at the first of them.
    mutating func addOnce(_ level: LogLevel, about subject: String, _ text: String, at position: Position) {
        if subjectsNoticed.insert(subject).inserted { add(level, text, at: position) }
    }
}

/// `path` seen from `directory`, unless it is absolute.
func joined(_ directory: String, _ path: String) -> String {
    if path.hasPrefix("/") || directory.isEmpty { return path }
    return directory.hasSuffix("/") ? directory + path : "\(directory)/\(path)"
}
