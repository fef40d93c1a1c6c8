import CLinux
import Glibc
import Synchronization

/// Memory that several processes see: a file without a name (memfd) whose size nobody can change.
///
/// It is read and written in words of eight bytes, each of them by itself; `SharedRegion` keeps together what belongs
/// together. Whoever made it may write all of it, whoever maps it what it was allowed to. Core files are without it.
// Safety: the mapping lasts from `init` to `deinit`, its size is sealed, every access is checked against its bounds
// and is one atomic word, so threads and processes may meet in it.
@safe
package final class SharedMemory: @unchecked Sendable {
    /// Bytes of a page, the unit of protection.
    package static let pageBytes = sysconf(Int32(_SC_PAGESIZE))

    private let words: UnsafeMutablePointer<Atomic<UInt64>>
    /// In words.
    package let count: Int
    /// The words that may be written.
    private let writable: Range<Int>
    /// What other processes map it by, in the process that made it; closed with this object.
    package let descriptor: Int32?

    /// Makes memory of so many bytes, rounded up to whole pages, all zero.
    /// - Parameter name: shown in `/proc/…/maps`, for the curious.
    package init(name: String, bytes: Int) throws(IOError) {
        let size = SharedMemory.roundedUp(bytes)
        let file = unsafe clinux_memory_file(name)
        guard file >= 0 else { throw .last(.memoryFile) }
        do throws(IOError) {
            guard ftruncate(file, size) == 0 else { throw .last(.ftruncate) }
            guard clinux_seal_size(file) == 0 else { throw .last(.seal) }
            unsafe words = try SharedMemory.map(file, size, isWritable: true)
        } catch {
            close(file)
            throw error
        }
        count = size / 8
        writable = 0..<count
        descriptor = file
    }

    /// Maps what another process has made; `descriptor` stays the caller's.
    /// - Parameter range: the words that may be written besides reading all, in whole pages.
    package init(mapping descriptor: Int32, writing range: Range<Int> = 0..<0) throws(IOError) {
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0, clinux_has_sealed_size(descriptor) == 1, status.st_size > 0,
            range.lowerBound >= 0, range.upperBound <= status.st_size / 8,
            range.lowerBound * 8 % SharedMemory.pageBytes == 0, range.count * 8 % SharedMemory.pageBytes == 0
        else { throw .system(.mmap, code: EINVAL) }
        unsafe words = try SharedMemory.map(descriptor, status.st_size, isWritable: false)
        count = status.st_size / 8
        writable = range
        self.descriptor = nil
        guard !range.isEmpty else { return }
        guard unsafe mprotect(words + range.lowerBound, range.count * 8, PROT_READ | PROT_WRITE) == 0 else {
            throw .last(.mprotect)
        }
    }

    deinit {
        unsafe munmap(words, count * 8)
        if let descriptor { close(descriptor) }
    }

    /// `bytes` in whole pages, at least one.
    package static func roundedUp(_ bytes: Int) -> Int {
        max(1, (bytes + pageBytes - 1) / pageBytes) * pageBytes
    }

    private static func map(
        _ file: Int32, _ size: Int, isWritable: Bool
    ) throws(IOError) -> UnsafeMutablePointer<Atomic<UInt64>> {
        let protection = isWritable ? PROT_READ | PROT_WRITE : PROT_READ
        let address = unsafe mmap(nil, size, protection, MAP_SHARED, file, 0)
        guard let address = unsafe address, unsafe address != MAP_FAILED else { throw .last(.mmap) }
        // What is in there may be secret. It fails on kernels without core files only.
        unsafe madvise(address, size, MADV_DONTDUMP)
        return unsafe address.bindMemory(to: Atomic<UInt64>.self, capacity: size / 8)
    }

    /// A word; nothing is said about others.
    package func load(_ index: Int) -> UInt64 {
        precondition(index >= 0 && index < count, "a word of the memory")
        return unsafe words[index].load(ordering: .relaxed)
    }

    /// A word; what its writer wrote before it is seen afterwards.
    package func loadAcquiring(_ index: Int) -> UInt64 {
        precondition(index >= 0 && index < count, "a word of the memory")
        return unsafe words[index].load(ordering: .acquiring)
    }

    /// Writes a word; nothing is said about others.
    package func store(_ value: UInt64, at index: Int) {
        precondition(writable.contains(index), "a part is written by its owner only")
        unsafe words[index].store(value, ordering: .relaxed)
    }

    /// Writes a word; whoever sees it by `loadAcquiring` sees what was written before, too.
    package func storeReleasing(_ value: UInt64, at index: Int) {
        precondition(writable.contains(index), "a part is written by its owner only")
        unsafe words[index].store(value, ordering: .releasing)
    }
}
