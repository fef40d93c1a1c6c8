import AsyncIO
import Glibc

/// The signals that master and workers know, and what they say about them.
enum ProcessSignals {
    /// Stop now; drain; reload; reopen logs; start another binary.
    static let master = [SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2]
    static let worker = [SIGTERM, SIGINT, SIGQUIT, SIGUSR1]

    /// To be called first of all: what is awaited is blocked, what would only end us is ignored.
    ///
    /// USR1 and HUP are ignored besides being blocked, which a child inherits: one that arrives before
    /// the child listens does not end it. Blocked signals are delivered all the same.
    static func prepare(for signals: [Int32]) {
        for ignored in [SIGPIPE, SIGUSR1, SIGUSR2, SIGHUP] { _ = signal(ignored, SIG_IGN) }
        Signals.block(signals)
    }

    /// nginx's line; a signal of the terminal has no sender.
    static func notice(_ signal: Int32, from sender: Int32) -> String {
        let (name, effect) =
            switch signal {
            case SIGTERM: ("SIGTERM", "exiting")
            case SIGINT: ("SIGINT", "exiting")
            case SIGQUIT: ("SIGQUIT", "shutting down")
            case SIGWINCH: ("SIGWINCH", "shutting down")
            case SIGHUP: ("SIGHUP", "reconfiguring")
            case SIGUSR2: ("SIGUSR2", "changing binary")
            default: ("SIGUSR1", "reopening logs")
            }
        let origin = sender == 0 ? "" : " from \(sender)"
        return "signal \(signal) (\(name)) received\(origin), \(effect)"
    }
}
