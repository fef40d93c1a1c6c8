import AsyncIO
import Glibc
import TestSupport
import Testing

/// Questions to another process; here asker and answerer are in one.
@Suite struct QuestionChannelTests {
    /// A channel, an executor with an asker on it, and both ends closed afterwards.
    private func run(
        _ kernel: KernelUnderTest,
        _ body: @escaping @Sendable (QuestionAsker, Int32, CancellationScope) async throws -> Void
    ) async throws {
        let (asking, answering) = try QuestionChannel.pair()
        defer {
            close(asking)
            close(answering)
        }
        try await onExecutor {
            try kernel.make()
        } _: { executor in
            try await body(
                QuestionAsker(using: asking, on: executor), answering, CancellationScope(on: executor))
        }
    }

    private static func deadline(_ scope: CancellationScope, _ time: Duration = .seconds(10)) -> Instant {
        scope.executor.now + time
    }

    /// The next question, and the way back.
    private static func next(_ end: Int32, maximum: Int = 16) throws -> (question: [UInt8], reply: QuestionReply)? {
        guard case .message(let bytes, let descriptors) = try QuestionChannel.read(from: end, maximum: maximum)
        else { return nil }
        return (bytes, QuestionReply(adopting: try #require(descriptors.first)))
    }

    @Test(arguments: KernelUnderTest.real)
    func `answers go to who asked, in whatever order they come`(kernel: KernelUnderTest) async throws {
        try await run(kernel) { asker, end, scope in
            async let first = asker.ask([1], answerMaximum: 4, deadline: Self.deadline(scope), scope: scope)
            async let second = asker.ask([2], answerMaximum: 4, deadline: Self.deadline(scope), scope: scope)
            var questions: [(question: [UInt8], reply: QuestionReply)] = []
            while questions.count < 2 {
                if let next = try Self.next(end) { questions.append(next) } else { await Task.yield() }
            }
            for (question, reply) in questions.reversed() { reply.send(question + [9]) }
            #expect(try await first == [1, 9])
            #expect(try await second == [2, 9])
        }
    }

    @Test(arguments: KernelUnderTest.real)
    func `a question waits for an answerer until its deadline`(kernel: KernelUnderTest) async throws {
        try await run(kernel) { asker, end, scope in
            await #expect(throws: IOError.timedOut) {
                _ = try await asker.ask(
                    [1], answerMaximum: 4, deadline: Self.deadline(scope, .milliseconds(20)), scope: scope)
            }
            let late = try #require(try Self.next(end))
            // Whoever gave up can be told from who waits, as soon as the kernel has let go of the other end.
            let limit = Self.deadline(scope)
            while late.reply.isAwaited, scope.executor.now < limit { await Task.yield() }
            #expect(!late.reply.isAwaited)
            late.reply.send([1])
        }
    }

    @Test(arguments: KernelUnderTest.real)
    func `an answerer that dies fails what it has taken, and nothing else`(kernel: KernelUnderTest) async throws {
        try await run(kernel) { asker, end, scope in
            async let taken = asker.ask([1], answerMaximum: 4, deadline: Self.deadline(scope), scope: scope)
            var held: QuestionReply?
            while held == nil {
                held = try Self.next(end)?.reply
                await Task.yield()
            }
            #expect(held?.isAwaited == true)
            held = nil
            do {
                Issue.record("\(try await taken) is no answer")
            } catch {
                #expect(error as? IOError == .closed)
            }
            async let next = asker.ask([2], answerMaximum: 4, deadline: Self.deadline(scope), scope: scope)
            while held == nil {
                held = try Self.next(end)?.reply
                await Task.yield()
            }
            held?.send([7])
            #expect(try await next == [7])
        }
    }

    @Test func `a full channel refuses at once`() throws {
        let (asking, answering) = try QuestionChannel.pair()
        defer {
            close(asking)
            close(answering)
        }
        var refusal: IOError?
        for _ in 0..<10_000 where refusal == nil {
            do throws(IOError) {
                try QuestionChannel.send([UInt8](repeating: 1, count: 1024), over: asking)
            } catch {
                refusal = error
            }
        }
        #expect(refusal == .system(.sendmsg, code: EAGAIN))
    }

    @Test func `what is too long is gone, and its descriptors are closed`() throws {
        let (asking, answering) = try QuestionChannel.pair()
        defer { close(answering) }
        var ends: [Int32] = [-1, -1]
        try #require(unsafe pipe(&ends) == 0)
        defer { close(ends[0]) }
        try QuestionChannel.send([UInt8](repeating: 1, count: 5), with: [ends[1]], over: asking)
        try QuestionChannel.send([2], over: asking)
        close(ends[1])
        guard case .tooLong = try QuestionChannel.read(from: answering, maximum: 4) else {
            Issue.record("it fits")
            return
        }
        var byte: UInt8 = 0
        #expect(unsafe read(ends[0], &byte, 1) == 0, "nobody holds the pipe's writing end")
        guard case .message([2], []) = try QuestionChannel.read(from: answering, maximum: 4) else {
            Issue.record("the next one is whole")
            return
        }
        guard case .nothing = try QuestionChannel.read(from: answering, maximum: 4) else {
            Issue.record("there is no third")
            return
        }
        close(asking)
        guard case .end = try QuestionChannel.read(from: answering, maximum: 4) else {
            Issue.record("nobody is left")
            return
        }
    }

    @Test func `no asker can read what others ask`() throws {
        let (asking, answering) = try QuestionChannel.pair()
        defer {
            close(asking)
            close(answering)
        }
        try QuestionChannel.send([1], over: asking)
        #expect(throws: IOError.self) { try QuestionChannel.send([1], over: answering) }
        guard case .end = try QuestionChannel.read(from: asking, maximum: 4) else {
            Issue.record("something can be read")
            return
        }
    }
}
