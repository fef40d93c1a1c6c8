import Testing

@testable import AsyncIO

@Suite struct BufferPoolTests {
    @Test("each buffer is lent once, until none is left, and comes back")
    func lending() {
        let pool = BufferPool(count: 4, size: 8)
        let taken = (0..<4).compactMap { _ in pool.takeFree() }
        #expect(Set(taken) == [0, 1, 2, 3])
        #expect(pool.lent == 4)
        #expect(pool.takeFree() == nil)
        pool.giveBackFree(2)
        #expect(pool.lent == 3)
        #expect(pool.takeFree() == 2)
        for buffer in taken { pool.giveBackFree(buffer) }
        #expect(pool.lent == 0)
        #expect(pool.lentAtMost == 4)
    }

    @Test(
        "a bundle's pieces follow its links",
        arguments: [
            (1, [1]), (8, [8]), (9, [8, 1]), (16, [8, 8]), (20, [8, 8, 4]), (0, []),
        ])
    func pieces(_ length: Int, _ lengths: [Int]) {
        let pool = BufferPool(count: 4, size: 8)
        pool.link(3, to: 0)
        pool.link(0, to: 2)
        let pieces = pool.pieces(first: 3, length: length)
        #expect(pieces.map(\.length) == lengths)
        #expect(pieces.map(\.buffer) == Array([3, 0, 2].prefix(lengths.count)))
        #expect(pieces.allSatisfy { $0.offset == 0 })
    }

    @Test func bytesAreCopiedAndWiped() {
        let pool = BufferPool(count: 2, size: 8)
        unsafe pool.address(of: 1).copyMemory(from: [1, 2, 3, 4, 5, 6, 7, 8] as [UInt8], byteCount: 8)
        let piece = LentBytes(buffer: 1, offset: 2, length: 3)
        #expect(pool.bytes(piece) == [3, 4, 5])
        var queue = ByteQueue([9])
        pool.copy(piece, to: &queue)
        #expect(queue.bytes == [9, 3, 4, 5])
        // What stood before the piece went out of it earlier, and is as secret.
        pool.wipe(piece)
        #expect(pool.bytes(LentBytes(buffer: 1, offset: 0, length: 8)) == [0, 0, 0, 0, 0, 6, 7, 8])
        #expect(pool.bytes(LentBytes(buffer: 0, offset: 0, length: 8)) == [UInt8](repeating: 0, count: 8))
    }
}
