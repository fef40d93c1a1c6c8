import AsyncIO

/// What a worker gets from the master, at its start and at each reload: the configuration's texts, and
/// what it listens on and shares with its siblings.
///
/// On the wire: eight bytes, the number of descriptors that travel beside and the length of the rest;
/// then the fields in order. Numbers are big-endian, four bytes; texts and lists have their count before
/// them. It holds accounts and shared secrets, so both sides wipe the bytes after use.
struct WorkerHandover: Sendable, Hashable {
    /// The longest message, in bytes: a few of the largest files that a configuration may consist of.
    static let bytesMaximum = 256 << 20
    /// The most descriptors beside one message.
    static let descriptorsMaximum = ParseContext.addressesMaximum
    /// Bytes before the message.
    static let prefixCount = 8

    /// What texts are for, by their numbers on the wire.
    fileprivate static let kinds: [ConfigurationText.Kind] = [.directives, .accounts, .tls]

    var origin: Configuration.Origin
    /// The worker's own number, counted from 0.
    var number: Int
    /// The serial numbers of the sockets of `Configuration.sockets`, in that order. The worker goes on
    /// listening on those that it has, and stops on those that are not among them.
    var sockets: [Int]
    /// Those of them that the worker does not have yet.
    var newcomers: [Int]
    /// The serial numbers of the zones of `Configuration.zones`, in that order.
    var zones: [Int]
    /// The region of all zones that the worker writes, from its start to its end.
    var region: Int
    /// Under which numbers it has inherited the `newcomers`, then the `zones`; empty when they travel beside the message.
    var inherited: [Int32]

    /// How many descriptors belong to it: of the `newcomers`, then of the `zones`, all of them each time.
    var descriptorCount: Int { newcomers.count + zones.count }

    /// The message with its prefix; nil when it is longer than `bytesMaximum`.
    var encoded: [UInt8]? {
        var writer = HandoverWriter()
        writer.put(inherited.isEmpty ? descriptorCount : 0)
        writer.put(0)
        for text in [origin.path, origin.prefix, origin.globalDirectives, origin.hostName] { writer.put(text) }
        writer.put(origin.texts.count)
        for text in origin.texts {
            writer.put(text.path)
            writer.put(WorkerHandover.kinds.firstIndex(of: text.kind) ?? 0)
            writer.put(text.content)
        }
        writer.put(origin.resolutions.count)
        for (name, addresses) in origin.resolutions {
            writer.put(name)
            writer.put(addresses.count)
            for address in addresses { writer.put(address.description) }
        }
        // Numbers have four bytes; seconds since 1970 in hours have less.
        writer.put(Int(truncatingIfNeeded: origin.ticketSeed.epoch))
        writer.put(origin.ticketSeed.secrets.count)
        for secret in origin.ticketSeed.secrets { writer.put(secret) }
        writer.put(number)
        writer.put(region)
        for list in [sockets, newcomers, zones, inherited.map(Int.init)] {
            writer.put(list.count)
            for element in list { writer.put(element) }
        }
        guard writer.bytes.count <= WorkerHandover.bytesMaximum else {
            wipe(&writer.bytes)
            return nil
        }
        writer.setNumber(writer.bytes.count - WorkerHandover.prefixCount, at: 4)
        return writer.bytes
    }

    /// What the first `prefixCount` bytes announce: how many descriptors, and the length; nil when out of bounds.
    static func announced(by prefix: [UInt8]) -> (descriptors: Int, length: Int)? {
        guard prefix.count == prefixCount else { return nil }
        var reader = HandoverReader(prefix)
        guard let descriptors = reader.number(), let length = reader.number(), descriptors <= descriptorsMaximum,
            length <= bytesMaximum
        else { return nil }
        return (descriptors, length)
    }

