import AsyncIO
import MailSessions

/// The authenticators of one configuration at work in one worker; servers that ask the same one share it.
struct AuthenticatorSet: Sendable {
    /// Checks the hashes of passwords.
    private let hashing: BlockingPool
    /// Leads to the PAM helper.
    private let pam: QuestionAsker
    /// Looks host names up where there is no `resolver`.
    private let names: BlockingPool
    /// The worker's budget.
    private let connections: ConnectionBudget
    private let executor: RingExecutor
    private let former: [AuthHTTPSettings: AuthHTTPService]
    private var services: [AuthHTTPSettings: AuthHTTPService] = [:]
    private var databases: MySQLPools

    /// - Parameter previous: the set before; what both ask the same way they ask over the same connections.
    init(
        hashing: BlockingPool, pam: QuestionAsker, names: BlockingPool, connections: ConnectionBudget,
        executor: RingExecutor, previous: AuthenticatorSet?
    ) {
        self.hashing = hashing
        self.pam = pam
        self.names = names
        self.connections = connections
        self.executor = executor
        former = previous?.services ?? [:]
        databases = MySQLPools(executor: executor, previous: previous?.databases)
    }

    /// Who decides about the logins of a server.
    /// - Parameter resolver: of the server's `resolver`.
    mutating func chain(for server: ServerSettings, resolver: Resolver?) -> any Authenticator {
        let authenticators = authenticators(for: server, resolver: resolver)
        // Services decide about everybody: where there is nobody else, a chain would be a detour.
        let chain =
            if authenticators.count == 1, case .http = server.authenticators[0] {
                authenticators[0]
            } else {
                AuthenticatorChain(authenticators)
            }
        return server.cache.map { CachingAuthenticator(chain, $0, for: server.mailProtocol, on: executor) } ?? chain
    }

    /// The authenticators of a server, in their order.
    mutating func authenticators(for server: ServerSettings, resolver: Resolver?) -> [any Authenticator] {
        var authenticators: [any Authenticator] = []
        for settings in server.authenticators {
            switch settings {
            case .http(let services):
                let asked = services.map { service($0, resolver) }
                authenticators.append(AuthHTTPClient(asked, for: server, budget: connections))
            case .accounts(let accounts):
                authenticators.append(AccountsAuthenticator(accounts, hashing: hashing))
            case .mysql(let settings):
                authenticators.append(databases.authenticator(settings, for: server.mailProtocol))
            case .pam(let settings): authenticators.append(PAMAuthenticator(settings, asking: pam))
            }
        }
        return authenticators
    }

    private mutating func service(_ settings: AuthHTTPSettings, _ resolver: Resolver?) -> AuthHTTPService {
        let service =
            services[settings] ?? former[settings]
            ?? AuthHTTPService(
                settings, resolver: settings.resolver == nil ? nil : resolver, names: names, on: executor)
        services[settings] = service
        return service
    }

    /// Keeps no more idle connections, but for those of services that `successor` asks too.
    func retire(for successor: AuthenticatorSet?) async {
        for (settings, service) in services where successor?.services[settings] == nil { service.kept.retire() }
        await databases.retire(for: successor?.databases)
    }
}
