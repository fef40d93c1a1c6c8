import TestSupport
import Testing

@testable import AsyncIO

@Suite struct TimerWheelTests {
    @Test("random deadlines fire in order, never early, at most two ticks late", arguments: 1...20)
    func randomDeadlines(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let table = OperationTable()
        let start = Instant(nanoseconds: UInt64.random(in: 0...(1 << 50), using: &random))
        var wheel = TimerWheel(now: start)
        var armed: [Operation] = []
        for _ in 0..<300 {
            let operation = table.take()
            // From microseconds to a month: every level of the wheel.
            let magnitude = UInt64.random(in: 10...51, using: &random)
            operation.deadline = Instant(
                nanoseconds: start.nanoseconds + UInt64.random(in: 0...(1 << magnitude), using: &random))
            wheel.arm(operation, in: table)
            armed.append(operation)
        }
        for operation in armed where random.chance(0.2) {
            wheel.disarm(operation, in: table)
            operation.deadline = .never
        }
        var now = start
        var fired = 0
        while let due = wheel.nextDue {
            #expect(due > now)
            // Now and then the executor comes late.
            now = random.chance(0.1) ? due + .milliseconds(Int.random(in: 0...5000, using: &random)) : due
            for operation in wheel.advance(to: now, in: table) {
                fired += 1
                #expect(operation.deadline <= now)
                if now == due { #expect(now - operation.deadline <= .milliseconds(17)) }
            }
        }
        #expect(fired == armed.count { $0.deadline != .never })
        #expect(wheel.count == 0)
    }

    @Test func aDeadlineInThePastFiresAtTheNextTick() {
        let table = OperationTable()
        var wheel = TimerWheel(now: Instant(nanoseconds: 1 << 40))
        let operation = table.take()
        operation.deadline = Instant(nanoseconds: 5)
        wheel.arm(operation, in: table)
        let due = wheel.nextDue ?? .never
        #expect(wheel.advance(to: due, in: table).count == 1)
    }
}
