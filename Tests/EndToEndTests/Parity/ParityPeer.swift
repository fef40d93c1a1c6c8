import Glibc

/// A connection of the Parity director: what came over it, and whether the other side has ended it.
final class ParityPeer {
    let descriptor: Int32
    private(set) var received: [UInt8] = []
    private(set) var hasEnded = false

    /// Takes an open connection over.
    init(_ descriptor: Int32) {
        self.descriptor = descriptor
        var one: Int32 = 1
        unsafe setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
    }

    /// Connects from the endpoint's own address, so that both ends are told apart by nothing but their ports.
    convenience init(connectingTo endpoint: Endpoint) throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        let source = Endpoint(host: endpoint.host, port: 0)
        guard unsafe source.withSocketAddress({ unsafe bind(descriptor, $0, $1) }) == 0,
            unsafe endpoint.withSocketAddress({ unsafe connect(descriptor, $0, $1) }) == 0
        else {
            let failure = SystemError("connect \(endpoint)")
            Glibc.close(descriptor)
            throw failure
        }
        self.init(descriptor)
    }

    deinit { Glibc.close(descriptor) }

    func send(_ bytes: [UInt8]) {
        // A peer that has gone shows in what is received.
        _ = unsafe Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
    }

    func finishSending() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// Reads what has come; called when there is something.
    func receive() {
        var chunk = [UInt8](repeating: 0, count: 65536)
        let count = unsafe recv(descriptor, &chunk, chunk.count, Int32(MSG_DONTWAIT))
        if count > 0 {
            received += chunk[..<count]
        } else if count == 0 || errno != EAGAIN {
            hasEnded = true
        }
    }
}

/// A socket of the Parity director that others connect to.
final class ParityListener {
    let endpoint: Endpoint
    let descriptor: Int32

    init(host: String) throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        guard unsafe Endpoint(host: host, port: 0).withSocketAddress({ unsafe bind(descriptor, $0, $1) }) == 0,
            listen(descriptor, 64) == 0,
            unsafe withUnsafeMutablePointer(
                to: &address,
                { pointer in
                    unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                        unsafe getsockname(descriptor, $0, &length)
                    }
                }) == 0
        else {
            let failure = SystemError("listen on \(host)")
            close(descriptor)
            throw failure
        }
        self.descriptor = descriptor
        endpoint = Endpoint(host: host, port: UInt16(bigEndian: address.sin_port))
    }

    deinit { close(descriptor) }

    /// The next connection; called when there is one.
    func accept() -> ParityPeer? {
        let connection = Glibc.accept(descriptor, nil, nil)
        return connection < 0 ? nil : ParityPeer(connection)
    }
}
