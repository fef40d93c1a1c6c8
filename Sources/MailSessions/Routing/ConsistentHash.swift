/// nginx's two ways from a user to a number: CRC-32, and a circle of points (ketama).
///
/// The points are those of `hash … consistent` in nginx and of Cache::Memcached::Fast, so users stay with their
/// back-end when this program takes nginx's place.
struct ConsistentHash: Sendable {
    /// For each unit of weight.
    static let pointsPerWeight = 160

    /// Sorted, each hash once.
    private var points: [(hash: UInt32, member: Int)] = []

    var count: Int { points.count }

    /// A circle of members by their labels and weights; a member's number is its place.
    init(_ members: [(label: String, weight: Int)]) {
        points.reserveCapacity(members.reduce(0) { $0 + $1.weight } * ConsistentHash.pointsPerWeight)
        for (number, member) in members.enumerated() {
            let base = ConsistentHash.base(of: member.label)
            var previous: UInt32 = 0
            for _ in 0..<member.weight * ConsistentHash.pointsPerWeight {
                var hash = base
                hash.add((0..<4).map { UInt8(truncatingIfNeeded: previous >> (8 * UInt32($0))) })
                previous = hash.value
                points.append((previous, number))
            }
        }
        // By member where two have the same point, so that the first written has it.
        points.sort { ($0.hash, $0.member) < ($1.hash, $1.member) }
        var unique: [(hash: UInt32, member: Int)] = []
        for point in points where unique.last?.hash != point.hash { unique.append(point) }
        points = unique
    }

    /// HOST, a NUL and PORT; a port is what digits behind the last colon say.
    private static func base(of label: String) -> CRC32 {
        var text = Array(label.utf8)
        var port: [UInt8] = []
        if label.lowercased().hasPrefix("unix:") {
            text.removeFirst("unix:".utf8.count)
        } else {
            let digits = text.reversed().prefix(while: \.isDigit).count
            let colon = text.count - digits - 1
            if colon >= 0, text[colon] == UInt8(ascii: ":") {
                port = Array(text[(colon + 1)...])
                text.removeSubrange(colon...)
            }
        }
        var base = CRC32()
        base.add(text + [0] + port)
        return base
    }

    /// The first point at or behind `hash`, around the circle.
    func point(for hash: UInt32) -> Int {
        var (low, high) = (0, points.count)
        while low < high {
            let middle = (low + high) / 2
            if points[middle].hash < hash { low = middle + 1 } else { high = middle }
        }
        return low == points.count ? 0 : low
    }

    /// Whose point this is; points go round and round.
    func member(at point: Int) -> Int { points[point % points.count].member }
}

/// CRC-32 as in zip and Ethernet (polynomial 0x04C11DB7, reflected).
struct CRC32: Sendable {
    private var register: UInt32 = 0xFFFF_FFFF

    /// Of all bytes so far.
    var value: UInt32 { ~register }

    mutating func add(_ bytes: some Sequence<UInt8>) {
        for byte in bytes {
            register = (register >> 8) ^ CRC32.table[Int(UInt8(truncatingIfNeeded: register) ^ byte)]
        }
    }

    private static let table: [UInt32] = (0..<256).map { byte in
        (0..<8).reduce(UInt32(byte)) { value, _ in (value >> 1) ^ (value & 1 == 1 ? 0xEDB8_8320 : 0) }
    }
}
