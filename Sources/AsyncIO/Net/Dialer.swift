/// Opens connections.
package enum Dialer {
    /// Connects to `address` before `deadline`; the socket belongs to `scope`.
    package static func connect(
        to address: SocketAddress, deadline: Instant, scope: CancellationScope
    ) async throws(IOError) -> Socket {
        let executor = scope.executor
        let socket = Socket(adopting: try executor.kernel.openSocket(for: address), scope: scope)
        let completion = await executor.perform(
            .connect, on: socket.descriptor, deadline: deadline, scope: scope
        ) { $0.address = KernelAddress(address) }
        _ = try completion.value(of: .connect)
        return socket
    }
}
