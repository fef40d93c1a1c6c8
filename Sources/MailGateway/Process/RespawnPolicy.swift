/// How long to wait before a process that ended is started again.
///
/// One that served for a while is replaced at once. One that dies young is likely to die again, so
/// the pauses double, from 50 ms to 5 s: a broken start must not occupy a processor.
struct RespawnPolicy: Sendable, Hashable {
    /// The pause after the first early death.
    static let shortest = Duration.milliseconds(50)
    /// The longest pause.
    static let longest = Duration.seconds(5)
    /// Whoever lived this long did not die young.
    static let youth = Duration.seconds(10)

    private var next = RespawnPolicy.shortest

    /// The pause after the death of a process that lived for `age`.
    mutating func pause(afterAge age: Duration) -> Duration {
        guard age < RespawnPolicy.youth else {
            next = RespawnPolicy.shortest
            return .zero
        }
        defer { next = min(next * 2, RespawnPolicy.longest) }
        return next
    }
}
