import AsyncIO
import Foundation
import Glibc
import Synchronization

/// A name server on loopback, over UDP and TCP, that says whatever a test wants.
package final class ScriptedNameServer: Sendable {
    /// A question as it arrived.
    package struct Query: Sendable {
        package let id: UInt16
        package let name: String
        package let kind: UInt16
        package let isOverTCP: Bool
        /// Counted from 1.
        package let number: Int
        /// The asker's port on loopback; 0 over TCP.
        package let port: UInt16

        /// A reply to it without records.
        package var reply: DNSReply { DNSReply(id: id, name, kind) }
    }

    package let address: SocketAddress
    private let datagrams: Int32
    private let listener: Int32
    private let log = Mutex<[Query]>([])
    private let isStopped = Mutex(false)
    private let answer: @Sendable (Query) -> [[UInt8]]

    /// - Parameter answer: the messages to send, in that order.
    package init(_ answer: @escaping @Sendable (Query) -> [[UInt8]]) throws {
        let (stream, datagrams) = try ScriptedNameServer.sockets()
        listener = stream.descriptor
        address = stream.address
        self.datagrams = datagrams
        self.answer = answer
        let thread = Thread { self.serve() }
        thread.start()
    }

    /// Both on one port: the first that the system gives for TCP and that no other test's question has for UDP.
    private static func sockets() throws -> (stream: ListeningSocket, datagrams: Int32) {
        for _ in 0..<16 {
            let stream = try ListeningSocket(on: .ipv4(.loopback, port: 0))
            let datagrams = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
            var name = sockaddr_in()
            name.sin_family = sa_family_t(AF_INET)
            name.sin_port = stream.address.port.bigEndian
            name.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
            let status = unsafe withUnsafePointer(to: name) { pointer in
                unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    unsafe bind(datagrams, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
            if status == 0 { return (stream, datagrams) }
            close(datagrams)
            close(stream.descriptor)
        }
        throw IOError.last(.bind)
    }

    deinit {
        close(datagrams)
        close(listener)
    }

    /// Everything asked so far.
    package var queries: [Query] { log.withLock { $0 } }

    /// Ends the thread, soon.
    package func stop() { isStopped.withLock { $0 = true } }

    private func serve() {
        while !isStopped.withLock({ $0 }) {
            var entries = [
                pollfd(fd: datagrams, events: Int16(POLLIN), revents: 0),
                pollfd(fd: listener, events: Int16(POLLIN), revents: 0),
            ]
            guard unsafe poll(&entries, 2, 20) > 0 else { continue }
            if entries[0].revents != 0 { serveDatagram() }
            if entries[1].revents != 0 { serveStream() }
        }
    }

    /// Sends `message` to a port on loopback from a socket that is no server's.
    package static func forge(_ message: [UInt8], to port: UInt16) {
        let forger = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
        defer { close(forger) }
        var target = sockaddr_in()
        target.sin_family = sa_family_t(AF_INET)
        target.sin_port = port.bigEndian
        target.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        _ = unsafe withUnsafePointer(to: target) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe sendto(forger, message, message.count, 0, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }

    private func serveDatagram() {
        var bytes = [UInt8](repeating: 0, count: 4096)
        var peer = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let count = unsafe withUnsafeMutablePointer(to: &peer) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe recvfrom(datagrams, &bytes, bytes.count, 0, $0, &length)
            }
        }
        let port = UInt16(bigEndian: peer.sin_port)
        guard let query = note(Array(bytes.prefix(max(0, count))), isOverTCP: false, port) else { return }
        for message in answer(query) {
            _ = unsafe withUnsafePointer(to: peer) { pointer in
                unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    unsafe sendto(datagrams, message, message.count, 0, $0, length)
                }
            }
        }
    }

    /// Answers the first question of a connection, and closes it.
    private func serveStream() {
        let connection = accept(listener, nil, nil)
        guard connection >= 0 else { return }
        defer { close(connection) }
        var prefix = [UInt8](repeating: 0, count: 2)
        guard unsafe recv(connection, &prefix, 2, Int32(MSG_WAITALL)) == 2 else { return }
        var bytes = [UInt8](repeating: 0, count: Int(prefix[0]) << 8 | Int(prefix[1]))
        guard unsafe recv(connection, &bytes, bytes.count, Int32(MSG_WAITALL)) == bytes.count,
            let query = note(bytes, isOverTCP: true, 0)
        else { return }
        for message in answer(query) {
            let framed = [UInt8(message.count >> 8), UInt8(message.count & 0xFF)] + message
            _ = unsafe send(connection, framed, framed.count, Int32(MSG_NOSIGNAL))
        }
        // Until the other side has read it all.
        _ = unsafe recv(connection, &prefix, 2, 0)
    }

    private func note(_ bytes: [UInt8], isOverTCP: Bool, _ port: UInt16) -> Query? {
        guard bytes.count > 12 else { return nil }
        var labels: [String] = []
        var offset = 12
        while offset < bytes.count, bytes[offset] != 0 {
            let end = min(bytes.count, offset + 1 + Int(bytes[offset]))
            labels.append(String(decoding: bytes[offset + 1..<end], as: UTF8.self))
            offset = end
        }
        guard offset + 2 < bytes.count else { return nil }
        return log.withLock { log in
            let query = Query(
                id: UInt16(bytes[0]) << 8 | UInt16(bytes[1]), name: labels.joined(separator: "."),
                kind: UInt16(bytes[offset + 1]) << 8 | UInt16(bytes[offset + 2]), isOverTCP: isOverTCP,
                number: log.count + 1, port: port)
            log.append(query)
            return query
        }
    }
}
