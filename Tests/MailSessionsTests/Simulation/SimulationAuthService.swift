import AsyncIO
import TestSupport

/// A scripted auth_http service: HTTP/1.1 in the many ways in which it may be spoken.
actor SimulationAuthService {
    nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe executor.asUnownedSerialExecutor() }
    private let executor: RingExecutor
    private let plans: [String: (plan: SimulationPlan, backEnd: SocketAddress)]
    private var waits: [String: Int] = [:]
    private var random: SeededRandom
    /// Questions answered.
    private(set) var questions = 0
    /// Connections accepted.
    private(set) var connections = 0

    init(_ plans: [(plan: SimulationPlan, backEnd: SocketAddress)], seed: UInt64, on executor: RingExecutor) {
        self.plans = Dictionary(plans.map { ($0.plan.user, $0) }) { first, _ in first }
        self.executor = executor
        random = SeededRandom(seed: seed)
    }

    /// Answers questions over one connection until either side ends it.
    func serve(_ socket: Socket) async {
        connections += 1
        var queue = ByteQueue()
        let deadline = executor.now + .seconds(72 * 3600)
        do throws(IOError) {
            while true {
                while !queue.bytes.hasBlankLine {
                    if try await socket.receive(into: &queue, deadline: deadline) == 0 { return }
                }
                let question = String(decoding: queue.takeAll(), as: UTF8.self)
                if random.chance(0.3) {
                    let pause = Duration.milliseconds(Int.random(in: 0...50, using: &random))
                    try await executor.sleep(until: executor.now + pause, scope: socket.scope)
                }
                let (answer, isLast) = answer(to: question)
                try await socket.send(Array(answer.utf8), deadline: deadline)
                if isLast { return }
            }
        } catch {
            // A session that was cancelled leaves like this.
        }
    }

    private func answer(to question: String) -> (text: String, isLast: Bool) {
        questions += 1
        let headers = Dictionary(
            question.split(separator: "\r\n").compactMap { line in
                line.firstRange(of: ": ").map { (String(line[..<$0.lowerBound]), String(line[$0.upperBound...])) }
            }
        ) { first, _ in first }
        let user = headers["Auth-User"] ?? ""
        guard let (plan, backEnd) = plans[user] else { return http(["Auth-Status: who is this?"]) }
        if plan.isGarbled, headers["Auth-Login-Attempt"] == "\(plan.refusals + 1)" { return garbage() }
        if waits[user, default: 0] < plan.waits {
            waits[user, default: 0] += 1
            return http(["Auth-Status: WAIT", "Auth-Wait: \(Int.random(in: 0...2, using: &random))"])
        }
        if let attempt = Int(headers["Auth-Login-Attempt"] ?? ""), attempt <= plan.refusals {
            return http(["Auth-Status: sorry", "Auth-Wait: 1"])
        }
        return http(["Auth-Status: OK", "Auth-Server: 127.0.0.1", "Auth-Port: \(backEnd.port)"])
    }

    /// An answer in one of the forms that HTTP allows.
    private func http(_ headers: [String]) -> (text: String, isLast: Bool) {
        func page(_ version: String, _ more: [String], body: String = "") -> String {
            (["HTTP/\(version) 200 OK"] + headers + more).map { "\($0)\r\n" }.joined() + "\r\n" + body
        }
        return switch Int.random(in: 0...7, using: &random) {
        case 0: (page("1.1", ["Content-Length: 5"], body: "hello"), false)
        case 1: (page("1.1", ["Transfer-Encoding: chunked"], body: "5\r\nhello\r\n0\r\n\r\n"), false)
        case 2: ("HTTP/1.1 100 Continue\r\n\r\n" + page("1.1", ["Content-Length: 0"]), false)
        case 3: (page("1.1", ["Connection: close", "Content-Length: 0"]), true)
        case 4: (page("1.0", [], body: "bye"), true)
        // Promises to stay, and goes.
        case 5: (page("1.1", ["Content-Length: 0"]), true)
        default: (page("1.1", ["Content-Length: 0"]), false)
        }
    }

    private func garbage() -> (text: String, isLast: Bool) {
        switch Int.random(in: 0...4, using: &random) {
        case 0: ("", true)
        case 1: ("HTTP/1.1 200 OK\r\nAuth-Sta", true)
        case 2: ("HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", false)
        case 3: ("HTTP/1.1 200 OK\r\nAuth-Status: OK\r\nAuth-Server: nowhere\r\nAuth-Port: 1\r\n\r\n", true)
        default: ("\u{1}\u{2}\u{3}: x\r\n\r\n", true)
        }
    }
}

extension [UInt8] {
    /// Holds the blank line behind a head.
    fileprivate var hasBlankLine: Bool { firstRange(of: [13, 10, 13, 10]) != nil }
}
