/// Reads the answer section of a DNS message (RFC 1035 §4).
///
/// c-ares has checked by then that the message belongs to the question and reports no error. Its own
/// parsers are not used: in Debian's version they tell no lifetime of PTR records, and refuse names
/// with odd characters instead of showing them, which the log line about such names needs.
/// Whatever the bytes are, reading ends: a pointer in a name leads backwards only.
struct DNSMessage {
    /// The message cannot be understood.
    struct Malformed: Error {}

    /// Longest name in bytes, dots between labels included (RFC 1035 §2.3.4 allows 255 on the wire).
    static let nameMaximum = 253
    /// Longest time that an answer is believed, whatever it says.
    static let lifetimeMaximum: UInt32 = 86_400
    private static let headerLength = 12
    private static let aliasKind: UInt16 = 5
    private static let internetClass: UInt16 = 1

    private let bytes: [UInt8]

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    private struct Record {
        var name: [UInt8]
        var kind: UInt16
        var lifetime: UInt32
        var data: Range<Int>
    }

    /// What the message says about `question`, aliases followed; throws `notFound` where it says nothing.
    func answer(to question: DNSQuestion) throws(DNSFailure) -> DNSAnswer {
        let records: [Record]
        do throws(Malformed) { records = try self.records() } catch { throw .format }
        var name = Array(question.name.utf8)
        var lifetime = DNSMessage.lifetimeMaximum
        // Each alias is followed once, so that a circle of them ends.
        var aliases = records.filter { $0.kind == DNSMessage.aliasKind }
        while let index = aliases.firstIndex(where: { isSame($0.name, name) }) {
            let alias = aliases.remove(at: index)
            do throws(Malformed) { name = try self.name(at: alias.data.lowerBound).name } catch { throw .format }
            lifetime = min(lifetime, alias.lifetime)
        }
        var answer = DNSAnswer()
        for record in records where record.kind == question.kind.rawValue && isSame(record.name, name) {
            do throws(Malformed) { try take(record, question.kind, into: &answer) } catch { throw .format }
            lifetime = min(lifetime, record.lifetime)
        }
        guard !answer.addresses.isEmpty || !answer.names.isEmpty else { throw .notFound }
        answer.lifetime = .seconds(Int64(lifetime))
        return answer
    }

    private func take(_ record: Record, _ kind: DNSQuestion.Kind, into answer: inout DNSAnswer) throws(Malformed) {
        let data = bytes[record.data]
        switch kind {
        case .pointer:
            answer.names.append(try name(at: record.data.lowerBound).name)
        case .ipv4:
            guard data.count == 4 else { throw Malformed() }
            let first = data.startIndex
            answer.addresses.append(
                .ipv4(IPv4Address(data[first], data[first + 1], data[first + 2], data[first + 3]), port: 0))
        case .ipv6:
            guard data.count == 16 else { throw Malformed() }
            var value = SIMD16<UInt8>(repeating: 0)
            for (index, byte) in data.enumerated() { value[index] = byte }
            answer.addresses.append(.ipv6(IPv6Address(value), port: 0))
        }
    }

    private func records() throws(Malformed) -> [Record] {
        guard bytes.count >= DNSMessage.headerLength else { throw Malformed() }
        var offset = DNSMessage.headerLength
        for _ in 0..<(try number(at: 4)) {
            offset = try name(at: offset).end + 4
        }
        var records: [Record] = []
        for _ in 0..<(try number(at: 6)) {
            let (name, end) = try name(at: offset)
            let length = Int(try number(at: end + 8))
            let data = end + 10..<end + 10 + length
            guard data.upperBound <= bytes.count else { throw Malformed() }
            let lifetime = UInt32(try number(at: end + 4)) << 16 | UInt32(try number(at: end + 6))
            if try number(at: end + 2) == DNSMessage.internetClass {
                // RFC 2181 §8: with the highest bit set it counts as none.
                records.append(
                    Record(
                        name: name, kind: try number(at: end), lifetime: lifetime > Int32.max ? 0 : lifetime, data: data
                    ))
            }
            offset = data.upperBound
        }
        return records
    }

    private func number(at offset: Int) throws(Malformed) -> UInt16 {
        guard offset + 2 <= bytes.count else { throw Malformed() }
        return UInt16(bytes[offset]) << 8 | UInt16(bytes[offset + 1])
    }

    /// The name at `offset`, and where what follows it begins (RFC 1035 §4.1.4).
    private func name(at offset: Int) throws(Malformed) -> (name: [UInt8], end: Int) {
        var name: [UInt8] = []
        var end: Int?
        var offset = offset
        while true {
            guard offset < bytes.count else { throw Malformed() }
            let length = Int(bytes[offset])
            switch length {
            case 0:
                return (name, end ?? offset + 1)
            case 1...63:
                guard offset + 1 + length <= bytes.count else { throw Malformed() }
                if !name.isEmpty { name.append(UInt8(ascii: ".")) }
                name += bytes[offset + 1..<offset + 1 + length]
                guard name.count <= DNSMessage.nameMaximum else { throw Malformed() }
                offset += 1 + length
            case 0xC0...:
                let target = Int(try number(at: offset) & 0x3FFF)
                guard target < offset else { throw Malformed() }
                end = end ?? offset + 2
                offset = target
            default:
                throw Malformed()
            }
        }
    }

    /// Names know no case (RFC 4343).
    private func isSame(_ one: [UInt8], _ other: [UInt8]) -> Bool {
        one.count == other.count
            && zip(one, other).allSatisfy { $0 == $1 || ($0 | 0x20 == $1 | 0x20 && (0x61...0x7A).contains($0 | 0x20)) }
    }
}
