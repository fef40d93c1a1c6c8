/// One measurement of one system.
struct Sample: Codable {
    /// CPU time of the server's process tree in microseconds per unit, or bytes of memory per idle session.
    let cost: Double
    /// Units per second of wall clock time; nil for idle sessions, as are all that follow it.
    let rate: Double?
    /// Time from the beginning to the end of one transfer, session or round trip, in microseconds.
    let p50: Double?
    let p99: Double?
    /// Proportional set size of the server's process tree at the end, sessions still open, in bytes.
    let memory: Int
    /// CPU time over wall clock time; 1 is a whole core.
    let serverShare: Double
    /// Time in which the server was ready to run and another process had its core: a measure of disturbance.
    let serverWait: Double
    let loadShare: Double
    /// Back-ends and authentication service.
    let backEndShare: Double
}

/// All samples of one system in one scenario, in the order of the rounds.
struct Series: Codable {
    let scenario: String
    let unit: String
    let system: String
    var samples: [Sample]

    /// The costs relative to another system's, round by round.
    func ratios(to other: Series) -> [Double] { zip(samples, other.samples).map { $0.cost / $1.cost } }
}

/// Middle and extremes of some rounds.
struct Spread {
    let median: Double
    let minimum: Double
    let maximum: Double

    init?(_ values: [Double]) {
        let sorted = values.sorted()
        guard let first = sorted.first, let last = sorted.last else { return nil }
        let middle = sorted.count / 2
        median = sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
        minimum = first
        maximum = last
    }
}
