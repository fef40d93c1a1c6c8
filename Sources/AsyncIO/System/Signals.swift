import CLinux
import Glibc

/// Signals as something to await: blocked for the whole process and read from a descriptor.
package final class Signals: Sendable {
    private let descriptor: Int32
    private let scope: CancellationScope

    /// Blocks `signals` for the calling thread and those it starts; call before any other thread exists.
    package static func block(_ signals: [Int32]) {
        var set = Signals.set(of: signals)
        unsafe pthread_sigmask(SIG_BLOCK, &set, nil)
    }

    /// Blocks none for the calling thread and those it starts, whatever was inherited.
    package static func unblockAll() {
        var set = Signals.set(of: [])
        unsafe pthread_sigmask(SIG_SETMASK, &set, nil)
    }

    /// Reads `signals`, which are blocked.
    package init(_ signals: [Int32], scope: CancellationScope) throws(IOError) {
        self.scope = scope
        var set = Signals.set(of: signals)
        descriptor = unsafe signalfd(-1, &set, Int32(SFD_CLOEXEC) | Int32(SFD_NONBLOCK))
        guard descriptor >= 0 else { throw .last(.signalfd) }
    }

    deinit { scope.executor.kernel.close(descriptor) }

    /// The next signal's number and sender.
    package func next() async throws(IOError) -> (signal: Int32, sender: Int32) {
        while true {
            var info = signalfd_siginfo()
            let size = MemoryLayout<signalfd_siginfo>.size
            if unsafe read(descriptor, &info, size) == size {
                return (Int32(info.ssi_signo), Int32(bitPattern: info.ssi_pid))
            }
            let completion = await scope.executor.perform(
                .poll(events: UInt32(POLLIN)), on: descriptor, deadline: .never, scope: scope)
            _ = try completion.value(of: .poll)
        }
    }

    private static func set(of signals: [Int32]) -> sigset_t {
        var set = sigset_t()
        unsafe sigemptyset(&set)
        for signal in signals { unsafe sigaddset(&set, signal) }
        return set
    }
}
