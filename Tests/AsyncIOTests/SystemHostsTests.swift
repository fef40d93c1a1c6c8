import Glibc
import Synchronization
import TestSupport
import Testing

@testable import AsyncIO

/// The machine's own resolver, off the ring.
@Suite struct SystemHostsTests {
    private static let found = [SocketAddress.ipv4(IPv4Address(192, 0, 2, 2), port: 0), .ipv6(.loopback, port: 0)]

    @Test func `a name is asked once, however many ask for it, and remembered`() async throws {
        let asked = Mutex<[String]>([])
        let pool = BlockingPool(threads: 2, queueMaximum: 8)
        try await KernelTests.run(.epoll) { executor in
            let scope = CancellationScope(on: executor)
            let hosts = SystemHosts(on: executor, pool: pool) { name in
                asked.withLock { $0.append(name) }
                return .success(Self.found)
            }
            await withTaskGroup(of: [SocketAddress].self) { group in
                for name in ["mail.example", "MAIL.example."] {
                    group.addTask {
                        do throws(DNSFailure) {
                            return try await hosts.answer(ofHost: name, deadline: .never, scope: scope).addresses
                        } catch {
                            return []
                        }
                    }
                }
                for await addresses in group { #expect(addresses == Self.found) }
            }
            let later = try await hosts.answer(ofHost: "mail.example", deadline: .never, scope: scope)
            #expect(later.addresses == Self.found)
            #expect(asked.withLock { $0 } == ["mail.example"])
        }
    }

    @Test func `failures are told and not remembered`() async throws {
        let count = Mutex(0)
        let pool = BlockingPool(threads: 1, queueMaximum: 8)
        try await KernelTests.run(.epoll) { executor in
            let scope = CancellationScope(on: executor)
            let hosts = SystemHosts(on: executor, pool: pool) { _ in
                count.withLock { $0 += 1 }
                return .failure(.notFound)
            }
            for _ in 0..<2 {
                await #expect(throws: DNSFailure.notFound) {
                    try await hosts.answer(ofHost: "mail.example", deadline: .never, scope: scope)
                }
            }
            #expect(count.withLock { $0 } == 2)
        }
    }

    @Test func `whoever gives up does not end the question, and a full pool refuses`() async throws {
        let (gate, isAtWork) = (Lock(false), Lock(false))
        let pool = BlockingPool(threads: 1, queueMaximum: 1)
        let isOpen: @Sendable () -> Bool = { gate.withLock { $0 } }
        try await KernelTests.run(.epoll) { executor in
            let scope = CancellationScope(on: executor)
            let hosts = SystemHosts(on: executor, pool: pool) { name in
                while name == "slow.example", !isOpen() {
                    isAtWork.withLock { $0 = true }
                    sched_yield()
                }
                return .success(Self.found)
            }
            await #expect(throws: DNSFailure.timedOut) {
                let deadline = executor.now + .milliseconds(20)
                return try await hosts.answer(ofHost: "slow.example", deadline: deadline, scope: scope)
            }
            while !isAtWork.withLock({ $0 }) {
                try await executor.sleep(until: executor.now + .milliseconds(1), scope: scope)
            }
            // One is at work, one may wait, the third is one too many.
            await #expect(throws: DNSFailure.timedOut) {
                let deadline = executor.now + .milliseconds(20)
                return try await hosts.answer(ofHost: "second.example", deadline: deadline, scope: scope)
            }
            await #expect(throws: DNSFailure.overloaded) {
                try await hosts.answer(ofHost: "third.example", deadline: .never, scope: scope)
            }
            gate.withLock { $0 = true }
            let late = try await hosts.answer(ofHost: "slow.example", deadline: .never, scope: scope)
            #expect(late.addresses == Self.found)
        }
    }
}
