import CLinux
import TestSupport
import Testing

@testable import AsyncIO

/// What a silent session holds: each of these exists once or twice in it, so a field more is a kilobyte for nobody
/// but a megabyte for thousands. malloc(3) has sizes of 16n + 8 bytes; whoever needs the next one says so here.
@Suite("Silence is small") struct SilenceTests {
    @Test("an operation fits 88 bytes")
    func operation() { #expect(size { Operation(index: 0) } <= 88) }

    @Test("a scope fits 40 bytes, within another one, too")
    func scope() {
        let executor = RingExecutor(kernel: SimulatedKernel(seed: 0))
        let scope = CancellationScope(on: executor)
        #expect(size { CancellationScope(on: executor) } <= 40)
        #expect(size { CancellationScope(on: executor, within: scope) } <= 40)
    }

    @Test("a relay and each half in clear fit 72 bytes, a half with TLS 88")
    func relay() {
        let executor = RingExecutor(kernel: SimulatedKernel(seed: 0))
        let scope = CancellationScope(on: executor)
        let (client, backEnd) = (Socket(adopting: -1, scope: scope), Socket(adopting: -1, scope: scope))
        func relay() -> Relay {
            Relay(client: client, backEnd: backEnd, timeout: .seconds(1), toBackEnd: [], toClient: [])
        }
        #expect(size { relay() } <= 72)
        #expect(size { relay().half(of: .client) } <= 72)
        #expect(size { SecureLeg.pair(client, backEnd, toBackEnd: [], toClient: []).client } <= 88)
    }

    @Test("a TLS engine fits 88 bytes, and its records 248")
    func engine() throws {
        let context = try TLSFixture().serverContext()
        #expect(size { TLSEngine(server: context) } <= 88)
        #expect(size { TLSRecords.pair(.aes256GCM).near } <= 248)
    }

    /// As malloc counts it: the least that it gives to one of many that live at the same time, for it hands out a free
    /// piece 16 bytes too large rather than split off a rest that nobody could use.
    private func size(ofEach make: () -> AnyObject) -> Int {
        let objects = (0..<256).map { _ in make() }
        return objects.map { unsafe malloc_usable_size(Unmanaged.passUnretained($0).toOpaque()) }.reduce(.max, min)
    }
}
