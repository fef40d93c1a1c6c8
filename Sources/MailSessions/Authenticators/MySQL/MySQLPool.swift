#if MySQL
    import AsyncIO

    /// A login as a database is asked about it.
    struct MySQLQuestion: Sendable {
        var attempt: LoginAttempt
        /// For the placeholders, in their order.
        var values: [[UInt8]]
        /// Nobody logs in: the password does not matter.
        var isLookup = false
    }

    /// What a database, and the check of the password, say about a login.
    enum MySQLVerdict: Sendable {
        /// Nobody has this name.
        case unknown
        /// Somebody has, and the password is another, or the account is locked.
        case wrong
        /// The password is right, and the account is not to be let in.
        case refused(MySQLRefusal)
        /// There is an account; its password was not asked for.
        case found(MySQLAccount)
        /// The password is right; it is the one of the account.
        case accepted(MySQLAccount, Secret)
    }

    /// The connections of one worker to one database, each with a login's question at a time.
    ///
    /// ```
    ///   login ──▶ idle connection ──▶ thread: open? ask, check the hash ──▶ verdict
    ///     │            ▲  └──▶ next in line ──▶ …            │
    ///     └─▶ line     └─────────────────────────────────────┘
    /// ```
    /// libmariadb blocks, so nothing of it happens on the executor's thread. A login waits until its deadline and no
    /// longer: a connection that hangs goes on without it, and comes back when the library gives up. While the database
    /// cannot be reached, connecting is tried after a pause only, and logins in between fail at once.
    package actor MySQLPool {
        package nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe executor.asUnownedSerialExecutor() }

        /// Between two attempts to connect, doubled with each failure: short enough that nobody notices when the
        /// database is back, long enough that a database which starts is not run over.
        static let pauses = (shortest: Duration.milliseconds(100), longest: Duration.seconds(2))

        package nonisolated let settings: MySQLSettings
        private let executor: RingExecutor
        private let threads: BlockingPool
        private let connections: [MySQLConnection]
        /// By their places in `connections`, the one used last at the end, so that those beyond the demand grow old.
        private var idle: [Int]
        /// Whose answer each of the others brings.
        private var asked: [Int: Promise<Answer>] = [:]
        private var line: [Inquiry] = []
        private var isRetired = false
        /// When connecting may be tried, and why not earlier.
        private var connectsFrom: Instant
        private var pause = MySQLPool.pauses.shortest
        private var lastFailure: DatabaseFailure?

        private typealias Answer = Result<MySQLVerdict, DatabaseFailure>

        private struct Inquiry {
            var question: MySQLQuestion
            var deadline: Instant
            var answer: Promise<Answer>
        }

        /// No connection is made before somebody asks.
        package init(_ settings: MySQLSettings, on executor: RingExecutor) {
            self.settings = settings
            self.executor = executor
            threads = BlockingPool(threads: settings.connections, queueMaximum: settings.connections)
            connections = (0..<settings.connections).map { _ in MySQLConnection(settings) }
            idle = Array(connections.indices)
            connectsFrom = executor.now
        }

        /// Asks the database; throws when there is no verdict within `auth_mysql_timeout`, or `scope` is cancelled.
        func verdict(on question: MySQLQuestion, in scope: CancellationScope) async throws(DatabaseFailure)
            -> MySQLVerdict
        {
            let answer = Promise<Answer>(on: executor)
            let inquiry = Inquiry(
                question: question, deadline: executor.now + settings.timeout, answer: answer)
            guard !idle.isEmpty || line.count < settings.queue else { throw .overloaded }
            line.append(inquiry)
            if let connection = idle.popLast() { serveNext(on: connection) }
            let result: Answer
            do throws(IOError) {
                result = try await answer.value(by: inquiry.deadline, scope: scope)
            } catch {
                line.removeAll { $0.answer === answer }
                throw error == .cancelled ? .cancelled : .timedOut
            }
            return try result.get()
        }

        /// Closes the connections, each as soon as nobody waits for it. Who still asks later gets an answer, too.
        package func retire() {
            isRetired = true
            let former = idle
            idle = []
            for index in former { serveNext(on: index) }
            threads.retire()
        }

        /// Has the connection at `index`, which nobody uses, answer the next in line; where there is none, it waits for
        /// one, and is closed first if the pool is retired.
        private func serveNext(on index: Int) {
            let connection = connections[index]
            while !line.isEmpty {
                let inquiry = line.removeFirst()
                if !connection.isOpen, executor.now < connectsFrom, let lastFailure {
                    inquiry.answer.fulfil(.failure(lastFailure))
                } else if serve(inquiry, on: index) {
                    return
                } else {
                    inquiry.answer.fulfil(.failure(.overloaded))
                }
            }
            let isClosing =
                isRetired && connection.isOpen && run({ connection.close() }) { pool, _ in pool.serveNext(on: index) }
            if !isClosing { idle.append(index) }
        }

        /// False where no thread can be started for it.
        private func serve(_ inquiry: Inquiry, on index: Int) -> Bool {
            let connection = connections[index]
            let (question, deadline, closes) = (inquiry.question, inquiry.deadline, isRetired)
            let isStarted = run({
                defer { if closes { connection.close() } }
                return connection.decide(question, until: deadline)
            }) { pool, answer in
                pool.note(answer)
                pool.asked.removeValue(forKey: index)?.fulfil(answer)
                pool.serveNext(on: index)
            }
            if isStarted { asked[index] = inquiry.answer }
            return isStarted
        }

        private func note(_ answer: Answer) {
            guard case .failure(let failure) = answer, case .unreachable = failure else {
                pause = MySQLPool.pauses.shortest
                lastFailure = nil
                return
            }
            lastFailure = failure
            connectsFrom = executor.now + pause
            pause = min(pause * 2, MySQLPool.pauses.longest)
        }

        /// Runs `work` on a thread, then `completion` here; false, and neither is run, where no thread can be started.
        private func run<Value: Sendable>(
            _ work: @escaping @Sendable () -> Value,
            completion: @escaping @Sendable (isolated MySQLPool, Value) -> Void
        ) -> Bool {
            threads.start(on: executor, work) { value in self.assumeIsolated { completion($0, value) } }
        }
    }
#endif
