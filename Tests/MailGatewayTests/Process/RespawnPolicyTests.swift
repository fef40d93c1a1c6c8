import Testing

@testable import MailGateway

/// How soon a dead process is replaced.
@Suite struct RespawnPolicyTests {
    @Test func thePausesOfThoseWhoDieYoungDoubleUpToTheLongest() {
        var policy = RespawnPolicy()
        let pauses = (0..<9).map { _ in policy.pause(afterAge: .milliseconds(3)) }
        #expect(pauses == [50, 100, 200, 400, 800, 1600, 3200, 5000, 5000].map { .milliseconds($0) })
    }

    @Test func whoeverServedForAWhileIsReplacedAtOnceAndClearsTheRecord() {
        var policy = RespawnPolicy()
        for _ in 0..<4 { _ = policy.pause(afterAge: .zero) }
        #expect(policy.pause(afterAge: RespawnPolicy.youth) == .zero)
        #expect(policy.pause(afterAge: RespawnPolicy.youth - .milliseconds(1)) == RespawnPolicy.shortest)
    }
}

/// How many workers there are.
@Suite struct WorkerCountTests {
    @Test func automaticIsOneForEachProcessor() {
        #expect(WorkerCount.automatic.workers(processors: 6) == 6)
        #expect(WorkerCount.automatic.workers(processors: 0) == 1)
        #expect(WorkerCount.exactly(3).workers(processors: 6) == 3)
    }

    @Test func theProcessorsAreThoseOfOurAffinityMask() throws {
        let status = try DiskSource().read("/proc/self/status").bytes
        let lines = String(decoding: status, as: UTF8.self).split(separator: "\n")
        let list = try #require(lines.first { $0.hasPrefix("Cpus_allowed_list:") }?.split(separator: "\t").last)
        let expected = list.split(separator: ",").reduce(0) { sum, range in
            let ends = range.split(separator: "-").compactMap { Int($0) }
            return sum + (ends.last ?? 0) - (ends.first ?? 0) + 1
        }
        #expect(WorkerCount.processorsForUs == expected)
    }
}
