import Glibc
import Synchronization
import TestSupport
import Testing

@testable import AsyncIO

/// The resolver against a name server that does what name servers should not (security-checklist F).
@Suite struct ResolverTests {
    static let kernels: [KernelUnderTest] = [.ring, .epoll]
    private static let name = DNSQuestion("mx.example", .ipv4)

    /// Runs `body` with a resolver and checks that nothing is left of it.
    private func run(
        _ kernel: KernelUnderTest, _ servers: [SocketAddress], validity: Duration? = nil,
        change: @escaping @Sendable (inout ResolverSettings) -> Void = { _ in },
        _ body: @escaping @Sendable (Resolver, CancellationScope) async throws -> Void
    ) async throws {
        try await KernelTests.run(kernel) { executor in
            var settings = ResolverSettings(servers: servers)
            settings.validity = validity
            change(&settings)
            let resolver = Resolver(settings, on: executor)
            let scope = CancellationScope(on: executor)
            do {
                try await body(resolver, scope)
                await resolver.close()
            } catch {
                await resolver.close()
                throw error
            }
        }
    }

    /// The same with a server of one script.
    private func run(
        _ kernel: KernelUnderTest, validity: Duration? = nil,
        answer: @escaping @Sendable (ScriptedNameServer.Query) -> [[UInt8]],
        _ body: @escaping @Sendable (Resolver, CancellationScope, ScriptedNameServer) async throws -> Void
    ) async throws {
        let server = try ScriptedNameServer(answer)
        defer { server.stop() }
        try await run(kernel, [server.address], validity: validity) { try await body($0, $1, server) }
    }

    private static func good(_ query: ScriptedNameServer.Query, lifetime: UInt32 = 60) -> DNSReply {
        var reply = query.reply
        switch query.kind {
        case 1:
            reply.records = [
                DNSReply.Record(query.name, 1, lifetime: lifetime, [192, 0, 2, UInt8(query.number & 255)])
            ]
        case 28:
            let data = [UInt8](repeating: 0, count: 15) + [1]
            reply.records = [DNSReply.Record(query.name, 28, lifetime: lifetime, data)]
        default: reply.records = [DNSReply.Record(query.name, 12, lifetime: lifetime, DNSReply.wire("host.example"))]
        }
        return reply
    }

    private func ask(
        _ resolver: Resolver, _ scope: CancellationScope, _ question: DNSQuestion = Self.name,
        within limit: Duration = .seconds(10)
    ) async -> Result<DNSAnswer, DNSFailure> {
        do throws(DNSFailure) {
            return .success(
                try await resolver.answer(to: question, deadline: scope.executor.now + limit, scope: scope))
        } catch {
            return .failure(error)
        }
    }

    @Test(arguments: kernels) func `an answer is kept for its time`(_ kernel: KernelUnderTest) async throws {
        try await run(kernel, answer: { [Self.good($0).bytes] }) { resolver, scope, server in
            for _ in 0..<3 {
                let found = try await ask(resolver, scope).get()
                #expect(found.addresses.map(\.hostText) == ["192.0.2.1"])
                #expect(found.lifetime == .seconds(60))
            }
            #expect(server.queries.map(\.name) == ["mx.example"])
        }
    }

    @Test(arguments: [(0, nil, 2), (0, .seconds(60), 1), (60, nil, 1)] as [(UInt32, Duration?, Int)])
    func `a time of 0 keeps nothing unless valid= says so`(_ lifetime: UInt32, _ validity: Duration?, _ count: Int)
        async throws
    {
        try await run(.epoll, validity: validity, answer: { [Self.good($0, lifetime: lifetime).bytes] }) {
            resolver, scope, server in
            _ = try await ask(resolver, scope).get()
            _ = try await ask(resolver, scope).get()
            #expect(server.queries.count == count)
        }
    }

