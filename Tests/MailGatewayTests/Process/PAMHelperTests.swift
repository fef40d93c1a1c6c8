#if PAM
    import AsyncIO
    import Glibc
    import MailSessions
    import Testing

    @testable import MailGateway

    /// When the PAM helper gives itself up.
    @Suite struct PAMHelperTests {
        /// So many conversations that began at `start`, each with its asker's end.
        private func conversations(
            _ count: Int, since start: Instant
        ) throws -> (conversations: [PAMHelper.Conversation], askers: [Int32]) {
            let pairs = try (0..<count).map { _ in try QuestionChannel.connectedEnds() }
            let conversations = pairs.map { PAMHelper.Conversation(reply: QuestionReply(adopting: $0.1), start: start) }
            return (conversations, pairs.map(\.0))
        }

        @Test func `it does when nobody waits for any of its conversations, and all take too long`() throws {
            let start = Instant(nanoseconds: 1_000_000_000)
            let late = start + PAMHelper.hangTime + .nanoseconds(1)
            var (all, askers) = try conversations(PAMLimits.threads, since: start)
            #expect(!PAMHelper.areHung(all, at: late), "their askers wait")
            let last = askers.removeLast()
            for asker in askers { close(asker) }
            #expect(!PAMHelper.areHung(all, at: late), "one waits")
            close(last)
            #expect(PAMHelper.areHung(all, at: late))
            #expect(!PAMHelper.areHung(all, at: start + PAMHelper.hangTime), "it may end yet")
            all.removeLast()
            #expect(!PAMHelper.areHung(all, at: late), "a thread is free")
        }
    }
#endif
