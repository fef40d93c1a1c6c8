/// One row of the measurements. A new one is a new entry in `all`, as long as `LoadWork` knows what it does.
struct Scenario {
    /// What stands in the tables and behind `--only`.
    let name: String
    /// What happens, for the reader of the report.
    let summary: String
    let load: LoadPlan
    /// To what the cost is put down.
    let unit: Unit
    /// Whether a run without `--only` has it; the others say little that these do not, and would make it too long.
    var isUsual = true
    /// The scenario that is the same but for one thing, and is measured in the same rounds, so that what this one thing
    /// costs each system is a ratio of samples taken one after the other.
    var base: String?

    enum Unit: String {
        case session, greeting
        case roundTrip = "round trip"
        case mebibyte = "MiB"
        case idleSession = "idle session"

        /// For the heads of columns.
        var plural: String { self == .mebibyte ? rawValue : rawValue + "s" }
    }

    /// `selection` where one is called so, or else the names that begin so: `login`, `relay-down`, `ping-pong`, `idle`.
    static func names(selectedBy selection: String) -> [String] {
        let names = all.map(\.name)
        return names.contains(selection) ? [selection] : names.filter { $0.hasPrefix(selection + "-") }
    }

    /// Scenarios in the order of their measurement; those in one array share their rounds.
    static func measuredTogether(_ scenarios: [Scenario]) -> [[Scenario]] {
        scenarios.reduce(into: []) { groups, scenario in
            if let base = scenario.base, let last = groups.last, last[0].name == base {
                groups[groups.count - 1].append(scenario)
            } else {
                groups.append([scenario])
            }
        }
    }

    /// Units of cost in one unit of the load.
    var unitsPerTransfer: Double {
        unit == .mebibyte ? Double(load.transferBytes) / 1_048_576 : 1
    }

    /// Whether systems which differ only in their relay's buffers are worth a row.
    var isRelay: Bool { unit == .mebibyte }

    static let all: [Scenario] = logins + relays + exchanges + silence + [churn] + company + workers

    private static let logins: [Scenario] =
        LoadSecurity.allCases.flatMap { security in
            [64, 1].flatMap { sessions in
                LoadProtocol.allCases.map { login($0, sessions: sessions, security) }
            }
        } + [logged(login(.imap, sessions: 64))]

    private static let relays: [Scenario] = [
        relay("relay-down-1", .download, sessions: 1), relay("relay-down-16", .download, sessions: 16),
        relay("relay-up-1", .upload, sessions: 1), relay("relay-up-16", .upload, sessions: 16),
        relay("tls-down-1", .download, sessions: 1, .tls), relay("tls-down-16", .download, sessions: 16, .tls),
        relay("tls-up-1", .upload, sessions: 1, .tls), relay("tls-up-16", .upload, sessions: 16, .tls),
    ]

    private static let exchanges: [Scenario] = [
        pingPong(sessions: 1), pingPong(sessions: 64), pingPong(sessions: 1000), pingPong(sessions: 1, .tls),
        pingPong(sessions: 64, .tls), pingPong(sessions: 1000, .tls),
    ]

    private static let silence: [Scenario] = [
        idle(sessions: 1000), idle(sessions: 8000), idle(sessions: 30_000), idle(sessions: 1000, .tls),
        idle(sessions: 8000, .tls), idle(sessions: 30_000, .tls),
        Scenario(
            name: "greeted-8000", summary: "memory of 8000 clients that have been greeted and say nothing",
            load: LoadPlan(work: .greeted, sessions: 8000), unit: .idleSession),
        Scenario(
            name: "greeted-tls-8000", summary: "memory of 8000 clients that have connected to TLS and say nothing",
            load: LoadPlan(security: .tls, work: .greeted, sessions: 8000), unit: .idleSession),
    ]

    private static let company = [
        held(100), held(9000, base: "held-100"), held(30_000, base: "held-100"),
        beside("slow-2000", "2000 clients that send a byte every half second", Company(slow: 2000), sessions: 8),
    ]

    private static let workers: [Scenario] = [
        withWorkers(2, login(.imap, sessions: 64)), withWorkers(2, pingPong(sessions: 64)),
        withWorkers(2, churn), withWorkers(5, idle(sessions: 30_000)),
        withWorkers(5, held(100), isUsual: false), withWorkers(5, held(30_000, base: "held-100"), isUsual: false),
    ]

