import Dispatch
import Foundation
import Glibc
import Synchronization
import Testing

@testable import AsyncIO

/// Memory that processes share; here the processes are mappings of it in one.
@Suite("Shared zones") struct SharedZoneTests {
    /// A zone as the master has it, and as workers with regions of their own do.
    static func zone(
        regions: Int = 4, bytes: Int = 4096, slot: Int = 64, workers: Int = 2
    ) throws -> (master: SharedZone, workers: [SharedZone]) {
        let master = try SharedZone(name: "test", regionCount: regions, regionBytes: bytes, slotBytes: slot)
        let descriptor = try #require(master.descriptor)
        let mapped = try (0..<workers).map { number in
            master.open(number)
            return try SharedZone(mapping: descriptor, own: number)
        }
        return (master, mapped)
    }

    /// What the kernel says of this process.
    private static func textOfProcess(_ name: String) throws -> String {
        let file = try #require(FileHandle(forReadingAtPath: "/proc/self/\(name)"))
        return String(decoding: try file.readToEnd() ?? Data(), as: UTF8.self)
    }

    @Test("the size is sealed, other programs do not inherit it, core files are without it")
    func sealed() throws {
        let name = "sealed-\(getpid())"
        let memory = try SharedMemory(name: name, bytes: 5000)
        #expect(memory.count == 2 * SharedMemory.pageBytes / 8)
        let descriptor = try #require(memory.descriptor)
        #expect(ftruncate(descriptor, 100) == -1 && errno == EPERM)
        #expect(ftruncate(descriptor, 100_000) == -1 && errno == EPERM)
        #expect(fcntl(descriptor, F_GETFD) & FD_CLOEXEC != 0)
        let maps = try Self.textOfProcess("smaps").components(separatedBy: "\n")
        let start = try #require(maps.firstIndex { $0.contains(name) })
        let flags = try #require(maps[start...].first { $0.hasPrefix("VmFlags:") })
        #expect(flags.split(separator: " ").contains("dd"), "\(flags)")
        withExtendedLifetime(memory) {}
    }

