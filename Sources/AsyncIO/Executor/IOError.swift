import Glibc

/// The world's failures, as whoever awaits an operation sees them.
package enum IOError: Error, Sendable, Hashable {
    /// The session was cancelled; the operation is over all the same.
    case cancelled
    /// The operation's deadline passed.
    case timedOut
    /// The peer ended the stream where more was needed.
    case closed
    /// The budget of connections is used up.
    case noPlace
    /// TLS cannot begin, or go on.
    case tls(TLSFailure)
    /// The kernel refused: which call, and its errno.
    case system(SystemCall, code: Int32)

    /// The calls that can fail, by the name an operator knows from nginx's log lines.
    package enum SystemCall: String, Sendable, Hashable {
        case accept4 = "accept4()"
        case bind = "bind()"
        case connect = "connect()"
        case listen = "listen()"
        case open = "open()"
        case pidfd = "pidfd_open()"
        case poll = "poll()"
        case posixSpawn = "posix_spawn()"
        case recv = "recv()"
        case recvmsg = "recvmsg()"
        case send = "send()"
        case sendmsg = "sendmsg()"
        case setsockopt = "setsockopt()"
        case signalfd = "signalfd()"
        case socket = "socket()"
        case socketpair = "socketpair()"
        case eventfd = "eventfd()"
        case getsockname = "getsockname()"
        case memoryFile = "memfd_create()"
        case ftruncate = "ftruncate()"
        case seal = "fcntl(F_ADD_SEALS)"
        case mmap = "mmap()"
        case mprotect = "mprotect()"
    }

    /// The current `errno` after `call` failed.
    package static func last(_ call: SystemCall) -> IOError { .system(call, code: errno) }

    /// The peer closed or reset the connection, as an idle one may be found.
    package var isLossOfConnection: Bool {
        switch self {
        case .closed: true
        case .system(_, let code): code == ECONNRESET || code == EPIPE
        default: false
        }
    }

    /// Descriptors or kernel memory have run out; trying again later may help (accept(2)).
    package var isExhaustion: Bool {
        guard case .system(_, let code) = self else { return false }
        return code == EMFILE || code == ENFILE || code == ENOBUFS || code == ENOMEM
    }
}

extension IOError: CustomStringConvertible {
    /// nginx's form: `connect() failed (111: Connection refused)`.
    package var description: String {
        switch self {
        case .cancelled: "cancelled"
        case .timedOut: "timed out (\(ETIMEDOUT): \(IOError.text(ETIMEDOUT)))"
        case .closed: "connection closed by peer"
        case .noPlace: "too many connections"
        case .tls(let failure): failure.text
        case .system(let call, let code): "\(call.rawValue) failed (\(code): \(IOError.text(code)))"
        }
    }

    /// strerror(3)'s text for `code`.
    package static func text(_ code: Int32) -> String {
        guard let text = unsafe strerror(code) else { return "Unknown error" }
        return unsafe String(cString: text)
    }
}