    private static let churn = Scenario(
        name: "churn", summary: "connect, read the IMAP greeting, close; 64 at once",
        load: LoadPlan(work: .greeting, sessions: 64), unit: .greeting)

    private static func login(
        _ mailProtocol: LoadProtocol, sessions: Int, _ security: LoadSecurity = .none
    ) -> Scenario {
        let isOne = sessions == 1
        return Scenario(
            name: "login-\(mailProtocol.rawValue)" + (security == .none ? "" : "-\(security.rawValue)")
                + (isOne ? "-one" : ""),
            summary: "whole \(mailProtocol.rawValue.uppercased()) sessions: connect, log in, log out, close; "
                + (isOne ? "one at a time" : "\(sessions) at once") + words(security),
            load: LoadPlan(mailProtocol: mailProtocol, security: security, work: .session, sessions: sessions),
            unit: .session,
            isUsual: isOne
                ? mailProtocol == .imap && (security == .none || security == .tls)
                : mailProtocol == .imap || security == .none || security == .tls)
    }

    /// The same with lines about each session in the log.
    private static func logged(_ scenario: Scenario) -> Scenario {
        var load = scenario.load
        load.isLogged = true
        return Scenario(
            name: "logged-\(scenario.name)", summary: "\(scenario.summary); each logged", load: load,
            unit: scenario.unit)
    }

    /// Pieces of 8 MiB from one session, of 1 MiB from each of several.
    private static func relay(
        _ name: String, _ work: LoadWork, sessions: Int, _ security: LoadSecurity = .none
    ) -> Scenario {
        let bytes = (sessions == 1 ? 8 : 1) * 1_048_576
        let direction = work == .download ? "from the back-end to the client" : "from the client to the back-end"
        return Scenario(
            name: name,
            summary: "bulk \(direction), \(sessions) logged-in IMAP session\(sessions == 1 ? "" : "s")"
                + words(security),
            load: LoadPlan(security: security, work: work, sessions: sessions, transferBytes: bytes), unit: .mebibyte)
    }

    private static func pingPong(sessions: Int, _ security: LoadSecurity = .none) -> Scenario {
        Scenario(
            name: security == .none ? "ping-pong-\(sessions)" : "ping-pong-tls-\(sessions)",
            summary:
                "64 bytes there and back, over and over, \(sessions) logged-in IMAP session\(sessions == 1 ? "" : "s")"
                + words(security),
            load: LoadPlan(security: security, work: .echo, sessions: sessions), unit: .roundTrip)
    }

    private static func idle(sessions: Int, _ security: LoadSecurity = .none) -> Scenario {
        Scenario(
            name: security == .none ? "idle-\(sessions)" : "idle-tls-\(sessions)",
            summary: "memory of \(sessions) logged-in, silent IMAP sessions after one exchange" + words(security),
            load: LoadPlan(security: security, work: .idle, sessions: sessions), unit: .idleSession)
    }

    private static func held(_ silent: Int, base: String? = nil) -> Scenario {
        var scenario = beside("held-\(silent)", "\(silent) silent sessions", Company(silent: silent))
        scenario.base = base
        return scenario
    }

    private static func beside(_ name: String, _ whom: String, _ company: Company, sessions: Int = 64) -> Scenario {
        Scenario(
            name: name, summary: "whole IMAP sessions, \(sessions) at once, beside \(whom)",
            load: LoadPlan(work: .session, sessions: sessions, company: company), unit: .session)
    }

    /// The same with so many workers, which share all cores with the load.
    private static func withWorkers(_ count: Int, _ scenario: Scenario, isUsual: Bool = true) -> Scenario {
        var load = scenario.load
        load.workers = count
        return Scenario(
            name: "workers-\(count)-\(scenario.name)",
            summary: "\(scenario.summary); \(count) workers on the same cores as the load", load: load,
            unit: scenario.unit, isUsual: isUsual, base: scenario.base.map { "workers-\(count)-\($0)" })
    }

    private static func words(_ security: LoadSecurity) -> String {
        switch security {
        case .none: ""
        case .tls: "; TLS 1.3, full handshakes"
        case .resumed: "; TLS 1.3, resumed"
        case .startTLS: "; STARTTLS, full handshakes"
        }
    }
}
