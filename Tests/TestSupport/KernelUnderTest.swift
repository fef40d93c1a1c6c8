@testable import AsyncIO

/// Every kernel that one suite runs on, older ones by masking what they lack.
package enum KernelUnderTest: Sendable, CaseIterable {
    case ring
    /// Debian 12's own 6.1 kernel: no receive bundles.
    case ringWithoutBundles
    /// As old as a ring of ours can be.
    case ringWithoutMultishot
    case epoll
    case epollWithoutBundles
    /// Bulk through lent buffers.
    case ringWithoutSplice
    case epollWithoutSplice
    case simulation

    private var features: KernelFeatures {
        switch self {
        case .ring, .epoll, .simulation: .all
        case .ringWithoutBundles, .epollWithoutBundles: KernelFeatures.all.subtracting([.bundles, .splice])
        case .ringWithoutSplice, .epollWithoutSplice: KernelFeatures.all.subtracting(.splice)
        case .ringWithoutMultishot: []
        }
    }

    /// Makes the kernel for the calling thread, with `count` lent buffers of `size` bytes.
    package func make(buffers count: Int = 64, size: Int = 4096, seed: UInt64 = 1) throws -> any Kernel {
        let pool = BufferPool(count: count, size: size)
        switch self {
        case .ring, .ringWithoutBundles, .ringWithoutMultishot, .ringWithoutSplice:
            return try Ring(buffers: pool, features: features)
        case .epoll, .epollWithoutBundles, .epollWithoutSplice:
            return try Epoll(buffers: pool, features: features)
        case .simulation:
            return SimulatedKernel(seed: seed, features: features, buffers: pool)
        }
    }

    /// The real ones only: for what a simulation has not got (threads, signals, processes).
    package static let real: [KernelUnderTest] = allCases.filter { $0 != .simulation }
}

extension RingExecutor {
    /// A listening descriptor at a fresh loopback address of whichever kernel this is.
    package func listen() throws -> (descriptor: Int32, address: SocketAddress) {
        if let simulated = kernel as? SimulatedKernel { return simulated.listen() }
        let listener = try ListeningSocket(on: .ipv4(.loopback, port: 0))
        return (listener.descriptor, listener.address)
    }

    /// Two connected sockets of `scope`.
    package func connectedPair(in scope: CancellationScope) async throws -> (Socket, Socket) {
        let (descriptor, address) = try listen()
        defer { kernel.close(descriptor) }
        let acceptScope = CancellationScope(on: self)
        let acceptor = Acceptor(listening: descriptor, scope: acceptScope)
        let near = try await Dialer.connect(to: address, deadline: .never, scope: scope)
        let far = Socket(adopting: try await acceptor.next()[0], scope: scope)
        acceptScope.cancel()
        do { _ = try await acceptor.next() } catch IOError.cancelled {}
        return (near, far)
    }
}
