import AsyncIO
import Glibc

/// The listening sockets of a configuration, opened by the master and inherited by every worker.
///
/// A socket lives as long as configurations want it: those of the next one are found by address, so that
/// no client who waits there is lost.
struct BoundSockets: Sendable {
    /// How often a taken address is tried, as in nginx: a process that was killed with requests in
    /// flight at its ring frees its port a little late.
    static let tries = 5
    /// The pause between two tries, in microseconds; the start may block.
    private static let pauseMicroseconds: UInt32 = 100_000

    /// One socket, and the number by which master and workers mean it, which is never given twice.
    struct Numbered: Sendable {
        let serial: Int
        let socket: ListeningSocket
    }

    /// A planned socket with its own one, or with `reuseport` one per worker.
    private struct Entry: Sendable {
        let address: SocketAddress
        let options: ListenOptions
        var sockets: [Numbered]
    }

    private let entries: [Entry]
    private let nextSerial: Int

    /// Opens them all or none, but takes what is there already.
    /// - Parameters:
    ///   - old: the sockets of the configuration before. Those that are wanted again are in both, others
    ///     only there: `close(exceptThoseOf:)`.
    ///   - inherited: what the program before this one listened on; matched by address, the rest is closed.
    init(
        _ planned: [PlannedSocket], workers: Int, keeping old: BoundSockets? = nil, inherited: [ListeningSocket] = [],
        tries: Int = BoundSockets.tries
    ) throws(StartFailure) {
        var serial = old?.nextSerial ?? 0
        var there = Dictionary(grouping: old?.all ?? [], by: \.socket.address)
        for socket in inherited {
            there[socket.address, default: []].append(Numbered(serial: serial, socket: socket))
            serial += 1
        }
        let former = Dictionary(
            (old?.entries ?? []).map { ($0.address, $0.options) }, uniquingKeysWith: { first, _ in first })
        var opened: [ListeningSocket] = []
        var changes: [(socket: ListeningSocket, listen: ListenSettings)] = []
        var entries: [Entry] = []
        do throws(StartFailure) {
            for plan in planned {
                let (address, options) = (plan.listen.address, plan.listen.options)
                let count = options.isReusePort ? workers : 1
                let kept = Array((there.removeValue(forKey: address) ?? []).prefix(count))
                if former[address] != options {
                    changes += kept.map { ($0.socket, plan.listen) }
                    // Others can be opened at its address only once this one says that it shares it.
                    if options.isReusePort { try BoundSockets.make(changes) }
                }
                var entry = Entry(address: address, options: options, sockets: kept)
                for _ in kept.count..<count {
                    let socket = try BoundSockets.open(plan.listen, tries: tries)
                    opened.append(socket)
                    entry.sockets.append(Numbered(serial: serial, socket: socket))
                    serial += 1
                }
                entries.append(entry)
            }
            // Last of all: what fails leaves them as they were.
            try BoundSockets.make(changes)
        } catch {
            opened.forEach { $0.close() }
            throw error
        }
        let wanted = Set(entries.flatMap(\.sockets).map(\.socket.descriptor))
        for socket in inherited where !wanted.contains(socket.descriptor) { socket.closeOnly() }
        self.entries = entries
        nextSerial = serial
    }

    /// All of them.
    var all: [Numbered] { entries.flatMap(\.sockets) }

    /// What the worker with this number, counted from 0, listens on: one per planned socket.
    func sockets(ofWorker number: Int) -> [Numbered] { entries.map { $0.sockets[number % $0.sockets.count] } }

    /// Closes those that `successor` does not have, and removes the files of their addresses unless it
    /// has these; returns the files.
    /// - Parameter areOurs: whether this process closes the descriptors, or the `Supervisor` in it does.
    @discardableResult
    func close(exceptThoseOf successor: BoundSockets? = nil, areOurs: Bool = true, keepingFiles: Bool = false)
        -> [String]
    {
        let kept = Set(successor?.all.map(\.serial) ?? [])
        let addresses = Set(successor?.all.map(\.socket.address) ?? [])
        var removed: [String] = []
        for one in all where !kept.contains(one.serial) {
            if areOurs { one.socket.closeOnly() }
            guard case .unix(let path) = one.socket.address, !addresses.contains(one.socket.address), !keepingFiles
            else { continue }
            one.socket.removeFile()
            removed.append(path)
        }
        return removed
    }

    /// What the administrator should know: whatever the kernel does not have, once.
    var warnings: [String] {
        let lacksMultipath = entries.contains { entry in
            entry.options.isMultipath && entry.sockets.contains { !$0.socket.isMultipath }
        }
        return lacksMultipath ? ["multipath is not supported on this platform, ignored"] : []
    }

    private static func open(_ listen: ListenSettings, tries: Int) throws(StartFailure) -> ListeningSocket {
        do throws(IOError) {
            return try ListeningSocket(on: listen.address, options: ListeningSocket.Options(listen.options))
        } catch {
            guard case .system(let call, let code) = error else { throw StartFailure("\(error)") }
            guard call == .bind, code == EADDRINUSE, tries > 1 else {
                throw StartFailure(
                    StartFailure.failed("\(call.rawValue) to \(listen.address)", code).text,
                    hint: "The address is that of the \"listen\" in \(listen.position).")
            }
        }
        usleep(pauseMicroseconds)
        return try open(listen, tries: tries - 1)
    }

    private static func make(_ changes: [(socket: ListeningSocket, listen: ListenSettings)]) throws(StartFailure) {
        for (socket, listen) in changes {
            do throws(IOError) {
                try socket.change(to: ListeningSocket.Options(listen.options))
            } catch {
                throw StartFailure(
                    "\(error) for \(listen.address)",
                    hint: "The address is that of the \"listen\" in \(listen.position).")
            }
        }
    }
}

extension ListeningSocket.Options {
    /// The options of a `listen`; numbers beyond the system's are the system's largest.
    init(_ options: ListenOptions) {
        self.init()
        backlog = Int32(clamping: options.backlog)
        receiveBuffer = options.receiveBuffer.map { Int32(clamping: $0) }
        sendBuffer = options.sendBuffer.map { Int32(clamping: $0) }
        ipv6Only = options.isIPv6Only
        reusePort = options.isReusePort
        multipath = options.isMultipath
        switch options.keepAlive {
        case nil: break
        case .off: keepAlive = ListeningSocket.KeepAlive(isOn: false)
        case .on(let idle, let interval, let count):
            keepAlive = ListeningSocket.KeepAlive(
                isOn: true, idle: idle.map { Int32(clamping: $0.components.seconds) },
                interval: interval.map { Int32(clamping: $0.components.seconds) },
                count: count.map { Int32(clamping: $0) })
        }
    }
}
