/// The directives of `events {}`.
enum EventsDirectives {
    static let workerConnections = Setting(
        "worker_connections", in: .events, connectionCount, default: "512",
        "How many sockets a worker has open at once, counting those of clients, back-ends and authenticators. A client "
            + "beyond it is told to come back later.")

    static let use = Setting(
        "use", in: .events, method, shown: "the best there is",
        "The kernel interface that drives a worker: `io_uring`, or `epoll` where io_uring is not allowed. Without it "
            + "io_uring is tried first.")

    /// All rows.
    static let rows: [Directive] = [
        Directive(
            name: "events", contexts: .main, arguments: .none, syntax: "",
            manual: "How workers wait for events. The block must be there, but it may be empty.",
            action: .block(.events)),
        workerConnections.directive, use.directive,
        .ignored("multi_accept", in: .events, .flag, because: "the kernel hands out all waiting clients"),
        .ignored("accept_mutex", in: .events, .flag, because: "the kernel balances the workers"),
        .ignored("accept_mutex_delay", in: .events, .time, because: "the kernel balances the workers"),
        .ignored("debug_connection", in: .events, .text("address"), because: "it needs nginx's debugging build"),
        .ignored("worker_aio_requests", in: .events, .text("number"), because: "no files are served"),
    ]

    private static let connectionCount = ValueSyntax<Int>(.one, "*number*") {
        (statement, _, _) throws(ConfigurationError) in
        let text = statement.arguments[0]
        guard let number = decimal(text, in: 1...(1 << 24)) else {
            throw statement.error(
                "invalid number \(quoted(text))", accepted: "It must be a number from 1 to \(1 << 24).")
        }
        return number
    }

    private static let method = ValueSyntax<EventsSettings.Method>(.one, "io_uring | epoll") {
        (statement, _, _) throws(ConfigurationError) in
        switch statement.arguments[0] {
        case "io_uring": return .ioUring
        case "epoll": return .epoll
        default:
            throw statement.error(
                "invalid event type \(quoted(statement.arguments[0]))", accepted: oneOf(["io_uring", "epoll"]))
        }
    }
}
