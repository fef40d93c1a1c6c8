/// One row of the measurements. A new one is a new entry in `all`, as long as `LoadWork` knows what it does.
struct Scenario {
    /// What stands in the tables and behind `--only`.
    let name: String
    /// What happens, for the reader of the report.
    let summary: String
    let load: LoadPlan
    /// To what the cost is put down.
    let unit: Unit

    enum Unit: String {
        case session, greeting
        case roundTrip = "round trip"
        case mebibyte = "MiB"
        case idleSession = "idle session"

        /// For the heads of columns.
        var plural: String { self == .mebibyte ? rawValue : rawValue + "s" }
    }

    /// Names of which `--only` needs just the beginning: `login`, `relay-down`, `ping-pong`, `idle`.
    func matches(_ selection: String) -> Bool {
        name == selection || name.hasPrefix(selection + "-")
    }

    /// Units of cost in one unit of the load.
    var unitsPerTransfer: Double {
        unit == .mebibyte ? Double(load.transferBytes) / 1_048_576 : 1
    }

    /// Whether systems which differ only in their relay's buffers are worth a row.
    var isRelay: Bool { unit == .mebibyte }

    static let all: [Scenario] =
        LoadProtocol.allCases.map { login("login-\($0.rawValue)", $0, sessions: 64) }
        + [login("login-one", .imap, sessions: 1)]
        + [1, 16].map { relay("relay-down-\($0)", .download, sessions: $0) }
        + [1, 16].map { relay("relay-up-\($0)", .upload, sessions: $0) }
        + [1, 64, 1000].map(pingPong)
        + [1000, 8000].map(idle)
        + [
            Scenario(
                name: "churn", summary: "connect, read the IMAP greeting, close; 64 at once",
                load: LoadPlan(work: .greeting, sessions: 64), unit: .greeting)
        ]

    private static func login(_ name: String, _ mailProtocol: LoadProtocol, sessions: Int) -> Scenario {
        Scenario(
            name: name,
            summary: "whole \(mailProtocol.rawValue.uppercased()) sessions: connect, log in, log out, close; "
                + (sessions == 1 ? "one at a time" : "\(sessions) at once"),
            load: LoadPlan(mailProtocol: mailProtocol, work: .session, sessions: sessions), unit: .session)
    }

    /// Pieces of 8 MiB from one session, of 1 MiB from each of several.
    private static func relay(_ name: String, _ work: LoadWork, sessions: Int) -> Scenario {
        let bytes = (sessions == 1 ? 8 : 1) * 1_048_576
        let direction = work == .download ? "from the back-end to the client" : "from the client to the back-end"
        return Scenario(
            name: name, summary: "bulk \(direction), \(sessions) logged-in IMAP session\(sessions == 1 ? "" : "s")",
            load: LoadPlan(work: work, sessions: sessions, transferBytes: bytes), unit: .mebibyte)
    }

    private static func pingPong(sessions: Int) -> Scenario {
        Scenario(
            name: "ping-pong-\(sessions)",
            summary:
                "64 bytes there and back, over and over, \(sessions) logged-in IMAP session\(sessions == 1 ? "" : "s")",
            load: LoadPlan(work: .echo, sessions: sessions), unit: .roundTrip)
    }

    private static func idle(sessions: Int) -> Scenario {
        Scenario(
            name: "idle-\(sessions)",
            summary: "memory of \(sessions) logged-in, silent IMAP sessions after one exchange",
            load: LoadPlan(work: .idle, sessions: sessions), unit: .idleSession)
    }
}
