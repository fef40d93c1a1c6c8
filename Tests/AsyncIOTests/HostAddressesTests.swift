import Synchronization
import TestSupport
import Testing

@testable import AsyncIO

/// Addresses of a host name that change while the process runs.
@Suite struct HostAddressesTests {
    private static let known = [SocketAddress.ipv4(IPv4Address(192, 0, 2, 1), port: 80)]
    private static let found = [SocketAddress.ipv4(IPv4Address(192, 0, 2, 2), port: 0), .ipv6(.loopback, port: 0)]

    /// Asks until `isEnough`, which must come true.
    private func ask(
        _ host: HostAddresses, _ scope: CancellationScope,
        until isEnough: ((addresses: [SocketAddress], failure: DNSFailure?)) -> Bool
    ) async throws -> (addresses: [SocketAddress], failure: DNSFailure?) {
        let deadline = scope.executor.now + .seconds(5)
        while true {
            let answer = await host.current(in: scope)
            if isEnough(answer) || scope.executor.now > deadline { return answer }
            try await scope.executor.sleep(until: scope.executor.now + .milliseconds(5), scope: nil)
        }
    }

    @Test func `the first to ask gets what is known, those behind it what the system found`() async throws {
        let asked = Mutex<[String]>([])
        let result = Mutex<Result<[SocketAddress], DNSFailure>>(.success(Self.found))
        let pool = BlockingPool(threads: 1, queueMaximum: 4)
        try await KernelTests.run(.epoll) { executor in
            let scope = CancellationScope(on: executor)
            let source = HostAddresses.Source.blocking(pool) { name in
                asked.withLock { $0.append(name) }
                return result.withLock { $0 }
            }
            let host = HostAddresses(of: "auth.example", port: 80, knownAs: Self.known, from: source, on: executor)
            #expect(await host.current(in: scope).addresses == Self.known)
            let later = try await self.ask(host, scope) { $0.addresses != Self.known }
            #expect(later.addresses.map(\.description) == ["192.0.2.2:80", "[::1]:80"])
            #expect(later.failure == nil)
            // They count for a while.
            for _ in 0..<10 { _ = await host.current(in: scope) }
            #expect(asked.withLock { $0 } == ["auth.example"])
        }
    }

    @Test func `a failure takes nothing away, and is told once`() async throws {
        let pool = BlockingPool(threads: 1, queueMaximum: 4)
        try await KernelTests.run(.epoll) { executor in
            let scope = CancellationScope(on: executor)
            let host = HostAddresses(
                of: "auth.example", port: 80, knownAs: Self.known, from: .blocking(pool) { _ in .failure(.notFound) },
                on: executor)
            let answer = try await self.ask(host, scope) { $0.failure != nil }
            #expect(answer.failure == .notFound)
            #expect(answer.addresses == Self.known)
            #expect(await host.current(in: scope).failure == nil)
        }
    }

    @Test func `a full pool is a failure like others`() async throws {
        let pool = BlockingPool(threads: 1, queueMaximum: 0)
        try await KernelTests.run(.epoll) { executor in
            let scope = CancellationScope(on: executor)
            let host = HostAddresses(
                of: "auth.example", port: 80, knownAs: Self.known, from: .blocking(pool) { _ in .success(Self.found) },
                on: executor)
            let answer = await host.current(in: scope)
            #expect(answer.failure == .overloaded)
            #expect(answer.addresses == Self.known)
        }
    }

    @Test(arguments: ResolverTests.kernels) func `through name servers, the first to ask waits a little`(
        _ kernel: KernelUnderTest
    ) async throws {
        let server = try ScriptedNameServer { query in
            guard query.kind == 1 else { return [query.reply.bytes] }
            var reply = query.reply
            reply.records = [DNSReply.Record(query.name, 1, [192, 0, 2, 2])]
            return [reply.bytes]
        }
        defer { server.stop() }
        try await KernelTests.run(kernel) { executor in
            let scope = CancellationScope(on: executor)
            let resolver = Resolver(ResolverSettings(servers: [server.address]), on: executor)
            let host = HostAddresses(
                of: "auth.example", port: 80, knownAs: Self.known, from: .resolver(resolver, timeout: .seconds(30)),
                on: executor)
            for _ in 0..<3 {
                #expect(await host.current(in: scope).addresses.map(\.description) == ["192.0.2.2:80"])
            }
            await resolver.close()
        }
        #expect(server.queries.map(\.kind).sorted() == [1, 28])
    }

    @Test(arguments: ResolverTests.kernels) func `a name server that is silent delays nobody for long`(
        _ kernel: KernelUnderTest
    ) async throws {
        let server = try ScriptedNameServer { _ in [] }
        defer { server.stop() }
        try await KernelTests.run(kernel) { executor in
            let scope = CancellationScope(on: executor)
            let resolver = Resolver(ResolverSettings(servers: [server.address]), on: executor)
            let host = HostAddresses(
                of: "auth.example", port: 80, knownAs: Self.known,
                from: .resolver(resolver, timeout: .milliseconds(50)),
                on: executor)
            let answer = await host.current(in: scope)
            #expect(answer.failure == .timedOut)
            #expect(answer.addresses == Self.known)
            await resolver.close()
        }
    }
}
