import AsyncIO

/// `syslog:server=…[,facility=…][,tag=…]…` of `error_log`.
struct SyslogSettings: Sendable, Hashable {
    /// Where the datagrams go.
    let server: SocketAddress
    /// The number of the facility (RFC 3164 §4.1.1).
    let facility: Int
    let tag: String
    /// The machine's name in the header; nil with `nohostname`.
    let hostName: String?

    /// Port of syslog servers (RFC 3164 §2).
    static let portDefault: UInt16 = 514
    /// RFC 3164 §4.1.3.
    static let tagMaximum = 32

    /// By number; nginx names them so.
    static let facilities = [
        "kern", "user", "mail", "daemon", "auth", "intern", "lpr", "news", "uucp", "clock", "authpriv", "ftp", "ntp",
        "audit", "alert", "cron", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
    ]
    private static let facilityDefault = 23
    /// nginx's own, so that filters of its lines go on to work.
    private static let tagDefault = "nginx"
    /// Accepted without effect: the severity of a line is its level.
    private static let severities = ["emerg", "alert", "crit", "error", "warn", "notice", "info", "debug"]

    /// Reads what follows `syslog:`; nginx's texts for everything wrong (nginx-mail.md §2.8).
    init(
        _ parameters: Substring, of statement: Statement, _ context: inout ParseContext
    ) throws(ConfigurationError) {
        var server: SocketAddress?
        var facility: Int?
        var severity: Int?
        var tag: String?
        var hostName: String? = context.hostName
        for parameter in parameters.split(separator: ",", omittingEmptySubsequences: false) {
            let name = parameter.prefix { $0 != "=" }
            let value = parameter.dropFirst(name.count + 1)
            let isAssignment = name.count < parameter.count
            switch (name, isAssignment) {
            case ("server", true):
                guard server == nil else { throw SyslogSettings.duplicate("server", statement) }
                server = try SyslogSettings.address(String(value), statement, &context)
            case ("facility", true):
                guard facility == nil else { throw SyslogSettings.duplicate("facility", statement) }
                facility = try SyslogSettings.index(of: value, in: SyslogSettings.facilities, "facility", statement)
            case ("severity", true):
                guard severity == nil else { throw SyslogSettings.duplicate("severity", statement) }
                severity = try SyslogSettings.index(of: value, in: SyslogSettings.severities, "severity", statement)
            case ("tag", true):
                guard tag == nil else { throw SyslogSettings.duplicate("tag", statement) }
                tag = try SyslogSettings.tag(value, statement)
            case ("nohostname", false):
                hostName = nil
            default:
                throw statement.error(
                    "unknown syslog parameter \(quoted(String(parameter)))",
                    accepted: oneOf(["server=", "facility=", "severity=", "tag=", "nohostname"]))
            }
        }
        guard let server else {
            throw statement.error(
                "no syslog server specified",
                accepted: "Add server=address[:port] or server=unix:/path, for instance unix:/dev/log.")
        }
        self.server = server
        self.facility = facility ?? SyslogSettings.facilityDefault
        self.tag = tag ?? SyslogSettings.tagDefault
        self.hostName = hostName
    }

    private static func duplicate(_ name: String, _ statement: Statement) -> ConfigurationError {
        statement.error("duplicate syslog \(quoted(name))", accepted: "Say it once.")
    }

    private static func index(
        of value: Substring, in names: [String], _ what: String, _ statement: Statement
    ) throws(ConfigurationError) -> Int {
        guard let index = names.firstIndex(of: String(value)) else {
            throw statement.error("unknown syslog \(what) \(quoted(String(value)))", accepted: oneOf(names))
        }
        return index
    }

    private static func tag(_ value: Substring, _ statement: Statement) throws(ConfigurationError) -> String {
        guard value.utf8.count <= tagMaximum else {
            throw statement.error(
                "syslog tag length exceeds \(tagMaximum)", accepted: "It must be a shorter word.")
        }
        guard value.utf8.allSatisfy({ UInt8(ascii: "_") == $0 || $0.isWordByte }) else {
            throw statement.error(
                "syslog \"tag\" only allows alphanumeric characters and underscore", accepted: "Leave out other bytes.")
        }
        return String(value)
    }

    private static func address(
        _ text: String, _ statement: Statement, _ context: inout ParseContext
    ) throws(ConfigurationError) -> SocketAddress {
        do throws(Endpoint.Failure) {
            // A socket's path goes to the end; only services have something behind it.
            let endpoint = try Endpoint(text, for: text.hasPrefix("unix:") ? .listen : .service)
            guard endpoint.path.isEmpty else { throw Endpoint.Failure(text: "invalid host") }
            let found = try endpoint.addresses(port: endpoint.ports?.lowerBound ?? portDefault, &context)
            guard let address = found.first else { throw Endpoint.Failure(text: "host not found") }
            return address
        } catch {
            throw statement.error(
                "\(error.text) in syslog server \(quoted(text))", accepted: "It must be address[:port] or unix:/path.")
        }
    }
}

extension UInt8 {
    /// A–Z, a–z and 0–9.
    fileprivate var isWordByte: Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self)
            || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(self | 0x20)
    }
}
