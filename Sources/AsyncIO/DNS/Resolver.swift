import CAres

/// Asks name servers, and remembers what they said.
///
/// A question that is in flight already is not asked again: whoever has it too waits for the same
/// answer. Each asker has a deadline of its own; the question goes on without those who gave up, so
/// that its answer is there for the next.
package actor Resolver {
    package nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe executor.asUnownedSerialExecutor() }

    /// Questions in flight at once; one more is refused.
    package static let questionsMaximum = 1024
    /// Answers kept; the oldest go first.
    static let answersMaximum = 4096

    package nonisolated let settings: ResolverSettings
    private let executor: RingExecutor
    private let channel: DNSChannel
    private let memory: DNSMemory

    /// A resolver that has asked nothing yet.
    package init(_ settings: ResolverSettings, on executor: RingExecutor) {
        self.settings = settings
        self.executor = executor
        let memory = DNSMemory(settings, executor: executor)
        let channel = DNSChannel(settings, on: executor)
        channel.finish = { memory.take($0) }
        self.memory = memory
        self.channel = channel
    }

    /// How many questions were sent to name servers, repetitions by c-ares not counted.
    package var questionsAsked: Int { memory.questionsAsked }

    /// The answer to `question`, by `deadline`; cancelling `scope` ends the wait.
    package func answer(
        to question: DNSQuestion, deadline: Instant, scope: CancellationScope
    ) async throws(DNSFailure) -> DNSAnswer {
        try await answer(of: try ask(question), deadline: deadline, scope: scope)
    }

    /// The addresses of a host, IPv4 first, of the families that the settings allow; at least one.
    package func answer(
        ofHost name: String, deadline: Instant, scope: CancellationScope
    ) async throws(DNSFailure) -> DNSAnswer {
        var kinds: [DNSQuestion.Kind] = []
        if settings.usesIPv4 { kinds.append(.ipv4) }
        if settings.usesIPv6 { kinds.append(.ipv6) }
        // All are asked before the first is waited for.
        var questions: [Asked] = []
        for kind in kinds { questions.append(try ask(DNSQuestion(name, kind))) }
        var all = DNSAnswer()
        var failures: [DNSFailure] = []
        for question in questions {
            do throws(DNSFailure) {
                let answer = try await answer(of: question, deadline: deadline, scope: scope)
                all.lifetime = all.addresses.isEmpty ? answer.lifetime : min(all.lifetime, answer.lifetime)
                all.addresses += answer.addresses
            } catch {
                failures.append(error)
            }
        }
        guard all.addresses.isEmpty else { return all }
        // That a name is not there is certain only if everybody says so.
        throw failures.first { $0 != .notFound } ?? .notFound
    }

    /// Ends all questions. Askers get `cancelled`, and so does whoever asks later.
    package func close() async { await channel.close() }

    /// A question that was answered before, or is in flight.
    private enum Asked {
        case known(DNSAnswer)
        case query(DNSQuery)
    }

    /// Asks `question` unless it is answered or in flight already.
    private func ask(_ question: DNSQuestion) throws(DNSFailure) -> Asked {
        if let known = memory.cache.value(of: question, at: executor.now) { return .known(known) }
        if let query = memory.pending[question] { return .query(query) }
        guard !channel.isClosed else { throw .cancelled }
        guard memory.pending.count < Resolver.questionsMaximum else { throw .overloaded }
        let query = DNSQuery(question, on: executor)
        memory.add(query)
        channel.ask(query)
        return .query(query)
    }

    private func answer(
        of asked: Asked, deadline: Instant, scope: CancellationScope
    ) async throws(DNSFailure) -> DNSAnswer {
        switch asked {
        case .known(let answer): return answer
        case .query(let query):
            await query.wait(until: deadline, scope: scope)
            switch query.result {
            case .success(let answer): return answer
            case .failure(let failure): throw failure
            case nil: throw scope.isCancelled ? .cancelled : .timedOut
            }
        }
    }
}

/// What a resolver knows and what it has asked.
// Shared with the channel, which is no actor's: both live on the executor's thread.
private final class DNSMemory {
    /// Some hundred bytes each.
    var cache = ExpiringCache<DNSQuestion, DNSAnswer>(maximum: Resolver.answersMaximum)
    private(set) var pending: [DNSQuestion: DNSQuery] = [:]
    private(set) var questionsAsked = 0
    private let settings: ResolverSettings
    private let executor: RingExecutor

    init(_ settings: ResolverSettings, executor: RingExecutor) {
        self.settings = settings
        self.executor = executor
    }

    func add(_ query: DNSQuery) {
        pending[query.question] = query
        questionsAsked += 1
    }

    /// `query` has a result; one that only says something about the server is asked of all of them.
    func take(_ query: DNSQuery) {
        if query.isFailureOfServer, query.repetitions + 1 < settings.servers.count { return query.askAgain() }
        pending[query.question] = nil
        if case .success(let answer) = query.result {
            cache.keep(answer, of: query.question, for: settings.validity ?? answer.lifetime, at: executor.now)
        }
        query.wakeAll()
    }
}

/// One question in flight, and who waits for its answer.
final class DNSQuery {
    let question: DNSQuestion
    private(set) var result: Result<DNSAnswer, DNSFailure>?
    /// How often it was asked again of another server.
    private(set) var repetitions = 0
    /// The channel that asks it.
    var channel: DNSChannel?
    private let executor: RingExecutor
    private var waits: [TimedWait] = []

    init(_ question: DNSQuestion, on executor: RingExecutor) {
        self.question = question
        self.executor = executor
    }

    /// Takes c-ares's outcome.
    func take(outcome: Int32, _ message: [UInt8]) {
        do throws(DNSFailure) {
            if let failure = DNSQuery.failure(outcome) { throw failure }
            result = .success(try DNSMessage(message).answer(to: question))
        } catch {
            result = .failure(error)
        }
    }

    /// Takes what somebody else than c-ares found out, and wakes all who wait for it.
    func finish(_ result: Result<DNSAnswer, DNSFailure>) {
        self.result = result
        wakeAll()
    }

    /// The result may be another one from another server.
    var isFailureOfServer: Bool {
        [.server, .refused, .unimplemented].contains { result == .failure($0) }
    }

    /// Asks the next server.
    func askAgain() {
        result = nil
        repetitions += 1
        channel?.ask(self)
    }

    /// Waits for the result until `deadline`, or until `scope` is cancelled.
    func wait(until deadline: Instant, scope: CancellationScope) async {
        guard result == nil, !scope.isCancelled else { return }
        let wait = TimedWait(on: executor)
        waits.append(wait)
        await wait.wait(until: deadline, scope: scope)
        waits.removeAll { $0 === wait }
    }

    /// There is a result: nobody needs to wait longer.
    func wakeAll() {
        channel = nil
        for wait in waits { wait.end() }
    }

    private static func failure(_ outcome: Int32) -> DNSFailure? {
        switch Int(outcome) {
        case CARES_SUCCESS: nil
        case CARES_NOT_FOUND: .notFound
        case CARES_FORMAT: .format
        case CARES_NOT_IMPLEMENTED: .unimplemented
        case CARES_REFUSED: .refused
        case CARES_TIMED_OUT: .timedOut
        case CARES_CANCELLED: .cancelled
        default: .server
        }
    }
}
