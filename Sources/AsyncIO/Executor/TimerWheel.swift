/// Every deadline of one executor: a hierarchical timing wheel whose entries are operations.
///
/// Six levels of 64 slots; a tick is 8 ms, so level 0 spans half a second, level 1 half a minute,
/// and the top holds years. Arming and disarming are a list link each, whatever the number of
/// sessions; an entry of a high level moves down as its time comes near. A deadline fires at its
/// tick's end, never early and at most two ticks late.
struct TimerWheel {
    /// Nanoseconds in a tick, as a shift: 2^23 ns, about 8.4 ms.
    private static let tickShift: UInt64 = 23
    private static let levels = 6
    private static let slotsPerLevel = 64

    /// First entry of each slot by table index, -1 when empty.
    private var heads = [Int32](repeating: -1, count: levels * slotsPerLevel)
    /// One bit per non-empty slot, one word per level.
    private var occupied = [UInt64](repeating: 0, count: levels)
    /// The tick up to which everything has fired.
    private var tick: UInt64
    /// Entries armed.
    private(set) var count = 0

    init(now: Instant) { tick = now.nanoseconds >> TimerWheel.tickShift }

    /// Puts `operation` into the wheel under its `deadline`; it is in none yet.
    mutating func arm(_ operation: Operation, in table: OperationTable) {
        precondition(operation.slot < 0, "armed twice")
        guard operation.deadline != .never else { return }
        count += 1
        insert(operation, in: table)
    }

    /// Takes `operation` out if it is in.
    mutating func disarm(_ operation: Operation, in table: OperationTable) {
        guard operation.slot >= 0 else { return }
        count -= 1
        remove(operation, in: table)
    }

    /// Moves the time on and returns the operations whose deadline has passed, each out of the wheel.
    mutating func advance(to now: Instant, in table: OperationTable) -> [Operation] {
        let target = now.nanoseconds >> TimerWheel.tickShift
        guard target > tick else { return [] }
        guard count > 0 else {
            tick = target
            return []
        }
        var expired: [Operation] = []
        while tick < target, count > 0 {
            // Skip to the next tick at which some slot is due; slots in between are empty.
            tick = min(target, max(tick + 1, nextDueTick ?? target))
            cascade(in: table)
            while let operation = first(ofSlot: slotIndex(level: 0, tick: tick), in: table) {
                remove(operation, in: table)
                if operation.deadline.nanoseconds >> TimerWheel.tickShift < tick {
                    count -= 1
                    expired.append(operation)
                } else {
                    insert(operation, in: table)
                }
            }
        }
        tick = target
        return expired
    }

    /// When `advance` next has something to do; nil when nothing is armed.
    var nextDue: Instant? {
        nextDueTick.map { Instant(nanoseconds: $0 << TimerWheel.tickShift) }
    }

    // MARK: Slots

    /// The earliest tick whose slot, on any level, is not empty.
    private var nextDueTick: UInt64? {
        var earliest: UInt64?
        for level in 0..<TimerWheel.levels where occupied[level] != 0 {
            let shift = UInt64(level * 6)
            let position = tick >> shift
            let current = Int(position & 63)
            // Rotate so that bit 0 is the slot after the current one; a slot is never due "now" again.
            let next = (current + 1) & 63
            let rotated = occupied[level] >> UInt64(next) | (next == 0 ? 0 : occupied[level] << UInt64(64 - next))
            let distance = UInt64(rotated.trailingZeroBitCount + 1)
            let due = (position + distance) << shift
            earliest = min(earliest ?? due, due)
        }
        return earliest
    }

    /// Moves the entries of higher levels whose slot the time has just entered down to where they belong.
    private mutating func cascade(in table: OperationTable) {
        for level in 1..<TimerWheel.levels {
            guard tick & ((1 << UInt64(level * 6)) - 1) == 0 else { return }
            let slot = slotIndex(level: level, tick: tick)
            var moved: [Operation] = []
            while let operation = first(ofSlot: slot, in: table) {
                remove(operation, in: table)
                moved.append(operation)
            }
            for operation in moved { insert(operation, in: table) }
        }
    }

    private func slotIndex(level: Int, tick: UInt64) -> Int {
        level * TimerWheel.slotsPerLevel + Int((tick >> UInt64(level * 6)) & 63)
    }

    private func first(ofSlot slot: Int, in table: OperationTable) -> Operation? {
        heads[slot] < 0 ? nil : table[heads[slot]]
    }

    private mutating func insert(_ operation: Operation, in table: OperationTable) {
        // The tick after the deadline's own: never early. At least one tick ahead, else it would wait a whole turn.
        let due = max(operation.deadline.nanoseconds >> TimerWheel.tickShift + 1, tick + 1)
        let distance = due - tick
        var level = 0
        while level < TimerWheel.levels - 1, distance >= 1 << UInt64((level + 1) * 6) { level += 1 }
        // Beyond the top level's span (some 18 years) an entry waits in its last slot and is inserted anew.
        let bounded = min(due, tick + (1 << UInt64(TimerWheel.levels * 6)) - 1)
        let slot = slotIndex(level: level, tick: bounded)
        operation.slot = Int16(slot)
        operation.previous = -1
        operation.following = heads[slot]
        if heads[slot] >= 0 { table[heads[slot]].previous = Int32(operation.index) }
        heads[slot] = Int32(operation.index)
        occupied[slot >> 6] |= 1 << UInt64(slot & 63)
    }

    private mutating func remove(_ operation: Operation, in table: OperationTable) {
        let slot = Int(operation.slot)
        if operation.previous >= 0 {
            table[operation.previous].following = operation.following
        } else {
            heads[slot] = operation.following
            if heads[slot] < 0 { occupied[slot >> 6] &= ~(1 << UInt64(slot & 63)) }
        }
        if operation.following >= 0 { table[operation.following].previous = operation.previous }
        operation.slot = -1
        operation.previous = -1
        operation.following = -1
    }
}
