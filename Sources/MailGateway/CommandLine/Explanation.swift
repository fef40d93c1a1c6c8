import AsyncIO
import MailSessions

/// What would happen to the login of one user at one server, as far as can be known without a password.
struct Explanation: Sendable {
    /// For each look at a back-end.
    private static let patience = Duration.seconds(3)

    private let user: [UInt8]
    private let server: ServerConfiguration
    private var settings: ServerSettings
    private let scope: CancellationScope
    private let resolver: Resolver?
    private let router: BackEndRouter
    private let authenticators: [any Authenticator]
    private let connections = ConnectionBudget(maximum: 1024)

    /// An explanation that has asked nobody yet.
    init(of user: [UInt8], at server: ServerConfiguration, on executor: RingExecutor) {
        self.user = user
        self.server = server
        settings = server.settings
        scope = CancellationScope(on: executor)
        let names = BlockingPool(threads: 4, queueMaximum: 64)
        let resolver = settings.resolver.map { Resolver($0, on: executor) }
        self.resolver = resolver
        let lookup =
            resolver.map { HostLookup.resolver($0, timeout: server.settings.resolverTimeout) }
            ?? .system(SystemHosts(on: executor, pool: names))
        let connections = connections
        router = BackEndRouter(
            settings.groups.map { BackEndGroup($0, lookup: lookup, connections: connections, on: executor) },
            lookup: lookup)
        var set = AuthenticatorSet(
            // No module is asked without a password, so there is no helper.
            hashing: names, pam: QuestionAsker(using: -1, on: executor), names: names, connections: connections,
            executor: executor, previous: nil)
        authenticators = set.authenticators(for: settings, resolver: resolver)
    }

    /// The explanation, line by line.
    func lines() async -> [String] {
        let addresses = server.listeners.map { "\($0.address)" }.joined(separator: ", ")
        var lines = ["server: \(settings.mailProtocol.rawValue) at \(addresses) (\(server.position))"]
        await explainAuthenticators(&lines)
        await resolver?.close()
        return lines
    }

    // MARK: Who knows the user

    private func explainAuthenticators(_ lines: inout [String]) async {
        let name = LogText.quoted(user)
        for authenticator in authenticators {
            do throws(AuthenticatorFailure) {
                switch try await authenticator.locate(user, in: scope) {
                case .unknown: lines.append("authenticator: \(authenticator.directive) does not know \(name)")
                case .needsPassword:
                    lines.append(
                        "authenticator: \(authenticator.directive) decides about \(name), and only with a password")
                    guard settings.backEnd != nil else {
                        return lines.append(
                            "back-end: whichever \(authenticator.directive) names; there is no proxy_pass")
                    }
                    lines.append("back-end: whichever \(authenticator.directive) names, else that of proxy_pass:")
                    return await explain(.configured, &lines)
                case .known(let choice, let security):
                    lines.append("authenticator: \(authenticator.directive) knows \(name)")
                    var itsWay = self
                    if let security { itsWay.settings.proxy.tls.security = security }
                    return await itsWay.explain(choice, &lines)
                }
            } catch {
                lines.append("authenticator: \(authenticator.directive) cannot say: \(error)")
                return lines.append("the login would be a temporary failure")
            }
        }
        lines.append("nobody knows \(name): the login would be refused")
    }

    // MARK: Where the mail is

    private func explain(_ choice: BackEndChoice, _ lines: inout [String]) async {
        switch choice {
        case .configured:
            guard let configured = settings.backEnd else {
                return lines.append(
                    "back-end: none, for there is no proxy_pass; the login would be a temporary failure")
            }
            lines.append("back-end: proxy_pass \(configured)")
            await explain(configured, &lines)
        case .address(let address): await explain([address], host: nil, &lines)
        case .name(let name, let port):
            do throws(DNSFailure) {
                let deadline = scope.executor.now + settings.timeout
                switch try await router.target(named: name, deadline: deadline, in: scope) {
                case .group(let group): await explain(group, &lines)
                case .addresses(let addresses):
                    await explain(addresses.map { $0.withPort(port ?? $0.port) }, host: name, &lines)
                }
            } catch {
                lines.append("\(LogText.quoted(name)) could not be resolved (\(error))")
                lines.append("the login would be a temporary failure")
            }
        }
    }