    @Test(arguments: kernels) func `equal questions at one time are asked once`(_ kernel: KernelUnderTest) async throws
    {
        try await run(kernel, answer: { [Self.good($0, lifetime: 0).bytes] }) { resolver, scope, server in
            let found = await withTaskGroup(of: Result<DNSAnswer, DNSFailure>.self) { group in
                for _ in 0..<50 { group.addTask { await self.ask(resolver, scope) } }
                var found: [Result<DNSAnswer, DNSFailure>] = []
                for await result in group { found.append(result) }
                return found
            }
            #expect(found.count == 50)
            #expect(found.allSatisfy { $0 == found[0] })
            #expect(found[0].addressCount == 1)
            #expect(server.queries.count == 1)
            #expect(await resolver.questionsAsked == 1)
        }
    }

    @Test(
        arguments: [(1, .format), (2, .server), (3, .notFound), (4, .unimplemented), (5, .refused)]
            as [(UInt8, DNSFailure)])
    func `what a server answers instead`(_ code: UInt8, _ failure: DNSFailure) async throws {
        try await run(
            .epoll,
            answer: { query in
                var reply = query.reply
                reply.responseCode = code
                return [reply.bytes]
            }
        ) { resolver, scope, server in
            #expect(await ask(resolver, scope) == .failure(failure))
            // A failure is not kept.
            let asked = server.queries.count
            #expect(await ask(resolver, scope) == .failure(failure))
            #expect(server.queries.count > asked)
        }
    }

    @Test(arguments: [2, 4, 5] as [UInt8]) func `a server's own failure leads to the next, once each`(_ code: UInt8)
        async throws
    {
        @Sendable func failing(_ query: ScriptedNameServer.Query) -> [[UInt8]] {
            var reply = query.reply
            reply.responseCode = code
            return [reply.bytes]
        }
        let servers = [
            try ScriptedNameServer(failing), try ScriptedNameServer(failing),
            try ScriptedNameServer { [Self.good($0).bytes] },
        ]
        defer { servers.forEach { $0.stop() } }
        try await run(.epoll, servers.map(\.address)) { resolver, scope in
            for number in 0..<3 {
                #expect(await self.ask(resolver, scope, DNSQuestion("h\(number).example", .ipv4)).addressCount == 1)
            }
        }
        try await run(.epoll, servers.prefix(2).map(\.address)) { resolver, scope in
            let before = servers.prefix(2).map(\.queries.count)
            guard case .failure = await self.ask(resolver, scope) else {
                Issue.record("both servers fail")
                return
            }
            #expect(servers.prefix(2).map(\.queries.count) == before.map { $0 + 1 })
        }
    }

    @Test(arguments: kernels) func `no records are no such host`(_ kernel: KernelUnderTest) async throws {
        try await run(kernel, answer: { [$0.reply.bytes] }) { resolver, scope, _ in
            #expect(await ask(resolver, scope) == .failure(.notFound))
        }
    }

    @Test(arguments: kernels) func `wrong ids, other questions and rubbish are not listened to`(
        _ kernel: KernelUnderTest
    ) async throws {
        try await run(
            kernel,
            answer: { query in
                var evil = Self.good(query)
                evil.records = [DNSReply.Record(query.name, 1, [203, 0, 113, 66])]
                var wrongID = evil
                wrongID.id = query.id ^ 1
                var wrongName = evil
                wrongName.name = "other.example"
                var wrongKind = evil
                wrongKind.kind = 28
                let rubbish: [[UInt8]] = [
                    [], [0], [UInt8](repeating: 0xFF, count: 11), [UInt8](repeating: 0xC0, count: 100),
                ]
                return rubbish + [wrongID, wrongName, wrongKind, Self.good(query)].map(\.bytes)
            }
        ) { resolver, scope, _ in
            let found = try await ask(resolver, scope).get()
            #expect(found.addresses.map(\.hostText) == ["192.0.2.1"])
        }
    }

    @Test(arguments: kernels) func `an answer from another source is not listened to`(_ kernel: KernelUnderTest)
        async throws
    {
        try await run(
            kernel,
            answer: { query in
                var forged = Self.good(query)
                forged.records = [DNSReply.Record(query.name, 1, [203, 0, 113, 66])]
                ScriptedNameServer.forge(forged.bytes, to: query.port)
                return [Self.good(query).bytes]
            }
        ) { resolver, scope, _ in
            let found = try await ask(resolver, scope).get()
            #expect(found.addresses.map(\.hostText) == ["192.0.2.1"])
        }
    }

