import Testing

@testable import MailGateway

/// The directives about the processes: values that are accepted, and what they mean.
@Suite struct ProcessDirectivesTests {
    private func core(_ text: String) throws -> CoreSettings {
        try ConfigurationFixture.load("\(text) events { }").core
    }

    @Test func withoutDirectivesNothingChanges() throws {
        let core = try core("")
        #expect(!core.isDaemon && core.hasMaster)
        #expect(core.priority == nil && core.affinity == nil)
        #expect(try self.core("daemon ON;").isDaemon)
    }

    @Test(arguments: [("-20", -20), ("19", 19), ("+5", 5), ("0", 0)])
    func priorities(text: String, value: Int) throws {
        #expect(try core("worker_priority \(text);").priority == value)
    }

    @Test func eachWorkerHasItsMaskAndTheLastIsThatOfAllFurtherOnes() throws {
        let affinity = try #require(
            try core("worker_cpu_affinity 0001 \"10 10\" 1\(String(repeating: "0", count: 1023));").affinity)
        let all = ProcessorMask([0, 1])
        let masks = (0..<5).map { affinity.processors(ofWorker: $0, available: all).numbers }
        #expect(masks == [[0], [1, 3], [1023], [1023], [1023]])
    }

    @Test func automaticGivesEachWorkerOneProcessorInTurn() throws {
        let all = ProcessorMask([0, 2, 5])
        let automatic = try #require(try core("worker_cpu_affinity auto;").affinity)
        #expect((0..<4).map { automatic.processors(ofWorker: $0, available: all).numbers } == [[0], [2], [5], [0]])
        let masked = try #require(try core("worker_cpu_affinity auto 1100;").affinity)
        #expect((0..<3).map { masked.processors(ofWorker: $0, available: all).numbers } == [[2], [3], [2]])
        let empty = try #require(try core("worker_cpu_affinity auto 00;").affinity)
        #expect(empty.processors(ofWorker: 0, available: all) == all)
    }

    @Test func aMaskIsBitsFromTheLowestOn() {
        let mask = ProcessorMask([0, 9, 1023])
        #expect(mask.bytes.count == 128)
        #expect(mask.bytes[0] == 1 && mask.bytes[1] == 2 && mask.bytes[127] == 0x80)
        #expect(ProcessorMask(bytes: mask.bytes) == mask)
    }

    @Test(arguments: ["0", "1024", "8k", "10M", "2g", "2G"])
    func coreSizesAreAcceptedWithANotice(size: String) throws {
        let configuration = try ConfigurationFixture.load("worker_rlimit_core \(size); events { }")
        #expect(
            configuration.notices.map(\.text) == [
                "\"worker_rlimit_core\" has no effect: workers leave no core files, which would hold passwords, whatever the limit"
            ])
    }

    @Test func onePlaceMoreThanListeningSocketsIsEnough() throws {
        let configuration = try ConfigurationFixture.load(
            "events { worker_connections 3; } mail { auth_http 192.0.2.1; server { listen 143; listen [::1]:143; } }")
        #expect(configuration.sockets.count == 2)
    }

    @Test func whatAProcessTakesOnAtItsBirthIsToldFromWhatCanChange() throws {
        let before = try ConfigurationFixture.load("worker_priority 5; env A; worker_processes 2; events { }")
        let same = try ConfigurationFixture.load(
            "worker_priority 5; env A; worker_processes 3; worker_shutdown_timeout 1s; pid x; events { worker_connections 9; }"
        )
        #expect(same.birthmarks(differingFrom: before).isEmpty)
        let other = try ConfigurationFixture.load(
            """
            user nobody; worker_rlimit_nofile 100; worker_priority 6; worker_cpu_affinity auto; working_directory /;
            env B; events { use epoll; }
            """)
        #expect(
            other.birthmarks(differingFrom: before) == [
                "worker_processes", "user", "worker_rlimit_nofile", "worker_priority", "worker_cpu_affinity",
                "working_directory", "env", "use",
            ])
    }

    @Test(arguments: [(1, 1, true), (1, 4, false), (4, 1, false), (4, 2, true)])
    func whoWasAloneIsReplacedWhenOthersComeAndTheOtherWayRound(before: Int, after: Int, isSame: Bool) throws {
        let old = try ConfigurationFixture.load("worker_processes \(before); events { }")
        let new = try ConfigurationFixture.load("worker_processes \(after); events { }")
        #expect(new.birthmarks(differingFrom: old) == (isSame ? [] : ["worker_processes"]))
    }
}
