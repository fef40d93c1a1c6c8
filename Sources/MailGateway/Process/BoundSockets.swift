import AsyncIO
import Glibc

/// The listening sockets of a configuration, opened by the master and inherited by every worker.
struct BoundSockets: Sendable {
    /// How often a taken address is tried, as in nginx: a process that was killed with requests in
    /// flight at its ring frees its port a little late.
    static let tries = 5
    /// The pause between two tries, in microseconds; the start may block.
    private static let pauseMicroseconds: UInt32 = 100_000

    /// For each planned socket its own one, or with `reuseport` one per worker.
    private let sockets: [[ListeningSocket]]
    /// What was asked for, in the same order.
    private let planned: [ListenSettings]

    /// Opens them all or none.
    init(_ planned: [PlannedSocket], workers: Int, tries: Int = BoundSockets.tries) throws(StartFailure) {
        var opened: [[ListeningSocket]] = []
        do throws(StartFailure) {
            for socket in planned {
                opened.append([])
                for _ in 0..<(socket.listen.options.isReusePort ? workers : 1) {
                    opened[opened.count - 1].append(try BoundSockets.open(socket.listen, tries: tries))
                }
            }
        } catch {
            opened.joined().forEach { $0.close() }
            throw error
        }
        sockets = opened
        self.planned = planned.map(\.listen)
    }

    /// What the worker with this number, counted from 0, listens on: one descriptor per planned socket.
    func descriptors(ofWorker number: Int) -> [Int32] {
        sockets.map { $0[number % $0.count].descriptor }
    }

    /// What the administrator should know: whatever the kernel does not have, once.
    var warnings: [String] {
        let lacksMultipath = zip(planned, sockets).contains { planned, opened in
            planned.options.isMultipath && opened.contains { !$0.isMultipath }
        }
        return lacksMultipath ? ["multipath is not supported on this platform, ignored"] : []
    }

    /// Closes all, and removes the files of unix sockets.
    func close() { sockets.joined().forEach { $0.close() } }

    /// Removes the files of unix sockets, where the descriptors belong to the `Supervisor` of this very process.
    func removeFiles() { sockets.joined().forEach { $0.removeFile() } }

    private static func open(_ listen: ListenSettings, tries: Int) throws(StartFailure) -> ListeningSocket {
        do throws(IOError) {
            return try ListeningSocket(on: listen.address, options: ListeningSocket.Options(listen.options))
        } catch {
            guard case .system(let call, let code) = error else { throw StartFailure("\(error)") }
            guard call == .bind, code == EADDRINUSE, tries > 1 else {
                throw .failed("\(call.rawValue) to \(listen.address)", code)
            }
        }
        usleep(pauseMicroseconds)
        return try open(listen, tries: tries - 1)
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
