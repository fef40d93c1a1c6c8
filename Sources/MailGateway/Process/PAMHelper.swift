#if PAM
    import AsyncIO
    import Glibc
    import MailSessions

    /// The process that asks PAM: it keeps the privileges that workers give up, and knows nothing but this.
    ///
    /// ```
    ///            ┌ control: the services it may ask ── keeper (master)
    /// poll ──────┤
    ///            └ questions ── workers ──▶ thread, thread … ──answer──▶ the worker that asked
    /// ```
    /// Modules block as long as they like, on threads of a bounded number; what waits for one is bounded,
    /// too. It believes nothing that workers say (`PAMQuestion`), and asks the configuration's services only.
    /// It ends when nobody is left who could ask.
    final class PAMHelper: Sendable {
        /// A conversation that takes longer, and whose asker has given up, does not end any more.
        static let hangTime = Duration.seconds(60)
        /// How often it looks for that, in milliseconds.
        private static let checkInterval: Int32 = 5000

        /// A conversation under way.
        struct Conversation: Sendable {
            let reply: QuestionReply
            let start: Instant
        }

        private let questions: Int32
        private let pool = BlockingPool(threads: PAMLimits.threads, queueMaximum: PAMLimits.queueMaximum)
        private let conversations = Lock<[Conversation]>([])

        private init(questions: Int32) { self.questions = questions }

        /// The whole life of the process, from its inherited descriptors to its exit code.
        static func main(questions: Int32, control: Int32) -> Int32 {
            // Modules start programs, which get signals as the system has them, not as a master does.
            for number in [SIGPIPE, SIGUSR1, SIGUSR2, SIGHUP] { _ = signal(number, SIG_DFL) }
            Signals.unblockAll()
            // Inherited by us, and by no program that a module starts.
            for descriptor in [questions, control] { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
            do throws(StartFailure) {
                try WorkerRole.keepSecrets()
            } catch {
                Terminal.complain(error)
                return 2
            }
            return PAMHelper(questions: questions).serve(control: control)
        }

        private func serve(control: Int32) -> Int32 {
            var services: Set<PAMService> = []
            // Below zero it is closed: the master has gone, but its workers may still ask.
            var control = control
            while true {
                var watches = [
                    pollfd(fd: control, events: Int16(POLLIN), revents: 0),
                    pollfd(fd: questions, events: Int16(POLLIN), revents: 0),
                ]
                let isIdle = conversations.withLock { $0.isEmpty }
                _ = unsafe poll(&watches, 2, isIdle ? -1 : PAMHelper.checkInterval)
                if conversations.withLock({ PAMHelper.areHung($0, at: .now) }) { return PAMKeeper.hungExitCode }
                do throws(IOError) {
                    // First, always: a list comes before the questions about what is new in it.
                    switch try QuestionChannel.read(from: control, maximum: PAMServiceList.bytesMaximum) {
                    case .message(let list, _): services = PAMServiceList.decode(list) ?? []
                    case .end:
                        close(control)
                        control = -1
                    case .nothing, .tooLong: break
                    }
                } catch {
                    // Closed by now.
                }
                do throws(IOError) {
                    switch try QuestionChannel.read(from: questions, maximum: PAMQuestion.bytesMaximum) {
                    case .message(var bytes, let descriptors):
                        take(&bytes, descriptors, services)
                    case .end: return 0
                    case .nothing, .tooLong: break
                    }
                } catch {
                    return 2
                }
            }
        }

        private func take(_ bytes: inout [UInt8], _ descriptors: [Int32], _ services: Set<PAMService>) {
            defer { wipe(&bytes) }
            let replies = descriptors.map { QuestionReply(adopting: $0) }
            guard let reply = replies.first else { return }
            guard replies.count == 1, let question = PAMQuestion(decoding: bytes), services.contains(question.service)
            else { return reply.send(PAMAnswer.rejected.encoded) }
            let isQueued = pool.start { self.answer(question, reply) }
            if !isQueued { reply.send(PAMAnswer.overloaded.encoded) }
        }

        private func answer(_ question: PAMQuestion, _ reply: QuestionReply) {
            // Whoever gave up in the queue needs no answer.
            guard reply.isAwaited else { return }
            conversations.withLock { $0.append(Conversation(reply: reply, start: .now)) }
            let answer = PAMConversation.hold(question)
            conversations.withLock { $0.removeAll { $0.reply === reply } }
            reply.send(answer.encoded)
        }

        /// Whether all threads are held by conversations that nobody waits for and that will not end.
        static func areHung(_ conversations: [Conversation], at now: Instant) -> Bool {
            conversations.count >= PAMLimits.threads
                && conversations.allSatisfy { now - $0.start > hangTime && !$0.reply.isAwaited }
        }
    }
#endif
