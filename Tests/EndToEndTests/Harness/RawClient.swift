import Glibc

/// A TCP client that says exactly the bytes a test wants, and reads lines with a deadline.
final class RawClient {
    private let descriptor: Int32
    private var received: [UInt8] = []
    private var isOpen = true

    /// The peer ended the connection where a line was expected.
    struct Ended: Error, CustomStringConvertible {
        let rest: String
        var description: String { "connection ended after \"\(rest)\"" }
    }

    init(_ endpoint: Endpoint) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard unsafe endpoint.withSocketAddress({ unsafe connect(descriptor, $0, $1) }) == 0 else {
            let failure = SystemError("connect \(endpoint)")
            Glibc.close(descriptor)
            isOpen = false
            throw failure
        }
        var one: Int32 = 1
        unsafe setsockopt(
            descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
    }

    /// The same over a unix socket.
    init(unix path: String) throws {
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: path.utf8) }
        let length = socklen_t(MemoryLayout<sockaddr_un>.size)
        let status = unsafe withUnsafePointer(to: address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe connect(descriptor, $0, length) }
        }
        guard status == 0 else {
            let failure = SystemError("connect unix:\(path)")
            Glibc.close(descriptor)
            isOpen = false
            throw failure
        }
    }

    deinit { close() }

    /// Sends what fits within the deadline; false when the peer has hung up or takes nothing more.
    @discardableResult
    func send(_ bytes: some Collection<UInt8>, within limit: Duration = .seconds(10)) -> Bool {
        var rest = Array(bytes)
        let deadline = ContinuousClock.now + limit
        while !rest.isEmpty {
            guard isReady(POLLOUT, until: deadline) else { return false }
            let count = unsafe Glibc.send(
                descriptor, rest, rest.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
            if count < 0, errno != EAGAIN { return false }
            rest.removeFirst(max(0, count))
        }
        return true
    }

    /// Sends `text` and CRLF.
    @discardableResult
    func say(_ text: String) -> Bool { send(Array("\(text)\r\n".utf8)) }

    /// The next line, without its CRLF.
    func line(within limit: Duration = .seconds(10)) throws -> String {
        let deadline = ContinuousClock.now + limit
        while true {
            if let end = received.firstIndex(of: UInt8(ascii: "\n")) {
                var line = received[..<end]
                if line.last == UInt8(ascii: "\r") { line.removeLast() }
                let text = String(decoding: line, as: UTF8.self)
                received.removeSubrange(...end)
                return text
            }
            guard try receive(until: deadline) else { throw Ended(rest: String(decoding: received, as: UTF8.self)) }
        }
    }

    /// Lines up to and including the first that satisfies `isLast`.
    func lines(through isLast: (String) -> Bool) throws -> [String] {
        var lines: [String] = []
        repeat { lines.append(try line()) } while !isLast(lines[lines.count - 1])
        return lines
    }

    /// Says `text` and returns the next line.
    func ask(_ text: String) throws -> String {
        say(text)
        return try line()
    }

    /// Everything up to the end of the connection, orderly or by reset.
    func untilEnd(within limit: Duration = .seconds(10)) throws -> String {
        let deadline = ContinuousClock.now + limit
        while try receive(until: deadline) {}
        defer { received = [] }
        return String(decoding: received, as: UTF8.self)
    }

    /// Whether the peer has ended the connection by now; bytes that came first are kept.
    func hasEnded(within limit: Duration = .milliseconds(1)) -> Bool {
        do {
            let deadline = ContinuousClock.now + limit
            while try receive(until: deadline) {}
            return true
        } catch {
            // No end within the limit: that is the answer.
            return false
        }
    }

    /// Says that nothing more will come, and goes on reading.
    func finishSending() { shutdown(descriptor, Int32(SHUT_WR)) }

    func close() {
        guard isOpen else { return }
        isOpen = false
        Glibc.close(descriptor)
    }

    /// Ends the connection with a reset.
    func reset() {
        var lingering = linger(l_onoff: 1, l_linger: 0)
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &lingering, socklen_t(MemoryLayout<linger>.size))
        close()
    }

    /// Reads once; false at the end of the connection.
    private func receive(until deadline: ContinuousClock.Instant) throws -> Bool {
        guard isReady(POLLIN, until: deadline) else {
            throw TimedOut(description: "no answer; so far: \"\(String(decoding: received, as: UTF8.self))\"")
        }
        var chunk = [UInt8](repeating: 0, count: 65536)
        let count = unsafe recv(descriptor, &chunk, chunk.count, 0)
        guard count > 0 else { return false }
        received += chunk[..<count]
        return true
    }

    private func isReady(_ event: Int32, until deadline: ContinuousClock.Instant) -> Bool {
        var entry = pollfd(fd: descriptor, events: Int16(event), revents: 0)
        return unsafe poll(&entry, 1, max(.zero, deadline - .now).milliseconds) > 0
    }
}
