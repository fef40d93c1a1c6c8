/// nginx's levels, the most severe last so that they compare.
enum LogLevel: String, Sendable, Hashable, CaseIterable, Comparable {
    case debug, info, notice, warn, error, crit, alert, emerg

    private var rank: Int {
        switch self {
        case .debug: 0
        case .info: 1
        case .notice: 2
        case .warn: 3
        case .error: 4
        case .crit: 5
        case .alert: 6
        case .emerg: 7
        }
    }

    /// Less severe than the other.
    static func < (one: LogLevel, other: LogLevel) -> Bool { one.rank < other.rank }
}

/// Something the administrator should know although the configuration is good.
struct Notice: Sendable, Hashable {
    let level: LogLevel
    let text: String
    let position: Position
}

extension Notice: CustomStringConvertible {
    /// The text and its position on one line.
    var description: String { ConfigurationError(text, at: position).message }
}