    /// Reads a message without its prefix; nil when anything is missing, too much or out of bounds.
    init?(decoding bytes: [UInt8]) {
        var reader = HandoverReader(bytes)
        guard let path = reader.text(), let prefix = reader.text(), let globalDirectives = reader.text(),
            let hostName = reader.text(), let texts = reader.list({ $0.configurationText() }),
            let resolutions = reader.list({ $0.resolution() }), let ticketSeed = reader.ticketSeed(),
            let number = reader.number(), let region = reader.number(),
            let sockets = reader.list({ $0.number() }), let newcomers = reader.list({ $0.number() }),
            let zones = reader.list({ $0.number() }),
            let inherited = reader.list({ $0.number().flatMap { Int32(exactly: $0) } }),
            inherited.isEmpty || inherited.count == newcomers.count + zones.count, reader.isAtEnd
        else { return nil }
        origin = Configuration.Origin(
            path: path, prefix: prefix, globalDirectives: globalDirectives, hostName: hostName, texts: texts,
            resolutions: Dictionary(resolutions, uniquingKeysWith: { first, _ in first }), ticketSeed: ticketSeed)
        self.number = number
        self.sockets = sockets
        self.newcomers = newcomers
        self.zones = zones
        self.region = region
        self.inherited = inherited
    }

    /// A handover of these parts.
    init(
        origin: Configuration.Origin, number: Int, sockets: [Int], newcomers: [Int], zones: [Int] = [], region: Int = 0,
        inherited: [Int32] = []
    ) {
        self.origin = origin
        self.number = number
        self.sockets = sockets
        self.newcomers = newcomers
        self.zones = zones
        self.region = region
        self.inherited = inherited
    }
}

private struct HandoverWriter {
    var bytes: [UInt8] = []

    mutating func put(_ number: Int) {
        precondition(number >= 0 && number <= UInt32.max, "a number of the handover has four bytes")
        makeRoom(for: 4)
        for shift in stride(from: 24, through: 0, by: -8) { bytes.append(UInt8(truncatingIfNeeded: number >> shift)) }
    }

    mutating func put(_ text: String) { put(Array(text.utf8)) }

    mutating func put(_ content: [UInt8]) {
        put(content.count)
        makeRoom(for: content.count)
        bytes.append(contentsOf: content)
    }

    mutating func put(_ content: Secret) {
        var copy = content.bytes
        put(copy)
        wipe(&copy)
    }

    mutating func setNumber(_ number: Int, at offset: Int) {
        for index in 0..<4 { bytes[offset + index] = UInt8(truncatingIfNeeded: number >> (24 - 8 * index)) }
    }

    /// Moves to a larger storage where this one is full, and wipes the old one, which the array would not do.
    private mutating func makeRoom(for count: Int) {
        guard bytes.count + count > bytes.capacity else { return }
        var larger: [UInt8] = []
        larger.reserveCapacity(2 * (bytes.count + count) + 1024)
        larger.append(contentsOf: bytes)
        wipe(&bytes)
        bytes = larger
    }
}

private struct HandoverReader {
    private let bytes: [UInt8]
    private var offset = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var isAtEnd: Bool { offset == bytes.count }

    mutating func number() -> Int? {
        guard bytes.count - offset >= 4 else { return nil }
        defer { offset += 4 }
        return bytes[offset..<offset + 4].reduce(0) { $0 << 8 | Int($1) }
    }

    mutating func content() -> [UInt8]? {
        guard let count = number(), count <= bytes.count - offset else { return nil }
        defer { offset += count }
        return Array(bytes[offset..<offset + count])
    }

    mutating func secret() -> Secret? {
        guard let count = number(), count <= bytes.count - offset else { return nil }
        defer { offset += count }
        return Secret(bytes[offset..<offset + count])
    }

    mutating func text() -> String? { content().flatMap { String(validating: $0, as: UTF8.self) } }

    /// As many elements as the count says; each takes at least one byte, which bounds a lying count.
    mutating func list<Element>(_ element: (inout HandoverReader) -> Element?) -> [Element]? {
        guard let count = number(), count <= bytes.count - offset else { return nil }
        var elements: [Element] = []
        for _ in 0..<count {
            guard let next = element(&self) else { return nil }
            elements.append(next)
        }
        return elements
    }

    mutating func configurationText() -> ConfigurationText? {
        guard let path = text(), let kind = number(), kind < WorkerHandover.kinds.count, let content = secret()
        else { return nil }
        return ConfigurationText(path: path, content: content, kind: WorkerHandover.kinds[kind])
    }

    mutating func ticketSeed() -> TLSTicketSeed? {
        guard let epoch = number(), let secrets = list({ $0.secret() }) else { return nil }
        return TLSTicketSeed(epoch: UInt64(epoch), secrets: secrets)
    }

    mutating func resolution() -> (String, [SocketAddress])? {
        guard let name = text(), let addresses = list({ $0.text().flatMap { SocketAddress($0) } }) else { return nil }
        return (name, addresses)
    }
}
