import AsyncIO

/// `auth_mysql` and what belongs to it. Servers with the same settings share one pool of connections.
package struct MySQLSettings: Sendable, Hashable {
    /// Where the database server is.
    package enum Server: Sendable, Hashable, CustomStringConvertible {
        /// A name or an address without brackets; names are looked up when a connection is made.
        case host(String, port: UInt16)
        case unix(String)

        package var description: String {
            switch self {
            case .host(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
            case .unix(let path): "unix:\(path)"
            }
        }
    }

    package var server: Server
    /// As whom we log in at the database.
    package var user: String
    /// Nil for none, as where the database trusts the account that owns the process (unix_socket).
    package var password: Secret?
    /// The default schema of the query's tables; nil for none.
    package var database: String?
    /// `auth_mysql_query`.
    package var query: MySQLQuery
    /// `auth_mysql_timeout`: what one login waits for an answer, and what the server may spend on a statement.
    package var timeout: Duration = .seconds(10)
    /// `auth_mysql_connections`: connections of one worker, and so questions asked at once.
    package var connections = 4
    /// `auth_mysql_queue`: logins waiting for one of them, beyond which they fail at once.
    package var queue = 256
    /// `auth_mysql_ssl`; nil for a connection in clear.
    package var tls: MySQLTLS?

    package init(server: Server, user: String, query: MySQLQuery = .empty) {
        self.server = server
        self.user = user
        self.query = query
    }
}

/// `auth_mysql_ssl_…`.
package struct MySQLTLS: Sendable, Hashable {
    /// Who vouches for the server; nil where it need not prove who it is.
    package var authorities: TLSText?

    package init(authorities: TLSText?) { self.authorities = authorities }
}

/// Why a database gave no answer. Texts are one line and bounded.
package enum DatabaseFailure: Error, Sendable, Equatable {
    /// None came within `auth_mysql_timeout`.
    case timedOut
    /// The session ended meanwhile.
    case cancelled
    /// More logins wait than `auth_mysql_queue`, or no thread can be started.
    case overloaded
    /// No connection could be made; none is tried again before a short pause is over.
    case unreachable(code: UInt32, text: String)
    /// The database refused the statement, or the connection was lost.
    case failed(code: UInt32, text: String)
    /// It answered something that cannot be acted on.
    case unusable(MySQLAnswerFault)
}

/// What is wrong with an answer of the query.
package enum MySQLAnswerFault: Error, Sendable, Equatable {
    /// The statement gives no table.
    case noColumns
    /// A column that means nothing to us; bounded.
    case unknownColumn(String)
    /// The same column twice.
    case duplicateColumn(MySQLColumn)
    /// Without the password anybody could log in.
    case noPasswordColumn
    /// One login is one account.
    case severalRows
    /// Longer than `MySQLColumn.lengthMaximum`.
    case tooLong(MySQLColumn)
    /// It cannot be what it should be.
    case invalid(MySQLColumn)
    /// A port without a host.
    case portWithoutHost
}