    @Test(arguments: kernels) func `a malformed answer is a format error`(_ kernel: KernelUnderTest) async throws {
        try await run(
            kernel,
            answer: { query in
                var reply = Self.good(query)
                reply.records[0].name = [0xC0, UInt8(query.reply.bytes.count)]
                return [reply.bytes]
            }
        ) { resolver, scope, _ in
            #expect(await ask(resolver, scope) == .failure(.format))
        }
    }

    @Test(arguments: kernels) func `a slow server costs each asker its own time only, and serves the next`(
        _ kernel: KernelUnderTest
    ) async throws {
        let mayAnswer = Mutex(false)
        try await run(
            kernel,
            answer: { query in
                while !mayAnswer.withLock({ $0 }) { _ = poll(nil, 0, 5) }
                return [Self.good(query).bytes]
            }
        ) { resolver, scope, server in
            #expect(await ask(resolver, scope, within: .milliseconds(50)) == .failure(.timedOut))
            async let patient = ask(resolver, scope)
            #expect(await ask(resolver, scope, within: .milliseconds(30)) == .failure(.timedOut))
            mayAnswer.withLock { $0 = true }
            #expect(await patient.addressCount == 1)
            #expect(await ask(resolver, scope, within: .zero).addressCount == 1)
            #expect(await resolver.questionsAsked == 1)
        }
    }

    @Test(arguments: kernels) func `a truncated or oversized datagram leads to TCP`(_ kernel: KernelUnderTest)
        async throws
    {
        for isOversized in [false, true] {
            try await run(
                kernel,
                answer: { query in
                    guard !query.isOverTCP else { return [Self.good(query).bytes] }
                    var reply = query.reply
                    reply.isTruncated = !isOversized
                    if isOversized { reply.records = (0..<40).map { DNSReply.Record(query.name, 1, [10, 0, 0, $0]) } }
                    return [reply.bytes]
                }
            ) { resolver, scope, server in
                let found = try await ask(resolver, scope).get()
                #expect(found.addresses.map(\.hostText) == ["192.0.2.2"])
                #expect(server.queries.map(\.isOverTCP) == [false, true])
            }
        }
    }

    @Test(arguments: kernels) func `a server that nobody runs is given up for the next`(_ kernel: KernelUnderTest)
        async throws
    {
        let gone = try ListeningSocket(on: .ipv4(.loopback, port: 0))
        gone.close()
        let server = try ScriptedNameServer { [Self.good($0).bytes] }
        defer { server.stop() }
        try await run(kernel, [gone.address, server.address]) { resolver, scope in
            for number in 0..<4 {
                let question = DNSQuestion("h\(number).example", .ipv4)
                #expect(await self.ask(resolver, scope, question).addressCount == 1)
            }
        }
        try await run(kernel, [gone.address]) { resolver, scope in
            #expect(await self.ask(resolver, scope) == .failure(.timedOut))
        }
    }

    @Test(arguments: kernels) func `servers are asked in turns`(_ kernel: KernelUnderTest) async throws {
        let one = try ScriptedNameServer { [Self.good($0).bytes] }
        let two = try ScriptedNameServer { [Self.good($0).bytes] }
        defer {
            one.stop()
            two.stop()
        }
        try await run(kernel, [one.address, two.address]) { resolver, scope in
            for number in 0..<10 {
                _ = try await self.ask(resolver, scope, DNSQuestion("h\(number).example", .ipv4)).get()
            }
        }
        #expect(one.queries.count == 5)
        #expect(two.queries.count == 5)
    }

    @Test(arguments: kernels) func `cancelling ends one asker, closing all`(_ kernel: KernelUnderTest) async throws {
        try await run(kernel, answer: { _ in [] }) { resolver, scope, server in
            let mine = CancellationScope(on: scope.executor)
            async let cancelled = ask(resolver, mine)
            async let closed = ask(resolver, scope)
            while server.queries.isEmpty {
                try await scope.executor.sleep(until: scope.executor.now + .milliseconds(5), scope: nil)
            }
            mine.cancel()
            #expect(await cancelled == .failure(.cancelled))
            #expect(await ask(resolver, mine) == .failure(.cancelled))
            await resolver.close()
            #expect(await closed == .failure(.cancelled))
            #expect(await ask(resolver, scope) == .failure(.cancelled))
        }
    }

