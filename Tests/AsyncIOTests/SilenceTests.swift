import CLinux
import TestSupport
import Testing

@testable import AsyncIO

/// What a silent session holds: each of these exists once or twice in it, so a field more is a kilobyte for nobody
/// but a megabyte for thousands. malloc(3) has sizes of 16n + 8 bytes; whoever needs the next one says so here.
@Suite("Silence is small") struct SilenceTests {
    @Test("an operation fits 88 bytes")
    func operation() { #expect(size(of: Operation(index: 0)) <= 88) }

    @Test("a scope fits 40 bytes, within another one, too")
    func scope() throws {
        let executor = RingExecutor(kernel: SimulatedKernel(seed: 0))
        let scope = CancellationScope(on: executor)
        #expect(size(of: scope) <= 40)
        #expect(size(of: CancellationScope(on: executor, within: scope)) <= 40)
    }

    @Test("a relay and each half in clear fit 72 bytes, a half with TLS 88")
    func relay() {
        let executor = RingExecutor(kernel: SimulatedKernel(seed: 0))
        let scope = CancellationScope(on: executor)
        let (client, backEnd) = (Socket(adopting: -1, scope: scope), Socket(adopting: -1, scope: scope))
        let relay = Relay(client: client, backEnd: backEnd, timeout: .seconds(1), toBackEnd: [], toClient: [])
        #expect(size(of: relay) <= 72)
        #expect(size(of: relay.half(of: .client)) <= 72)
        #expect(size(of: SecureLeg.pair(client, backEnd, toBackEnd: [], toClient: []).client) <= 88)
    }

    @Test("a TLS engine fits 88 bytes")
    func engine() throws { #expect(size(of: TLSEngine(server: try TLSFixture().serverContext())) <= 88) }

    /// As malloc counts it.
    private func size(of object: AnyObject) -> Int {
        unsafe malloc_usable_size(Unmanaged.passUnretained(object).toOpaque())
    }
}
