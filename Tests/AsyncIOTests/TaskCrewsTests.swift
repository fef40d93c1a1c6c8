import AsyncIO
import TestSupport
import Testing

/// Child tasks in groups of bounded size.
struct TaskCrewsTests {
    /// How many members are at work, and those that wait for the end.
    // Safety: touched on the executor's thread only; so is `Waiting`.
    private final class Site: @unchecked Sendable {
        var waiters: [Waiting] = []
        var ended = 0
    }

    // Safety: as `Site`.
    private final class Waiting: @unchecked Sendable {
        private var waiter: Waiter<Void>?
        init(_ waiter: consuming Waiter<Void>) { self.waiter = consume waiter }
        func release() { waiter.take()?.resume(returning: ()) }
    }

    private func withCrews(
        _ body: @escaping @Sendable (TaskCrews, Site, inout DiscardingTaskGroup, RingExecutor) async throws -> Void
    ) async throws -> Int {
        try await onExecutor({ SimulatedKernel(seed: 1) }) { executor in
            let crews = TaskCrews(on: executor)
            let site = Site()
            try await withThrowingDiscardingTaskGroup { outer in
                outer.addTask {
                    await withDiscardingTaskGroup { group in
                        try? await body(crews, site, &group, executor)
                        crews.close()
                        for waiter in site.waiters { waiter.release() }
                    }
                }
            }
            #expect(crews.count == 0)
            return site.ended
        }
    }

    /// Starts members that wait until they are released.
    private static func hire(
        _ count: Int, _ crews: TaskCrews, _ site: Site, _ group: inout DiscardingTaskGroup, _ executor: RingExecutor
    ) async throws {
        let before = site.waiters.count
        for _ in 0..<count {
            crews.hire(into: &group) { crew, members in
                crew.addTask {
                    await Waiter<Void>.wait { site.waiters.append(Waiting($0)) }
                    site.ended += 1
                    members.leave()
                }
            }
        }
        while site.waiters.count < before + count { try await turn(executor) }
    }

    private static func turn(_ executor: RingExecutor) async throws {
        try await executor.sleep(until: executor.now + .milliseconds(1), scope: nil)
    }

    @Test func `a crew has a maximum, and one member more is another crew's`() async throws {
        let ended = try await withCrews { crews, site, group, executor in
            try await Self.hire(TaskCrews.membersMaximum, crews, site, &group, executor)
            #expect(crews.count == 1)
            try await Self.hire(1, crews, site, &group, executor)
            #expect(crews.count == 2)
        }
        #expect(ended == TaskCrews.membersMaximum + 1)
    }

    @Test func `vacancies are filled before a crew is added, and crews without members go`() async throws {
        let ended = try await withCrews { crews, site, group, executor in
            try await Self.hire(3 * TaskCrews.membersMaximum, crews, site, &group, executor)
            for waiter in site.waiters[..<(TaskCrews.membersMaximum + 1)] { waiter.release() }
            site.waiters.removeFirst(TaskCrews.membersMaximum + 1)
            while site.ended <= TaskCrews.membersMaximum { try await Self.turn(executor) }
            #expect(crews.count <= 3)
            let before = crews.count
            try await Self.hire(TaskCrews.membersMaximum, crews, site, &group, executor)
            #expect(crews.count == before)
        }
        #expect(ended == 4 * TaskCrews.membersMaximum)
    }
}
