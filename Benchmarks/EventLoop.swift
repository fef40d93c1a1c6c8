import CYardstick
import Glibc

/// The owner of a descriptor that an `EventLoop` watches.
protocol EventHandler: AnyObject {
    /// The descriptor may be readable or writable: go on until the kernel says that it would block.
    ///
    /// - Parameter isEnding: the peer ended its side or the connection broke; nothing more will be
    ///   reported, so read until the end of stream shows. Otherwise a short read may be taken for an
    ///   emptied socket, which saves a call per message.
    func ready(isEnding: Bool)
}

/// A single-threaded, edge-triggered epoll loop: the yardstick shares nothing with the product under test.
///
/// Descriptors are registered once, for reading, and once more when a `send` first would block: a connection
/// costs one `epoll_ctl`, and a message costs no more than its `recv` and `send`.
final class EventLoop {
    /// Where bytes are received; handlers use it only inside `ready` and keep what they do not finish.
    var input = [UInt8](repeating: 0, count: 256 * 1024)

    private let poller: Int32
    private var handlers: [(any EventHandler)?] = []
    private var freeTokens: [Int] = []
    private var events = [linux_readiness](repeating: linux_readiness(), count: 256)

    init() throws(HarnessError) {
        poller = linux_epoll_create()
        guard poller >= 0 else { throw .system("epoll_create1", errno) }
    }

    /// Watches `descriptor` until it is closed; the token is given back with `forget`.
    func watch(_ descriptor: Int32, for handler: any EventHandler) throws(HarnessError) -> Int {
        let token: Int
        if let free = freeTokens.popLast() {
            token = free
            handlers[free] = handler
        } else {
            token = handlers.count
            handlers.append(handler)
        }
        guard linux_epoll_watch(poller, descriptor, UInt64(token)) == 0 else { throw .system("epoll_ctl", errno) }
        return token
    }

    /// Has the handler called when there is room to send, too; an edge that is already there is reported again.
    func watchWriting(_ descriptor: Int32, _ token: Int) {
        // Refused only for a descriptor that is not watched; the transfer would then run into its time limit.
        _ = linux_epoll_watch_writing(poller, descriptor, UInt64(token))
    }

    /// Drops the handler. An event of the same batch may still reach the token's next owner, whom it does not harm.
    func forget(_ token: Int) {
        handlers[token] = nil
        freeTokens.append(token)
    }

    /// Waits once, at most `milliseconds` (-1: without limit), and delivers what is there.
    func turn(milliseconds: Int32) throws(HarnessError) {
        let capacity = Int32(events.count)
        let count = unsafe linux_epoll_wait(poller, &events, capacity, milliseconds)
        guard count >= 0 else {
            if errno == EINTR { return }
            throw .system("epoll_wait", errno)
        }
        for index in 0..<Int(count) {
            let event = events[index]
            handlers[Int(event.token)]?.ready(isEnding: event.is_ending != 0)
        }
    }
}

/// Monotonic time in nanoseconds.
func now() -> UInt64 {
    var time = timespec()
    _ = unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}
