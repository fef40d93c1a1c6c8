import CLinux
import Glibc
import TestSupport
import Testing

@testable import AsyncIO

/// Connections within the machine are made without the system's congestion control, all others with it (decision 0009).
@Suite struct CongestionControlTests {
    @Test("a connection to a loopback address has the plain one, at both ends where the listener is bound to one")
    func withinTheMachine() async throws {
        try await KernelTests.run(.ring) { executor in
            let scope = CancellationScope(on: executor)
            let (near, far) = try await executor.connectedPair(in: scope)
            #expect(Self.name(on: near.descriptor) == "reno")
            #expect(Self.name(on: far.descriptor) == "reno")
        }
    }

    @Test("a listener for everybody leaves its clients what the system has")
    func fromAnywhere() async throws {
        let listener = try ListeningSocket(on: .ipv4(.any, port: 0))
        defer { listener.close() }
        try await KernelTests.run(.ring) { executor in
            let scope = CancellationScope(on: executor)
            let acceptScope = CancellationScope(on: executor)
            let acceptor = Acceptor(listening: listener.descriptor, scope: acceptScope)
            let near = try await Dialer.connect(
                to: .ipv4(.loopback, port: listener.address.port), deadline: .never, scope: scope)
            let far = Socket(adopting: try await acceptor.next()[0], scope: scope)
            let fresh = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            #expect(Self.name(on: far.descriptor) == Self.name(on: fresh))
            _ = Glibc.close(fresh)
            acceptScope.cancel()
            await #expect(throws: IOError.cancelled) { try await acceptor.next() }
            withExtendedLifetime(near) {}
        }
    }

    @Test("only peers on other machines are asked whether they are still there")
    func keepAlive() async throws {
        try await KernelTests.run(.ring) { executor in
            let kernel = executor.kernel
            let addresses: [(SocketAddress, Int32)] = [
                (.ipv4(.loopback, port: 143), 0), (.ipv4(IPv4Address(192, 0, 2, 1), port: 143), 1),
            ]
            for (address, expected) in addresses {
                let descriptor = try kernel.openSocket(for: address)
                defer { kernel.close(descriptor) }
                kernel.prepareStream(descriptor, towards: address)
                var (isOn, length) = (Int32(-1), socklen_t(MemoryLayout<Int32>.size))
                #expect(unsafe getsockopt(descriptor, SOL_SOCKET, SO_KEEPALIVE, &isOn, &length) == 0)
                #expect(isOn == expected, "towards \(address)")
            }
        }
    }

    /// The congestion control of a TCP socket, by its name.
    private static func name(on descriptor: Int32) -> String? {
        var name = [UInt8](repeating: 0, count: 16)
        var length = socklen_t(name.count)
        guard unsafe getsockopt(descriptor, Int32(IPPROTO_TCP), TCP_CONGESTION, &name, &length) == 0 else { return nil }
        return String(decoding: name.prefix { $0 != 0 }, as: UTF8.self)
    }
}
