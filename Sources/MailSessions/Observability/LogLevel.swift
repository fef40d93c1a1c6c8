/// nginx's levels, the most severe last so that they compare.
package enum LogLevel: String, Sendable, Hashable, CaseIterable, Comparable {
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
    package static func < (one: LogLevel, other: LogLevel) -> Bool { one.rank < other.rank }
}
