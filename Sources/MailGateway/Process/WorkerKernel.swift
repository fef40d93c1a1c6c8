import AsyncIO

extension KernelChoice {
    /// What `use` asks for.
    init(_ method: EventsSettings.Method?) {
        switch method {
        case nil: self = .automatic
        case .ioUring: self = .ioUring
        case .epoll: self = .epoll
        }
    }

    /// Makes a worker's kernel for the calling thread: 4 MiB of receive buffers, touched when needed.
    ///
    /// - Parameter hasSiblings: others accept from the same sockets. A request that accepts again and again keeps its
    ///   place at the head of the kernel's queue, so that one worker would get nearly all clients; one that is made
    ///   anew for each goes to its end.
    func makeForWorker(hasSiblings: Bool = false) throws(StartFailure) -> Outcome {
        do throws(Refused) {
            return try make(
                buffers: BufferPool(count: 256, size: 16 << 10),
                features: hasSiblings ? .all.subtracting(.multishotAccept) : .all)
        } catch {
            throw StartFailure(error.description)
        }
    }

    /// Makes the kernel of a process that has little to do; epoll, which is to be had everywhere.
    static func makeSmall() throws(StartFailure) -> any Kernel {
        do throws(Refused) {
            return try KernelChoice.epoll.make(buffers: BufferPool(count: 64, size: 4096)).kernel
        } catch {
            throw StartFailure(error.description)
        }
    }
}