    @Test("a worker may write its own region, and that the kernel holds it to")
    func protection() throws {
        let name = "guarded-\(getpid())"
        let master = try SharedZone(name: name, regionCount: 3, regionBytes: 4096, slotBytes: 64)
        let worker = try SharedZone(mapping: try #require(master.descriptor), own: 1)
        let maps = try Self.textOfProcess("maps").split(separator: "\n")
            .filter { $0.contains(name) }.map { $0.split(separator: " ")[1] }
        // The whole for the master; head and region, ours, the rest for the worker.
        #expect(maps.sorted() == ["r--s", "r--s", "rw-s", "rw-s"])
        withExtendedLifetime((master, worker)) {}
    }

    @Test("what is no zone, or has no such region, is not mapped")
    func refused() throws {
        let memory = try SharedMemory(name: "empty", bytes: 4096)
        #expect(throws: IOError.self) { try SharedZone(mapping: memory.descriptor ?? -1, own: nil) }
        let null = unsafe open("/dev/null", O_RDONLY)
        defer { close(null) }
        #expect(throws: IOError.self) { try SharedZone(mapping: null, own: nil) }
        let (master, _) = try Self.zone(regions: 2)
        let descriptor = try #require(master.descriptor)
        #expect(throws: IOError.self) { try SharedZone(mapping: descriptor, own: 2) }
        _ = try SharedZone(mapping: descriptor, own: 1)
    }

    @Test("what one writes all read, and its keys are the same everywhere and nowhere else")
    func reading() throws {
        let (master, workers) = try Self.zone()
        let key = workers[0].key(of: Array("ann".utf8))
        #expect(key == workers[1].key(of: Array("ann".utf8)) && key == master.key(of: Array("ann".utf8)))
        #expect(key != workers[0].key(of: Array("ben".utf8)))
        #expect(try Self.zone().master.key(of: Array("ann".utf8)) != key)
        for (number, worker) in workers.enumerated() {
            let own = try #require(worker.own)
            own.write(key, [UInt64(number + 1), 7], in: try #require(own.vacancy(for: key)))
        }
        for zone in workers + [master] {
            #expect(zone.entries(key).map(\.payload) == [[1, 7, 0, 0, 0], [2, 7, 0, 0, 0]])
        }
        master.region(0).clear()
        #expect(workers[1].entries(key).map(\.payload) == [[2, 7, 0, 0, 0]])
    }

    @Test("a region that was never opened is not read; opened ones stay in sight")
    func openRegions() throws {
        let (master, workers) = try Self.zone(workers: 1)
        #expect(workers[0].regionsUsed == 1)
        master.open(2)
        master.open(1)
        #expect(workers[0].regionsUsed == 3)
    }

    @Test("an entry may be in as many slots as the window has; one more finds none")
    func window() throws {
        let (_, workers) = try Self.zone(bytes: 16384)
        let own = try #require(workers[0].own)
        #expect(own.slotCount == 255)
        for index in 0..<SharedRegion.window {
            let key = SharedKey(low: 250 + 255 * UInt64(index), high: UInt64(index) + 1)
            own.write(key, [UInt64(index)], in: try #require(own.vacancy(for: key)))
        }
        let next = SharedKey(low: 250, high: 99)
        #expect(own.vacancy(for: next) == nil)
        for index in 0..<SharedRegion.window {
            let key = SharedKey(low: 250 + 255 * UInt64(index), high: UInt64(index) + 1)
            #expect(own.entry(key)?.payload[0] == UInt64(index), "around the end as well")
        }
        own.wipe(try #require(own.entry(SharedKey(low: 250, high: 1))).slot)
        #expect(own.entry(SharedKey(low: 250, high: 1)) == nil && own.vacancy(for: next) == 250)
    }

    @Test("a writer that died in the midst leaves nothing that is believed, and its successor repairs it")
    func deadWriter() throws {
        let memory = try SharedMemory(name: "dead", bytes: 4096)
        let region = SharedRegion(of: memory, at: 0, count: 512, slotWords: 8)
        let key = SharedKey(low: 3, high: 5)
        region.write(key, [1, 2, 3, 4, 5], in: 3)
        // Half a write: the sequence is odd, one word is new.
        let base = SharedRegion.headerWords + 3 * 8
        memory.store(memory.load(base) + 1, at: base)
        memory.store(99, at: base + 3)
        #expect(region.entry(key) == nil && region.entry(in: 3) == nil)
        region.takeOver()
        #expect(memory.load(base) & 1 == 1, "nobody has written a new region, so it is not looked at")
        region.takeOver()
        #expect(region.entry(in: 3) == nil && region.vacancy(for: key) == 3)
        #expect((1..<8).allSatisfy { memory.load(base + $0) == 0 }, "wiped")
        region.write(key, [6], in: 3)
        #expect(region.entry(key)?.payload == [6, 0, 0, 0, 0])
    }

    @Test("readers never see half of a write")
    func tornReads() throws {
        let (_, workers) = try Self.zone(slot: 256)
        let own = try #require(workers[0].own)
        let seen = workers[1].region(0)
        let keys = [SharedKey(low: 1, high: 1), SharedKey(low: 16, high: 2)]
        let isOver = Atomic(false)
        let writing = DispatchSemaphore(value: 0)
        Thread.detachNewThread {
            // Two keys in turn in one slot, all words of a payload the same number.
            var number: UInt64 = 0
            while !isOver.load(ordering: .relaxed) {
                number += 1
                own.write(keys[Int(number % 2)], Array(repeating: number, count: own.payloadWords), in: 1)
            }
            writing.signal()
        }
        var looks = 0
        var changes = 0
        var last: UInt64 = 0
        while looks < 20_000 || changes < 100 {
            looks += 1
            guard let entry = seen.entry(in: 1) else { continue }
            let number = entry.payload[0]
            #expect(entry.payload.allSatisfy { $0 == number })
            #expect(entry.key == keys[Int(number % 2)])
            #expect(number >= last)
            if number != last { changes += 1 }
            last = number
        }
        isOver.store(true, ordering: .relaxed)
        writing.wait()
    }
}

/// Counting across processes.
@Suite("Shared counts") struct SharedCountsTests {
    private let ann = Array("ann".utf8)

    @Test("the places of all workers are counted together, at the limit and one past it")
    func limit() throws {
        let (master, workers) = try SharedZoneTests.zone()
        let counts = workers.map { SharedCounts($0) }
        var places = [try counts[0].take(ann, maximum: 3), try counts[1].take(ann, maximum: 3)]
        places.append(try counts[0].take(ann, maximum: 3))
        for one in counts {
            #expect(throws: SharedCounts.Refusal.full) { try one.take(ann, maximum: 3) }
            #expect(one.count(of: ann) == 3, "a refusal takes nothing")
        }
        _ = try counts[1].take(Array("ben".utf8), maximum: 1)
        places.removeLast()
        #expect(counts[1].count(of: ann) == 2)
        places.append(try counts[1].take(ann, maximum: 3))
        // The first worker dies, and the master clears what it wrote.
        master.region(0).clear()
        #expect(counts[1].count(of: ann) == 2)
        // Its objects are here all the same, and must not give back what is not there.
        withExtendedLifetime(places) { master.region(0).write(workers[0].key(of: ann), [1], in: slot(workers[0])) }
    }

    private func slot(_ zone: SharedZone) -> Int { zone.own?.vacancy(for: zone.key(of: ann)) ?? 0 }

    @Test("where a region is full there is no place, and what is there stays")
    func noRoom() throws {
        let (_, workers) = try SharedZoneTests.zone(bytes: 4096, workers: 1)
        let counts = SharedCounts(workers[0])
        var places: [SharedPlace] = []
        var refused = 0
        for number in 0..<100 {
            do throws(SharedCounts.Refusal) {
                places.append(try counts.take([UInt8(number)], maximum: 1))
            } catch {
                #expect(error == .noRoom)
                refused += 1
            }
        }
        #expect(places.count <= 63 && refused == 100 - places.count && places.count > 32)
        places = []
        places.append(try counts.take([200], maximum: 1))
        #expect(counts.count(of: [200]) == 1 && counts.count(of: [0]) == 0)
    }

    @Test("workers that take the last places at once never get more than there are")
    func race() throws {
        let (_, workers) = try SharedZoneTests.zone(workers: 2)
        let most = Atomic(0)
        let held = Atomic(0)
        let done = DispatchSemaphore(value: 0)
        let subject = ann
        for zone in workers {
            Thread.detachNewThread {
                let counts = SharedCounts(zone)
                for _ in 0..<5000 {
                    // The place is given back before the next is taken.
                    if let place = try? counts.take(subject, maximum: 1) {
                        most.max(held.add(1, ordering: .sequentiallyConsistent).newValue, ordering: .relaxed)
                        held.subtract(1, ordering: .sequentiallyConsistent)
                        withExtendedLifetime(place) {}
                    }
                }
                done.signal()
            }
        }
        for _ in workers { done.wait() }
        #expect(most.load(ordering: .relaxed) == 1)
        #expect(SharedCounts(workers[0]).count(of: ann) == 0)
    }
}
