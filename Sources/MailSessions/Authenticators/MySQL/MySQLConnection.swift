#if MySQL
    import AsyncIO
    import CMariaDB
    import Glibc

    /// One connection to a database, opened when it is first needed, with the prepared query.
    ///
    /// Everything here blocks, within the time-outs of the settings: it is for the threads of a `MySQLPool`. A
    /// connection on which anything failed is closed, so that none is used in a state that nobody knows.
    // Safety: `MySQLPool` gives a connection to one thread at a time and touches it only in between.
    @safe
    final class MySQLConnection: @unchecked Sendable {
        private let settings: MySQLSettings
        private var session: UnsafeMutablePointer<MYSQL>?
        private var statement: UnsafeMutablePointer<MYSQL_STMT>?
        private var answer: MySQLAnswer?
        /// The last hash that was seen: what unknown names are checked against, so that they take as long.
        private var decoy = CryptHash.usual

        /// A connection that is not open yet.
        init(_ settings: MySQLSettings) {
            self.settings = settings
            MySQLConnection.prepareLibrary
        }

        deinit { close() }

        /// Whether there is a connection, which may have been lost meanwhile.
        var isOpen: Bool { unsafe session != nil }

        /// Looks the login up and checks what the client has shown; opens a connection where there is none.
        ///
        /// One that was kept may have been closed by the server: then the question is asked once more over a new one,
        /// if it is not `deadline` yet.
        func decide(_ question: MySQLQuestion, until deadline: Instant) -> Result<MySQLVerdict, DatabaseFailure> {
            let wasKept = isOpen
            do throws(DatabaseFailure) {
                return .success(try attempt(question))
            } catch {
                guard wasKept, error.isLoss, Instant.now < deadline else { return .failure(error) }
            }
            do throws(DatabaseFailure) {
                return .success(try attempt(question))
            } catch {
                return .failure(error)
            }
        }

        /// Ends the connection, if there is one.
        func close() {
            if let statement = unsafe statement { unsafe mysql_stmt_close(statement) }
            unsafe statement = nil
            answer = nil
            if let session = unsafe session { unsafe mysql_close(session) }
            unsafe session = nil
        }

        private func attempt(_ question: MySQLQuestion) throws(DatabaseFailure) -> MySQLVerdict {
            let account: MySQLAccount?
            do throws(DatabaseFailure) {
                if !isOpen { try open() }
                account = try self.account(question)
            } catch {
                close()
                throw error
            }
            if question.isLookup { return account.map { .found($0) } ?? .unknown }
            if case .hashed(let hash) = account?.password { decoy = hash.decoy }
            let password = StoredPassword.proven(by: question.attempt, against: account?.password, decoy: decoy)
            guard let account else { return .unknown }
            guard let password else { return .wrong }
            if let refusal = account.refusal { return .refused(refusal) }
            return .accepted(account, password)
        }

        // MARK: Connecting

        // Before the first thread: the library's own initialisation is not safe with several.
        private static let prepareLibrary: Void = {
            let status = mysql_server_init(0, nil, nil)
            precondition(status == 0, "libmariadb can be initialised")
        }()

        /// Those that prove the password without giving it away to whoever plays the server.
        private static let safePlugins = "mysql_native_password,caching_sha2_password,client_ed25519,parsec"
        /// The longest time that the library is told: it counts milliseconds in 32 bits.
        private static let timeoutMaximum = Duration.seconds(1_000_000)

        private var timeout: Duration { min(settings.timeout, MySQLConnection.timeoutMaximum) }

        private func open() throws(DatabaseFailure) {
            guard let session = unsafe mysql_init(nil) else { throw .unreachable(code: 0, text: "no memory") }
            unsafe self.session = session
            let authorities = unsafe try setOptions(session)
            try withExtendedLifetime(authorities) { () throws(DatabaseFailure) in unsafe try connect(session) }
            unsafe try limitStatements(session)
            unsafe try prepareStatement(session)
        }

        /// - Returns: what must stay until the connection is made.
        private func setOptions(_ session: UnsafeMutablePointer<MYSQL>) throws(DatabaseFailure) -> MemoryFile? {
            // The library counts in seconds; the statement's own limit is exact, and comes first.
            let seconds = UInt32(timeout.components.seconds) + 1
            for option in [MYSQL_OPT_CONNECT_TIMEOUT, MYSQL_OPT_READ_TIMEOUT, MYSQL_OPT_WRITE_TIMEOUT] {
                unsafe set(option, seconds, of: session)
            }
            // A server must not be able to ask for our files.
            unsafe set(MYSQL_OPT_LOCAL_INFILE, UInt32(0), of: session)
            unsafe mysql_options(session, MYSQL_SET_CHARSET_NAME, "utf8mb4")
            unsafe mysql_options(session, MARIADB_OPT_RESTRICTED_AUTH, MySQLConnection.safePlugins)
            // By default the library takes a unix socket of its own choice for "localhost".
            let transport = if case .unix = settings.server { MYSQL_PROTOCOL_SOCKET } else { MYSQL_PROTOCOL_TCP }
            unsafe set(MYSQL_OPT_PROTOCOL, transport.rawValue, of: session)
            unsafe set(MYSQL_OPT_SSL_ENFORCE, my_bool(settings.tls == nil ? 0 : 1), of: session)
            guard let authorities = settings.tls?.authorities else {
                unsafe set(MYSQL_OPT_SSL_VERIFY_SERVER_CERT, my_bool(0), of: session)
                return nil
            }
            unsafe set(MYSQL_OPT_SSL_VERIFY_SERVER_CERT, my_bool(1), of: session)
            // A worker reads nothing from the disk that its configuration names (docs/decisions/0006).
            guard let file = MemoryFile(authorities.content.bytes) else {
                throw .unreachable(code: 0, text: "no memory")
            }
            unsafe mysql_options(session, MYSQL_OPT_SSL_CA, file.path)
            return file
        }

        private func set<Value>(_ option: mysql_option, _ value: Value, of session: UnsafeMutablePointer<MYSQL>) {
            unsafe withUnsafePointer(to: value) { _ = unsafe mysql_options(session, option, $0) }
        }

        private func connect(_ session: UnsafeMutablePointer<MYSQL>) throws(DatabaseFailure) {
            var password = settings.password?.bytes ?? []
            password.append(0)
            defer { wipe(&password) }
            let isConnected = unsafe password.withUnsafeBufferPointer { bytes in
                unsafe bytes.withMemoryRebound(to: CChar.self) { password in
                    switch settings.server {
                    case .host(let host, let port):
                        unsafe mysql_real_connect(
                            session, host, settings.user, password.baseAddress, settings.database, UInt32(port), nil, 0)
                            != nil
                    case .unix(let path):
                        unsafe mysql_real_connect(
                            session, nil, settings.user, password.baseAddress, settings.database, 0, path, 0) != nil
                    }
                }
            }
            guard isConnected else {
                throw .unreachable(code: unsafe mysql_errno(session), text: unsafe text(mysql_error(session)))
            }
        }

        /// Has the server end a statement that takes too long, lest it works on for nobody.
        private func limitStatements(_ session: UnsafeMutablePointer<MYSQL>) throws(DatabaseFailure) {
            let (seconds, attoseconds) = timeout.components
            let milliseconds = seconds * 1000 + attoseconds / 1_000_000_000_000_000
            let isMariaDB = unsafe String(cString: mysql_get_server_info(session)).contains("MariaDB")
            let setting =
                isMariaDB
                ? "SET max_statement_time = \(milliseconds) / 1000" : "SET max_execution_time = \(milliseconds)"
            guard unsafe mysql_query(session, setting) == 0 else {
                throw .failed(code: unsafe mysql_errno(session), text: unsafe text(mysql_error(session)))
            }
        }

        // MARK: Asking

        private func prepareStatement(_ session: UnsafeMutablePointer<MYSQL>) throws(DatabaseFailure) {
            guard let statement = unsafe mysql_stmt_init(session) else { throw .failed(code: 0, text: "no memory") }
            unsafe self.statement = statement
            var query = settings.query.text
            let status = query.withUTF8 { bytes in
                unsafe bytes.withMemoryRebound(to: CChar.self) {
                    unsafe mysql_stmt_prepare(statement, $0.baseAddress, UInt($0.count))
                }
            }
            guard status == 0 else { throw unsafe failure(of: statement) }
            guard unsafe mysql_stmt_param_count(statement) == settings.query.parameters.count else {
                throw .failed(code: 0, text: "the statement has other placeholders than were found in it")
            }
            do throws(MySQLAnswerFault) {
                answer = unsafe try MySQLAnswer(of: statement)
            } catch {
                throw .unusable(error)
            }
        }

        private func account(_ question: MySQLQuestion) throws(DatabaseFailure) -> MySQLAccount? {
            guard let statement = unsafe statement, let answer else { preconditionFailure("opened, so prepared") }
            guard unsafe execute(statement, question.values) else { throw unsafe failure(of: statement) }
            guard unsafe mysql_stmt_store_result(statement) == 0 else { throw unsafe failure(of: statement) }
            defer {
                unsafe mysql_stmt_free_result(statement)
                answer.wipe()
            }
            let count = unsafe mysql_stmt_num_rows(statement)
            guard count > 0 else { return nil }
            guard count == 1 else { throw .unusable(.severalRows) }
            guard unsafe mysql_stmt_fetch(statement) != 1 else { throw unsafe failure(of: statement) }
            do throws(MySQLAnswerFault) {
                var values = try answer.values
                defer {
                    while let column = values.keys.first {
                        if var value = values.removeValue(forKey: column) { wipe(&value) }
                    }
                }
                return try MySQLAccount(values)
            } catch {
                throw .unusable(error)
            }
        }

        /// Binds `values` to the placeholders and runs the statement; false when either failed.
        private func execute(_ statement: UnsafeMutablePointer<MYSQL_STMT>, _ values: [[UInt8]]) -> Bool {
            // One piece of memory for all, which stays where it is until the server has it.
            var bytes = values.flatMap { $0 }
            // A pointer to nothing would be no pointer.
            bytes.append(0)
            return unsafe bytes.withUnsafeMutableBytes { memory in
                var bindings = unsafe [MYSQL_BIND]()
                var offset = 0
                for value in values {
                    var binding = unsafe MYSQL_BIND()
                    unsafe binding.buffer_type = MYSQL_TYPE_STRING
                    unsafe binding.buffer = memory.baseAddress.map { unsafe $0 + offset }
                    unsafe binding.buffer_length = UInt(value.count)
                    unsafe binding.length_value = UInt(value.count)
                    unsafe bindings.append(binding)
                    offset += value.count
                }
                return unsafe mysql_stmt_bind_param(statement, &bindings) == 0 && mysql_stmt_execute(statement) == 0
            }
        }

        private func failure(of statement: UnsafeMutablePointer<MYSQL_STMT>) -> DatabaseFailure {
            .failed(code: unsafe mysql_stmt_errno(statement), text: unsafe text(mysql_stmt_error(statement)))
        }

        /// The library's words: one line, bounded.
        private func text(_ message: UnsafePointer<CChar>?) -> String {
            guard let message = unsafe message else { return "" }
            let bytes = unsafe UnsafeBufferPointer(start: message, count: strnlen(message, 256))
            return unsafe String(decoding: bytes.map { UInt8(bitPattern: $0) }.withoutControls, as: UTF8.self)
        }
    }

    extension DatabaseFailure {
        /// The connection is gone: a server that was started anew, or that closed what was idle for long.
        fileprivate var isLoss: Bool {
            guard case .failed(let code, _) = self else { return false }
            // Gone away; lost while asking; the same with details; shutting down; killed; closed when idle.
            return [2006, 2013, 2055, 1053, 1927, 4031].contains(code)
        }
    }
#endif
