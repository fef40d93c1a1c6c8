/// A DNS message to be sent as a reply, byte for byte as a test wants it.
package struct DNSReply: Sendable {
    package var id: UInt16
    /// The name asked about, and the number of the kind of record.
    package var name: String
    package var kind: UInt16
    package var responseCode: UInt8 = 0
    package var isTruncated = false
    package var records: [Record] = []
    /// Instead of the number of `records`.
    package var claimedRecords: UInt16?

    package struct Record: Sendable {
        package var name: [UInt8]
        package var kind: UInt16
        package var recordClass: UInt16 = 1
        package var lifetime: UInt32
        package var data: [UInt8]

        package init(_ name: String, _ kind: UInt16, lifetime: UInt32 = 60, _ data: [UInt8]) {
            self.name = DNSReply.wire(name)
            self.kind = kind
            self.lifetime = lifetime
            self.data = data
        }
    }

    package init(id: UInt16 = 7, _ name: String, _ kind: UInt16, _ records: [Record] = []) {
        self.id = id
        self.name = name
        self.kind = kind
        self.records = records
    }

    /// The message.
    package var bytes: [UInt8] {
        var bytes = DNSReply.two(id)
        bytes += [isTruncated ? 0x83 : 0x81, 0x80 | responseCode]
        bytes += [0, 1] + DNSReply.two(claimedRecords ?? UInt16(records.count)) + [0, 0, 0, 0]
        bytes += DNSReply.wire(name) + DNSReply.two(kind) + [0, 1]
        for record in records {
            bytes += record.name + DNSReply.two(record.kind) + DNSReply.two(record.recordClass)
            bytes += DNSReply.two(UInt16(record.lifetime >> 16)) + DNSReply.two(UInt16(record.lifetime & 0xFFFF))
            bytes += DNSReply.two(UInt16(record.data.count)) + record.data
        }
        return bytes
    }

    /// A name as labels with their lengths.
    package static func wire(_ name: String) -> [UInt8] {
        name.split(separator: ".").flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) } + [0]
    }

    private static func two(_ number: UInt16) -> [UInt8] { [UInt8(number >> 8), UInt8(number & 0xFF)] }
}