    @Test(arguments: kernels) func `a resolver that nobody closes leaves nothing behind once it is answered`(
        _ kernel: KernelUnderTest
    ) async throws {
        let server = try ScriptedNameServer { [Self.good($0).bytes] }
        defer { server.stop() }
        try await KernelTests.run(kernel) { executor in
            let scope = CancellationScope(on: executor)
            do {
                let resolver = Resolver(ResolverSettings(servers: [server.address]), on: executor)
                #expect(await self.ask(resolver, scope).addressCount == 1)
            }
            let deadline = executor.now + .seconds(5)
            while executor.operationsInUse > 0, executor.now < deadline {
                try await executor.sleep(until: executor.now + .milliseconds(10), scope: nil)
            }
        }
    }

    @Test(arguments: kernels) func `so many questions at once and no more`(_ kernel: KernelUnderTest) async throws {
        try await run(kernel, answer: { _ in [] }) { resolver, scope, _ in
            let failures = await withTaskGroup(of: Result<DNSAnswer, DNSFailure>.self) { group in
                for number in 0...Resolver.questionsMaximum {
                    group.addTask {
                        await self.ask(
                            resolver, scope, DNSQuestion("h\(number).example", .ipv4), within: .milliseconds(100))
                    }
                }
                var failures: [DNSFailure: Int] = [:]
                for await result in group {
                    if case .failure(let failure) = result { failures[failure, default: 0] += 1 }
                }
                return failures
            }
            #expect(failures == [.timedOut: Resolver.questionsMaximum, .overloaded: 1])
        }
    }

    @Test(
        arguments: [(true, true, [1, 28]), (true, false, [1]), (false, true, [28])] as [(Bool, Bool, [UInt16])])
    func `a host's addresses are of the families wanted`(_ ipv4: Bool, _ ipv6: Bool, _ kinds: [UInt16]) async throws {
        let server = try ScriptedNameServer { [Self.good($0, lifetime: $0.kind == 1 ? 30 : 60).bytes] }
        defer { server.stop() }
        try await run(
            .epoll, [server.address],
            change: { settings in
                settings.usesIPv4 = ipv4
                settings.usesIPv6 = ipv6
            }
        ) { resolver, scope in
            for _ in 0..<2 {
                let found = try await resolver.answer(
                    ofHost: "mx.example", deadline: scope.executor.now + .seconds(10), scope: scope)
                #expect(found.addresses.count == kinds.count)
                #expect(found.lifetime == .seconds(ipv4 ? 30 : 60))
            }
        }
        #expect(server.queries.map(\.kind).sorted() == kinds)
    }

    @Test func `one family is enough, and a name is not there only if both say so`() async throws {
        for (codes, expected) in [([3, 3], .notFound), ([3, 2], .server), ([2, 3], .server)] as [([UInt8], DNSFailure)]
        {
            try await run(
                .epoll,
                answer: { query in
                    var reply = query.reply
                    reply.responseCode = codes[query.kind == 1 ? 0 : 1]
                    return [reply.bytes]
                }
            ) { resolver, scope, _ in
                await #expect(throws: expected) {
                    try await resolver.answer(
                        ofHost: "mx.example", deadline: scope.executor.now + .seconds(10), scope: scope)
                }
            }
        }
        try await run(.epoll, answer: { [$0.kind == 1 ? $0.reply.bytes : Self.good($0).bytes] }) { resolver, scope, _ in
            let found = try await resolver.answer(
                ofHost: "mx.example", deadline: scope.executor.now + .seconds(10), scope: scope)
            #expect(found.addresses.map(\.hostText) == ["::1"])
        }
    }
}

extension Result where Success == DNSAnswer {
    /// How many addresses were found; -1 for a failure.
    fileprivate var addressCount: Int {
        if case .success(let answer) = self { return answer.addresses.count }
        return -1
    }
}
