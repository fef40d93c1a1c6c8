import Glibc

/// An IPv4 address and port on loopback.
struct Endpoint: Hashable, CustomStringConvertible {
    let host: String
    let port: UInt16

    var description: String { "\(host):\(port)" }

    /// Whether somebody accepts connections here now.
    var acceptsConnections: Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        defer { close(descriptor) }
        return unsafe withSocketAddress { unsafe connect(descriptor, $0, $1) } == 0
    }

    /// Calls `body` with the address as the socket calls want it.
    func withSocketAddress<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        unsafe inet_pton(AF_INET, host, &address.sin_addr)
        return unsafe withUnsafePointer(to: address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }
}

/// A socket that is bound to an endpoint and listens; the kernel chose the port.
final class BoundSocket {
    let endpoint: Endpoint
    private let descriptor: Int32

    init(host: String, port: UInt16 = 0) throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        let wanted = Endpoint(host: host, port: port)
        let bound = unsafe wanted.withSocketAddress { unsafe bind(descriptor, $0, $1) }
        guard bound == 0, listen(descriptor, 16) == 0 else {
            close(descriptor)
            throw SystemError("bind \(host)")
        }
        var address = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        _ = unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe getsockname(descriptor, $0, &length)
            }
        }
        self.descriptor = descriptor
        endpoint = Endpoint(host: host, port: UInt16(bigEndian: address.sin_port))
    }

    deinit { close(descriptor) }
}

/// Hands out free ports on a loopback address of its own.
///
/// A server that takes its port from a configuration file must be told one before it can bind it.
/// On an address that nobody else uses, nobody else takes the port in between.
struct FreePorts {
    let host: String
    private var given: Set<UInt16> = []

    init() {
        host = "127.\(Int.random(in: 1...254)).\(Int.random(in: 0...254)).\(Int.random(in: 1...254))"
    }

    /// A port that is free on all addresses. Those that the kernel gives out are in use on some address of
    /// some test, so it comes from below them.
    static func onAllAddresses() throws -> Endpoint {
        for _ in 0..<50 {
            do { return try BoundSocket(host: "0.0.0.0", port: UInt16.random(in: 10000...30000)).endpoint } catch {
                // Taken; another one then.
            }
        }
        throw TimedOut(description: "no port is free on all addresses")
    }

    mutating func next() throws -> Endpoint {
        while true {
            let endpoint = try BoundSocket(host: host).endpoint
            if given.insert(endpoint.port).inserted { return endpoint }
        }
    }
}
