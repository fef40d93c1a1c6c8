/// TLS sessions that all workers go on with, in a zone of shared memory (`ssl_session_cache shared`).
///
/// A session is as many cells as it needs, each an entry of its own under the session's key and the cell's number; all
/// have the serial number of one `keep`, so cells of different sessions are never put together. What a worker keeps is
/// in its own region. It forgets another's session by an entry without cells that all workers heed.
///
/// ```
///   payload of a cell: expiry │ serial (32 bits), part (8), parts (8), bytes here (16) │ bytes …
/// ```
/// Where there is no room the session that expires first makes way, all of it; what leaves is overwritten.
package final class TLSSharedSessions: Sendable {
    /// Bytes of a slot of the zone; few sessions without a certificate need more than one.
    package static let slotBytes = 256
    /// The longest session that is kept, in bytes; nginx's is the same. Long ones hold certificates.
    package static let sessionMaximum = 4096
    /// Slots looked at for what has expired, at each `keep`.
    private static let sweepCount = 4

    /// Words of the region's header: the last serial number, and where the sweep goes on.
    private enum Header { static let serial = 0, sweep = 1 }

    /// The fields of a payload.
    private struct Cell {
        static let wordsBefore = 2
        let expiry: UInt64
        let serial: UInt64
        let part: Int
        let parts: Int
        let bytes: ArraySlice<UInt8>

        init(expiry: UInt64, serial: UInt64, part: Int, parts: Int, bytes: ArraySlice<UInt8>) {
            self.expiry = expiry
            self.serial = serial
            self.part = part
            self.parts = parts
            self.bytes = bytes
        }

        init(_ payload: [UInt64]) {
            let fields = payload[1]
            expiry = payload[0]
            serial = fields >> 32
            part = Int(fields >> 24 & 0xFF)
            parts = Int(fields >> 16 & 0xFF)
            let content = AsyncIO.bytes(of: payload.dropFirst(Cell.wordsBefore))
            bytes = content.prefix(Int(fields & 0xFFFF))
        }

        var payload: [UInt64] {
            [expiry, serial << 32 | UInt64(part) << 24 | UInt64(parts) << 16 | UInt64(bytes.count)]
                + words(of: Array(bytes))
        }
    }

    private let zone: SharedZone
    /// Of a cell.
    private let bytesPerCell: Int

    /// The sessions of a zone with slots of `slotBytes`.
    package init(_ zone: SharedZone) {
        self.zone = zone
        bytesPerCell = (zone.region(0).payloadWords - Cell.wordsBefore) * 8
    }

    /// Keeps a session until `expiry`, in seconds since 1970; one that is too long is not kept.
    package func keep(_ session: [UInt8], id: [UInt8], until expiry: UInt64, now: UInt64) {
        guard let own = zone.own, let key = key(of: id), !session.isEmpty,
            session.count <= TLSSharedSessions.sessionMaximum
        else { return }
        let parts = (session.count + bytesPerCell - 1) / bytesPerCell
        // In the smallest regions there is no room for the longest sessions beside others.
        guard parts <= own.slotCount / 2 else { return }
        sweep(own, now)
        let serial = (own.header(Header.serial) + 1) & 0xFFFF_FFFF
        own.setHeader(Header.serial, serial)
        for part in 0..<parts {
            let content = session[(part * bytesPerCell)..<min(session.count, (part + 1) * bytesPerCell)]
            let cell = Cell(expiry: expiry, serial: serial, part: part, parts: parts, bytes: content)
            place(cell, under: key.part(part), in: own)
        }
    }

    /// The session with this identifier; nil where nobody has kept it, or somebody has forgotten it since.
    package func session(id: [UInt8], now: UInt64) -> [UInt8]? {
        guard let key = key(of: id) else { return nil }
        var found: (region: Int, cell: Cell)?
        for region in 0..<zone.regionsUsed {
            guard let entry = zone.region(region).entry(key) else { continue }
            let cell = Cell(entry.payload)
            guard cell.parts > 0 else { return nil }
            // A client may make up an identifier that is the key of a further cell.
            if cell.part == 0, cell.expiry > now { found = (region, cell) }
        }
        guard let (region, first) = found else { return nil }
        var session = Array(first.bytes)
        for part in 1..<max(1, first.parts) {
            guard let entry = zone.region(region).entry(key.part(part)) else { return nil }
            let cell = Cell(entry.payload)
            guard cell.serial == first.serial, cell.part == part else { return nil }
            session += cell.bytes
        }
        return session
    }

    /// Sees to it that nobody goes on with this session any more.
    package func forget(id: [UInt8]) {
        guard let own = zone.own, let key = key(of: id) else { return }
        if let entry = own.entry(key) { return evict(entry, from: own) }
        guard let entry = zone.entries(key).first else { return }
        // As long as the other worker may have it.
        let cell = Cell(expiry: Cell(entry.payload).expiry, serial: 0, part: 0, parts: 0, bytes: [])
        place(cell, under: key, in: own)
    }

    /// Identifiers are random, 32 bytes for OpenSSL; shorter ones than a key nobody has made here.
    private func key(of id: [UInt8]) -> SharedKey? {
        guard id.count >= 16 else { return nil }
        let words = words(of: id)
        return SharedKey(low: words[0], high: words[1])
    }

    private func place(_ cell: Cell, under key: SharedKey, in own: SharedRegion) {
        if let entry = own.entry(key) { evict(entry, from: own) }
        if own.vacancy(for: key) == nil {
            let oldest = own.slots(for: key).compactMap { own.entry(in: $0) }.min { $0.payload[0] < $1.payload[0] }
            if let oldest { evict(oldest, from: own) }
        }
        guard let slot = own.vacancy(for: key) else { return }
        own.write(key, cell.payload, in: slot)
    }

    /// Overwrites all cells of a session.
    private func evict(_ entry: SharedRegion.Entry, from own: SharedRegion) {
        let cell = Cell(entry.payload)
        own.wipe(entry.slot)
        for part in 0..<cell.parts where part != cell.part {
            guard let other = own.entry(entry.key.part(part - cell.part)), Cell(other.payload).serial == cell.serial
            else { continue }
            own.wipe(other.slot)
        }
    }

    private func sweep(_ own: SharedRegion, _ now: UInt64) {
        var slot = Int(truncatingIfNeeded: own.header(Header.sweep) % UInt64(own.slotCount))
        for _ in 0..<TLSSharedSessions.sweepCount {
            if let entry = own.entry(in: slot), entry.payload[0] <= now { own.wipe(slot) }
            slot = (slot + 1) % own.slotCount
        }
        own.setHeader(Header.sweep, UInt64(slot))
    }
}

extension SharedKey {
    /// The key of another cell of the same session, so many further on.
    fileprivate func part(_ distance: Int) -> SharedKey {
        SharedKey(low: low &+ UInt64(bitPattern: Int64(distance)), high: high)
    }
}
