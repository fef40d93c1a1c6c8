import TestSupport
import Testing

@testable import AsyncIO

@Suite struct ByteQueueTests {
    /// The storage as it is, readable bytes and all others.
    private func storage(of queue: ByteQueue) -> [UInt8] {
        Mirror(reflecting: queue).children.compactMap { $0.value as? [UInt8] }.first ?? []
    }

    @Test("it behaves like an array that is appended to and taken from", arguments: 1...20)
    func model(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var queue = ByteQueue()
        var model: [UInt8] = []
        for _ in 0..<300 {
            if random.chance(0.5) {
                let bytes = random.bytes(Int.random(in: 0...40, using: &random))
                if random.chance(0.5) { queue.append(contentsOf: bytes) } else { unsafe queue.append(bytes.span.bytes) }
                model += bytes
            } else {
                let length = Int.random(in: 0...model.count, using: &random)
                #expect(queue.take(length) == Array(model.prefix(length)))
                model.removeFirst(length)
            }
            #expect(queue.count == model.count && queue.bytes == model && queue.isEmpty == model.isEmpty)
            let offset = Int.random(in: 0...model.count, using: &random)
            #expect(queue.firstIndex(of: 7, from: offset) == model[offset...].firstIndex(of: 7))
            if let last = model.indices.last { #expect(queue[last] == model[last]) }
        }
    }

    @Test func consumedBytesAreOverwrittenAtOnce() {
        var queue = ByteQueue(Array("secret rest".utf8))
        queue.consume(6)
        #expect(storage(of: queue) == [UInt8](repeating: 0, count: 6) + Array(" rest".utf8))
        #expect(queue.take(2) == Array(" r".utf8))
        #expect(storage(of: queue) == [UInt8](repeating: 0, count: 8) + Array("est".utf8))
        queue.removeAll()
        #expect(queue.isEmpty && storage(of: queue).isEmpty)
    }

    @Test("bytes that move to the front leave no copy where they stood")
    func compactingLeavesNoCopy() {
        var queue = ByteQueue()
        queue.append(contentsOf: [UInt8](repeating: 1, count: 64))
        queue.consume(60)
        queue.append(contentsOf: [2, 3])
        #expect(queue.bytes == [1, 1, 1, 1, 2, 3])
        #expect(storage(of: queue) == queue.bytes)
    }

    @Test("the storage is bounded by the largest backlog, however much passes through")
    func theStorageIsBounded() {
        var queue = ByteQueue()
        for round in 0..<2000 {
            queue.append(contentsOf: [UInt8](repeating: UInt8(round % 256), count: 100))
            queue.consume(round % 2 == 0 ? 50 : 150)
        }
        #expect(queue.isEmpty)
        #expect(storage(of: queue).capacity <= 1024)
    }
}
