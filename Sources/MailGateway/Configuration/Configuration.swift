import AsyncIO

/// A configuration that has been read and checked: typed values, and the texts they come from.
struct Configuration: Sendable {
    let core: CoreSettings
    let events: EventsSettings
    /// In the order of the files.
    let servers: [ServerConfiguration]
    /// Zones of shared memory, in the order of declaration.
    let zones: [ZoneSettings]
    /// What the administrator should know, in the order of reading.
    let notices: [Notice]
    /// What it was read from: enough to read it again, elsewhere, with the same result.
    var origin: Origin

    /// Everything that reading a configuration depends on. The master sends it to its workers, which
    /// then need neither the disk nor a resolver. It holds the accounts files and auth_http's headers,
    /// so it is as secret as they are.
    struct Origin: Sendable, Hashable {
        /// The main file, absolute unless the prefix is relative.
        var path: String
        var prefix: String
        /// The text of `-g`.
        var globalDirectives: String
        var hostName: String
        /// Each file once, in the order of reading; the accounts files too.
        var texts: [ConfigurationText]
        /// What each host name stood for.
        var resolutions: [String: [SocketAddress]]
        /// What keys of session tickets come from: the same in all workers.
        var ticketSeed = TLSTicketSeed()
    }

    /// Reads and checks a configuration.
    /// - Parameters:
    ///   - path: the main file; relative to `prefix`.
    ///   - prefix: `-p`, the base of `pid` and `error_log`.
    ///   - globalDirectives: the text of `-g`, read before the file.
    ///   - hostName: this machine's name, the default of `server_name`.
    static func load(
        path: String, prefix: String = "", globalDirectives: String = "",
        source: any ConfigurationSource = DiskSource(),
        resolver: HostResolver = .system, hostName: String, ticketSeed: TLSTicketSeed = TLSTicketSeed()
    ) throws(ConfigurationError) -> Configuration {
        let path = joined(prefix, path)
        let directory = path.lastIndex(of: "/").map { String(path[...$0]) } ?? ""
        var parser = ConfigurationParser(
            context: ParseContext(
                source: source, resolver: resolver, directory: directory, prefix: prefix,
                hostName: hostName.lowercased(), ticketSeed: ticketSeed))
        try parser.parse(path: path, globalDirectives: globalDirectives)
        let configuration = Configuration(
            core: CoreSettings(ScopeChain(parser.main)),
            events: EventsSettings(ScopeChain(parser.events)),
            servers: parser.servers,
            zones: parser.context.zones.all,
            notices: parser.context.notices,
            origin: Origin(
                path: path, prefix: prefix, globalDirectives: globalDirectives, hostName: hostName,
                texts: parser.context.texts, resolutions: parser.context.resolutions, ticketSeed: ticketSeed))
        try configuration.checkConnections()
        try configuration.checkPAMServices()
        return configuration
    }

    /// As in nginx: a place for each listening socket, and one to accept with.
    private func checkConnections() throws(ConfigurationError) {
        let (places, listeners) = (events.connectionsMaximum, sockets.count)
        guard places < listeners + 1 else { return }
        throw ConfigurationError(
            "\(places) worker_connections are not enough for \(listeners) listening sockets", at: .whole,
            accepted: "Each listening socket takes one; it must be at least \(listeners + 1), and in use many more.")
    }

    /// Reads the identical configuration again, from memory.
    static func load(from origin: Origin) throws(ConfigurationError) -> Configuration {
        try load(
            path: origin.path, prefix: origin.prefix, globalDirectives: origin.globalDirectives,
            source: MemorySource(origin.texts), resolver: .recorded(origin.resolutions), hostName: origin.hostName,
            ticketSeed: origin.ticketSeed)
    }
}
