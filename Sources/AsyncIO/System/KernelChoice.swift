/// Which kernel interface a process uses, and why.
package enum KernelChoice: String, Sendable, Hashable, CaseIterable {
    /// io_uring where the host allows it, else epoll.
    case automatic
    /// `use io_uring;`: nothing else will do.
    case ioUring = "io_uring"
    /// `use epoll;`.
    case epoll

    /// What was chosen, and what an operator should know about it.
    package struct Outcome {
        package var kernel: any Kernel
        /// Why io_uring is not used although it could have been, and what to do; nil when there is nothing to say.
        package var advice: String?
    }

    /// `use io_uring;` where the host refuses it, or no descriptor left for either.
    package struct Refused: Error, Sendable, CustomStringConvertible {
        package var description: String
    }

    /// Makes the kernel for the calling thread.
    package func make(buffers: BufferPool, features: KernelFeatures = .all) throws(Refused) -> Outcome {
        if self != .epoll {
            do {
                return Outcome(kernel: try Ring(buffers: buffers, features: features))
            } catch {
                let advice =
                    "io_uring is not available: \(error); allow the io_uring_setup, io_uring_enter and "
                    + "io_uring_register system calls (seccomp profile, kernel.io_uring_disabled=0, Linux 6.1 or later)"
                if self == .ioUring { throw Refused(description: advice + ", or write \"use epoll;\" in events {}") }
                return try epoll(buffers, features, advice: "using epoll: \(advice)")
            }
        }
        return try epoll(buffers, features, advice: nil)
    }

    private func epoll(
        _ buffers: BufferPool, _ features: KernelFeatures, advice: String?
    ) throws(Refused) -> Outcome {
        do {
            return Outcome(kernel: try Epoll(buffers: buffers, features: features), advice: advice)
        } catch {
            throw Refused(description: "epoll is not available: \(error)")
        }
    }
}
