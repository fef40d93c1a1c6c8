import AsyncIO
import MailSessions

/// The pools of connections to databases in one worker, one for each of the distinct settings.
struct MySQLPools: Sendable {
    private let executor: RingExecutor
    #if MySQL
        private let former: [MySQLSettings: MySQLPool]
        private var pools: [MySQLSettings: MySQLPool] = [:]
    #endif

    /// - Parameter previous: the pools before; those that are still asked are kept.
    init(executor: RingExecutor, previous: MySQLPools?) {
        self.executor = executor
        #if MySQL
            former = previous?.pools ?? [:]
        #endif
    }

    /// Who asks the database of `settings`, for a server of this protocol.
    mutating func authenticator(_ settings: MySQLSettings, for mailProtocol: MailProtocol) -> any Authenticator {
        #if MySQL
            let pool = pools[settings] ?? former[settings] ?? MySQLPool(settings, on: executor)
            pools[settings] = pool
            return MySQLAuthenticator(pool, for: mailProtocol)
        #else
            preconditionFailure("auth_mysql was refused when the configuration was read")
        #endif
    }

    /// Closes the connections, but for those of pools that `successor` has too.
    func retire(for successor: MySQLPools?) async {
        #if MySQL
            for (settings, pool) in pools where successor?.pools[settings] == nil { await pool.retire() }
        #endif
    }
}
