import Glibc

/// A condition did not come true in time.
struct TimedOut: Error, CustomStringConvertible {
    let description: String
}

/// Polls `condition` until it holds; the only way in which these tests wait for something.
func waitUntil(_ what: String, within limit: Duration = .seconds(10), _ condition: () throws -> Bool) throws {
    let deadline = ContinuousClock.now + limit
    while try !condition() {
        guard ContinuousClock.now < deadline else { throw TimedOut(description: "waited \(limit) for \(what)") }
        yieldBriefly()
    }
}

/// The step of polling: short against everything that is waited for, long against a look at it.
private func yieldBriefly() {
    _ = poll(nil, 0, 5)
}

extension Duration {
    /// Whole milliseconds, at least 0, for `poll(2)`.
    var milliseconds: Int32 {
        let (seconds, attoseconds) = components
        return Int32(clamping: max(0, seconds * 1000 + attoseconds / 1_000_000_000_000_000))
    }
}
