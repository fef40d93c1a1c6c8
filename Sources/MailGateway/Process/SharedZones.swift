import AsyncIO
import Glibc
import MailSessions

/// The zones of shared memory of a configuration: made by the master, mapped by its workers.
///
/// Every worker process has one region in all zones, of the same number, from its start to its end; one that is being
/// replaced keeps its own as long as it has sessions. What a dead worker leaves depends on the use: its sessions are
/// gone, so they are cleared; its failed logins and TLS sessions are as true as before, so they stay, and the next
/// process with that region goes on with them.
struct SharedZones: Sendable {
    /// So many regions at least, for workers that are being replaced: they cost nothing until they are used.
    private static let regionsMinimum = 64

    /// A zone, and the number by which master and workers mean it, which is never given twice.
    struct Numbered: Sendable {
        let serial: Int
        let settings: ZoneSettings
        let zone: SharedZone
    }

    /// In the order of the configuration's zones.
    let all: [Numbered]
    private let nextSerial: Int
    /// How many worker processes there can be at once.
    let regionCount: Int

    /// Makes the zones that `old` does not have; one whose name, use and size are the same is kept with what is in it.
    /// - Parameter isAlone: this process is the only worker, and writes region 0.
    init(
        _ planned: [ZoneSettings], workers: Int, isAlone: Bool, keeping old: SharedZones? = nil
    ) throws(StartFailure) {
        let regionCount = max(SharedZones.regionsMinimum, 2 * workers, old?.regionCount ?? 0)
        var serial = old?.nextSerial ?? 0
        var all: [Numbered] = []
        for settings in planned {
            if let kept = old?.all.first(where: { $0.settings == settings }), kept.zone.regionCount >= regionCount {
                all.append(kept)
                continue
            }
            do throws(IOError) {
                let zone = try SharedZone(
                    name: "mailgateway \(settings.name)", regionCount: regionCount,
                    regionBytes: settings.size / workers, slotBytes: settings.use.slotBytes, own: isAlone ? 0 : nil)
                all.append(Numbered(serial: serial, settings: settings, zone: zone))
                serial += 1
            } catch {
                throw StartFailure("shared memory zone \(quoted(settings.name)): \(error)")
            }
        }
        self.all = all
        self.regionCount = regionCount
        nextSerial = serial
    }

    /// Maps what the master made, in a worker; the descriptors stay the caller's.
    /// - Parameters:
    ///   - planned: the zones of the configuration; `serials` and `descriptors` are theirs, in that order.
    ///   - region: the worker's own.
    init(
        mapping descriptors: some Sequence<Int32>, _ planned: [ZoneSettings], serials: [Int], region: Int
    ) throws(StartFailure) {
        guard planned.count == serials.count else { throw StartFailure("the master's handover is malformed") }
        var all: [Numbered] = []
        for ((settings, serial), descriptor) in zip(zip(planned, serials), descriptors) {
            do throws(IOError) {
                let zone = try SharedZone(mapping: descriptor, own: region)
                all.append(Numbered(serial: serial, settings: settings, zone: zone))
            } catch {
                throw StartFailure("shared memory zone \(quoted(settings.name)): \(error)")
            }
        }
        self.all = all
        regionCount = all.map(\.zone.regionCount).min() ?? 0
        nextSerial = 0
    }

    private init(all: [Numbered], regionCount: Int) {
        self.all = all
        self.regionCount = regionCount
        nextSerial = 0
    }

    /// The zone of a name; nil where the configuration has none.
    subscript(_ name: String) -> SharedZone? { all.first { $0.settings.name == name }?.zone }

    /// By name.
    var byName: [String: SharedZone] {
        Dictionary(all.map { ($0.settings.name, $0.zone) }, uniquingKeysWith: { first, _ in first })
    }

    // MARK: In the master

    /// What workers map them by.
    var descriptors: [Int32] { all.compactMap(\.zone.descriptor) }

    /// A process begins to write this region.
    func open(_ region: Int) { for one in all { one.zone.open(region) } }

    /// The process that wrote this region has ended.
    func close(_ region: Int) {
        for one in all where region < one.zone.regionCount && one.settings.use.endsWithItsWriter {
            one.zone.region(region).clear()
        }
    }

    // MARK: In a worker

    /// The same zones, but those that `former` has mapped already are its; in new ones our region is made ready.
    func takingOver(from former: SharedZones?) -> SharedZones {
        let known = Dictionary(
            (former?.all ?? []).map { ($0.serial, $0) }, uniquingKeysWith: { first, _ in first })
        let all = all.map { one in
            if let known = known[one.serial] { return known }
            one.zone.own?.takeOver()
            return one
        }
        return SharedZones(all: all, regionCount: regionCount)
    }
}

extension ZoneSettings.Use {
    /// Bytes of an entry.
    fileprivate var slotBytes: Int {
        switch self {
        case .sessions: TLSSharedSessions.slotBytes
        case .connections: SharedCounts.slotBytes
        case .failedLogins: FailedLogins.slotBytes
        }
    }

    /// Whether what a process wrote ends with it.
    fileprivate var endsWithItsWriter: Bool {
        if case .connections = self { return true }
        return false
    }
}
