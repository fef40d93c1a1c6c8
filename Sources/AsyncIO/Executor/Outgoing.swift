import CLinux
import Glibc

/// What an operation sends, or where it connects: memory that the kernel reads until the operation is over.
///
/// Apart from `Operation`, because most operations in flight are receives of silent sessions, which
/// need none of it.
// Safety: owned by one operation, which frees it (and wipes it: lines to back-ends hold passwords)
// after its last completion.
@safe
final class Outgoing {
    /// Bytes to send; empty where `vector` or `address` counts.
    let payload: UnsafeMutableRawBufferPointer
    /// Pieces to send; they lie in lent buffers that the handler gives back after completion.
    let vector: [LentBytes]
    /// Where to connect, in the kernel's form.
    let address: KernelAddress?
    /// Bytes of `payload` and `vector` together.
    let length: Int
    /// The payload may hold a password.
    private var isSecret = true
    /// How many of them the kernel has taken; for a connect, whether it was begun.
    var sent = 0
    /// iovec and msghdr of a vector, allocated when first needed.
    private var message: UnsafeMutableRawPointer?

    /// Takes a copy of `bytes`.
    init(copying bytes: ArraySlice<UInt8>) {
        unsafe payload = .allocate(byteCount: bytes.count, alignment: 1)
        unsafe payload.copyBytes(from: bytes)
        vector = []
        address = nil
        length = bytes.count
    }

    /// Takes memory over that was allocated with malloc and needs no wiping.
    init(taking bytes: UnsafeMutableRawBufferPointer) {
        unsafe payload = bytes
        vector = []
        address = nil
        length = bytes.count
        isSecret = false
    }

    /// Refers to pieces of lent buffers.
    init(_ pieces: [LentBytes]) {
        unsafe payload = UnsafeMutableRawBufferPointer(start: nil, count: 0)
        vector = pieces
        address = nil
        length = pieces.reduce(0) { $0 + $1.length }
    }

    init(connectingTo address: SocketAddress) {
        unsafe payload = UnsafeMutableRawBufferPointer(start: nil, count: 0)
        vector = []
        self.address = KernelAddress(address)
        length = 0
    }

    deinit {
        if let base = unsafe payload.baseAddress {
            if isSecret {
                unsafe explicit_bzero(base, payload.count)
                unsafe payload.deallocate()
            } else {
                unsafe free(base)
            }
        }
        unsafe message?.deallocate()
    }

    /// Bytes still to be sent.
    var rest: Int { length - sent }

    /// What remains of a single run of bytes, be it the payload or a vector of one piece; nil for a longer vector.
    func run(in buffers: BufferPool) -> UnsafeRawBufferPointer? {
        if unsafe payload.baseAddress != nil {
            return unsafe UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(payload)[sent...])
        }
        guard vector.count == 1, let piece = vector.first else { return nil }
        return unsafe UnsafeRawBufferPointer(rebasing: buffers.memory(of: piece)[sent...])
    }

    /// A copy of what the kernel has not taken.
    func unsentBytes(in buffers: BufferPool) -> [UInt8] {
        if unsafe payload.baseAddress != nil { return unsafe Array(payload[sent...]) }
        var bytes = vector.flatMap { buffers.bytes($0) }
        bytes.removeFirst(sent)
        return bytes
    }

    /// Builds (anew after a short send) the msghdr and iovecs of the vector, from `sent` on.
    func buildMessage(from buffers: BufferPool) -> UnsafeMutablePointer<msghdr> {
        unsafe message?.deallocate()
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
