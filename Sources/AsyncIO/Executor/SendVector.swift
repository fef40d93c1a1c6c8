import CLinux
import Glibc

extension Operation {
    /// Builds (anew after a short send) the msghdr and iovecs of a `sendVector`, from `sent` on.
    ///
    /// They live in memory of the operation's own until it is over, because the kernel may read them
    /// later than at submission.
    func buildMessage(from buffers: BufferPool) -> UnsafeMutablePointer<msghdr> {
        if let message = unsafe message { unsafe message.deallocate() }
        let iovecStart = unsafe MemoryLayout<msghdr>.stride
        let raw = unsafe UnsafeMutableRawPointer.allocate(
            byteCount: iovecStart + vector.count * MemoryLayout<iovec>.stride, alignment: 16)
        unsafe message = raw
        let iovecs = unsafe (raw + iovecStart).bindMemory(to: iovec.self, capacity: vector.count)
        var skip = sent
        var used = 0
        for piece in vector {
            if skip >= piece.length {
                skip -= piece.length
                continue
            }
            let memory = unsafe buffers.memory(of: piece)
            unsafe iovecs[used] = iovec(
                iov_base: UnsafeMutableRawPointer(mutating: memory.baseAddress?.advanced(by: skip)),
                iov_len: memory.count - skip)
            used += 1
            skip = 0
        }
        let header = unsafe raw.bindMemory(to: msghdr.self, capacity: 1)
        unsafe header.initialize(to: msghdr())
        unsafe header.pointee.msg_iov = iovecs
        unsafe header.pointee.msg_iovlen = used
        return unsafe header
    }
}
