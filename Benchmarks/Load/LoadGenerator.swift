import Glibc
import Histogram

/// The clients: one process, one thread, `plan.sessions` connections at once.
///
/// The parent follows three steps: `ready` once every session has been through a first, unmeasured unit; it then
/// says `go`, and gets `done …` with the figures; sessions stay open until the parent ends this process, so that
/// closing them is not measured.
final class LoadGenerator {
    /// Sessions that connect or log in at once while the load is set up; more would only fill the listen queue.
    private static let openingMaximum = 64
    /// How long the setting up, and the last units after the time is up, may take, in seconds.
    private static let patience: UInt64 = 90

    let plan: LoadPlan
    let script: LoadScript
    let loop: EventLoop
    /// nil for a load in clear.
    let tls: TLSSession.Context?
    private let port: UInt16
    private let duration: UInt64
    private var clients: [LoadClient] = []
    private var isMeasuring = false
    private var deadline: UInt64 = 0
    private var active = 0
    private var latencies = Histogram<UInt32>(highestTrackableValue: 60_000_000_000)
    private var units = 0
    private var failure: HarnessError?
    private var sourceCounter: UInt8 = 0

    /// - Parameter milliseconds: how long new units are begun.
    init(plan: LoadPlan, port: UInt16, milliseconds: Int) throws(HarnessError) {
        self.plan = plan
        self.port = port
        duration = UInt64(milliseconds) * 1_000_000
        script = LoadScript(plan.mailProtocol, plan.security, for: plan.work)
        tls = plan.security == .none ? nil : try TLSSession.Context(resumes: plan.security == .resumed)
        loop = try EventLoop()
    }

    func run() throws(HarnessError) {
        if plan.work == .trickle { return try trickle() }
        clients = (0..<plan.sessions).map { _ in LoadClient(generator: self) }
        try setUp()
        Announcement.write("ready")
        guard Announcement.awaitWord("go") else { return }
        try measure()
        // The parent reads its counters, then ends this process: nothing comes on standard input any more.
        _ = Announcement.awaitWord("end")
    }

    /// Brings every client through its first unit.
    private func setUp() throws(HarnessError) {
        let limit = now() + Self.patience * 1_000_000_000
        var opened = 0
        while opened < clients.count || active > 0 {
            // The first alone where the others resume its session.
            let openingMaximum = plan.security == .resumed && opened == 1 ? 1 : Self.openingMaximum
            while opened < clients.count, active < openingMaximum,
                plan.security != .resumed || opened != 1 || active == 0
            {
                active += 1
                opened += 1
                clients[opened - 1].begin()
            }
            try turn(until: limit, "the sessions to be set up (\(opened - active) of \(clients.count))")
        }
    }

    /// Keeps slow clients going until the parent ends this process.
    private func trickle() throws(HarnessError) {
        let clients = try SlowClients(plan.sessions, generator: self)
        Announcement.write("ready")
        while true {
            try loop.turn(milliseconds: SlowClients.tick)
            clients.tick()
            if let failure { throw failure }
        }
    }

    private func measure() throws(HarnessError) {
        let start = now()
        if !plan.work.isSilence {
            isMeasuring = true
            deadline = start + duration
            active = clients.count
            for client in clients { client.begin() }
            let limit = deadline + Self.patience * 1_000_000_000
            while active > 0 { try turn(until: limit, "\(active) units to end") }
        }
        let elapsed = max(now() - start, 1)
        let p50 = latencies.valueAtPercentile(50)
        let p99 = latencies.valueAtPercentile(99)
        Announcement.write("done \(units) \(elapsed) \(p50) \(p99)")
    }

    private func turn(until limit: UInt64, _ purpose: String) throws(HarnessError) {
        try loop.turn(milliseconds: 1000)
        if let failure { throw failure }
        guard now() < limit else { throw HarnessError("waited too long for \(purpose)") }
    }

    /// A client ended a unit begun at `start`; true when it shall begin another.
    func shouldGoOn(afterUnitSince start: UInt64) -> Bool {
        if isMeasuring {
            let time = now()
            units += 1
            latencies.record(time - start)
            if time < deadline { return true }
        }
        active -= 1
        return false
    }

    /// Ends the load: a session that does not go as written makes every figure worthless.
    func fail(_ error: HarnessError) {
        failure = failure ?? error
    }

    /// A new connection to the server, from one of sixteen loopback addresses in turn.
    func connect() throws(HarnessError) -> Int32 {
        sourceCounter = (sourceCounter + 1) % 16
        return try LoopbackSocket.connect(port: port, source: sourceCounter + 1)
    }
}