    private func explain(_ addresses: [SocketAddress], host: String?, _ lines: inout [String]) async {
        explainTLS(&lines)
        for address in addresses {
            let failure = await look(at: address, host: host)
            lines.append("  \(withPort(address)): \(word(failure))")
            if failure == nil { return lines.append("used: \(withPort(address))") }
        }
        lines.append("nobody serves: the login would be a temporary failure")
    }

    private func explain(_ group: BackEndGroup, _ lines: inout [String]) async {
        let members = group.settings.members
        lines.append("group: \(group.settings.name), \(method(group.settings.balancing))")
        if let place = await group.point(of: user) {
            let hash = String(place.hash, radix: 16)
            lines.append("hash: \(hash) of \(LogText.quoted(user)), point \(place.point) of \(place.count)")
        }
        explainTLS(&lines)
        for (name, failure) in await group.refresh(until: scope.executor.now + settings.timeout, in: scope) {
            lines.append("  \(LogText.quoted(name)) could not be resolved (\(failure))")
        }
        var failures: [Int: BackEndProbe.Failure] = [:]
        for peer in await group.peers {
            let member = members[peer.member]
            var facts = ["weight \(member.weight)"]
            if let maximum = member.connectionsMaximum { facts.append("max_conns \(maximum)") }
            if member.isBackup { facts.append("backup") }
            if member.isDown {
                facts.append("down")
            } else {
                let failure = await look(at: peer.address, host: member.hostName)
                failures[peer.id] = failure
                facts.append(word(failure))
            }
            lines.append("  \(withPort(peer.address)): \(facts.joined(separator: ", "))")
        }
        await choose(in: group, failures, &lines)
    }

    /// Goes the way that a session would go, now that it is known who serves.
    private func choose(
        in group: BackEndGroup, _ failures: [Int: BackEndProbe.Failure], _ lines: inout [String]
    ) async {
        var walk = BackEndWalk(key: user)
        var passedOver: [String] = []
        do throws(IOError) {
            while let peer = try await group.next(&walk) {
                peer.connections.giveBack()
                guard failures[peer.id] != nil else {
                    let before = passedOver.isEmpty ? "" : ", after \(passedOver.joined(separator: ", "))"
                    let depends = group.settings.balancing.dependsOnUserOnly ? "" : " first; others take their turns"
                    return lines.append("used: \(withPort(peer.address))\(depends)\(before)")
                }
                passedOver.append("\(withPort(peer.address))")
            }
        } catch {
            lines.append("\(error)")
        }
        lines.append("nobody serves: the login would be a temporary failure")
    }

    // MARK: Words

    private func look(at address: SocketAddress, host: String?) async -> BackEndProbe.Failure? {
        await BackEndProbe(for: settings, connections: connections).failure(
            of: address, host: host, login: nil, deadline: scope.executor.now + Explanation.patience, scope: scope)
    }

    private func word(_ failure: BackEndProbe.Failure?) -> String {
        failure.map { "does not serve: \(SessionLog.text($0))" } ?? "serves"
    }

    private func withPort(_ address: SocketAddress) -> SocketAddress {
        let port = settings.mailProtocol.backEndPort(settings.proxy.tls.security)
        return address.port == 0 ? address.withPort(port) : address
    }

    private func explainTLS(_ lines: inout [String]) {
        let tls = settings.proxy.tls
        let whom = tls.name.map { "the certificate must be for \($0)" } ?? "the certificate must be for its host"
        switch tls.security {
        case .off: lines.append("tls: off")
        case .on: lines.append("tls: from the first byte, \(whom)")
        case .startTLS: lines.append("tls: by STARTTLS, \(whom)")
        }
    }

    private func method(_ balancing: BackEndGroupSettings.Balancing) -> String {
        switch balancing {
        case .roundRobin: "in turns, by weight"
        case .leastConnections: "the fewest connections, by weight"
        case .hash(isConsistent: true): "by hash of the user, consistent"
        case .hash(isConsistent: false): "by hash of the user"
        case .random: "by chance, by weight"
        case .randomOfTwo: "the better of two by chance"
        }
    }
}

extension BackEndGroupSettings.Balancing {
    /// The same user goes to the same member.
    fileprivate var dependsOnUserOnly: Bool {
        if case .hash = self { return true }
        return false
    }
}
