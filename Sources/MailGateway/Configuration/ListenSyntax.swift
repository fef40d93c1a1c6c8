import AsyncIO

extension ValueSyntax where Value == [ListenSettings] {
    /// `listen address [parameters]` (nginx-mail.md §2.2): one socket for each address and port.
    static var listen: ValueSyntax {
        ValueSyntax(
            .oneOrMore,
            "*address*:*port*[-*port*] | *port* | unix:*path* [ssl] [proxy_protocol] [backlog=*n*] [rcvbuf=*size*] "
                + "[sndbuf=*size*] [bind] [ipv6only=on|off] [so_keepalive=on|off|[*idle*]:[*interval*]:[*count*]] "
                + "[reuseport] [multipath]"
        ) { (statement, previous, context) throws(ConfigurationError) in
            let addresses = try listenAddresses(statement, &context)
            let options = try ListenOptions(statement)
            var sockets = previous ?? []
            var seen: Set<SocketAddress> = []
            // A name may stand for one address twice; only another directive makes that a mistake.
            for address in addresses where seen.insert(address).inserted {
                guard context.addressesTaken.insert(address).inserted else {
                    throw statement.error(
                        "duplicate \(quoted(address.description)) address and port pair",
                        accepted: "A server takes the clients of an address once.")
                }
                context.addressCount += 1
                guard context.addressCount <= ParseContext.addressesMaximum else {
                    throw statement.error(
                        "too many addresses", accepted: "At most \(ParseContext.addressesMaximum) are listened on.")
                }
                sockets.append(ListenSettings(address: address, position: statement.position, options: options))
            }
            return sockets
        }
    }
}

/// All addresses of one `listen`: those of its host, each with every port of its range.
private func listenAddresses(
    _ statement: Statement, _ context: inout ParseContext
) throws(ConfigurationError) -> [SocketAddress] {
    let text = statement.arguments[0]
    do throws(Endpoint.Failure) {
        let endpoint = try Endpoint(text, for: .listen)
        if case .unix = endpoint.host { return try endpoint.addresses(port: 0, &context) }
        // nginx would listen on port 0, that is on any port, which nobody means.
        guard let ports = endpoint.ports else { throw Endpoint.Failure(text: "no port") }
        let hosts = try endpoint.addresses(port: 0, &context)
        return hosts.flatMap { host in ports.map { host.withPort($0) } }
    } catch {
        throw statement.error(
            "\(error.text) in \(quoted(text)) of the \"listen\" directive",
            accepted: "It must be a port, address:port, [IPv6 address]:port, a range such as 143-150, or unix:/path.")
    }
}

extension ListenOptions {
    /// The words behind the address.
    fileprivate init(_ statement: Statement) throws(ConfigurationError) {
        self.init()
        for word in statement.arguments.dropFirst() {
            let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if parts.count == 2 {
                try take(String(parts[0]), String(parts[1]), word, statement)
            } else {
                try take(word, statement)
            }
        }
    }

    /// A word without a value.
    private mutating func take(
        _ word: String, _ statement: Statement
    ) throws(ConfigurationError) {
        switch word {
        case "bind": hasOwnSocket = true
        case "reuseport":
            isReusePort = true
            hasOwnSocket = true
        case "multipath":
            isMultipath = true
            hasOwnSocket = true
        case "proxy_protocol":
            hasProxyHeaders = true
        case "ssl":
            hasTLS = true
        default: throw unknown(word, statement)
        }
    }

    /// `key=value`.
    private mutating func take(
        _ key: String, _ value: String, _ word: String, _ statement: Statement
    ) throws(ConfigurationError) {
        switch key {
        case "backlog":
            guard let number = decimal(value, in: 1...Int(Int32.max)) else {
                throw statement.error("invalid backlog \(quoted(word))", accepted: "It must be a number from 1.")
            }
            backlog = number
            hasOwnSocket = true
        case "rcvbuf": receiveBuffer = try bufferSize(key, value, word, statement)
        case "sndbuf": sendBuffer = try bufferSize(key, value, word, statement)
        case "ipv6only" where value.hasPrefix("o"):
            guard value == "on" || value == "off" else {
                throw statement.error("invalid ipv6only flags \(quoted(value))", accepted: "It must be on or off.")
            }
            isIPv6Only = value == "on"
            hasOwnSocket = true
        case "so_keepalive":
            guard let parsed = KeepAlive(value) else {
                throw statement.error(
                    "invalid so_keepalive value: \(quoted(value))",
                    accepted: "It must be on, off, or idle:interval:count such as 30m::10.")
            }
            keepAlive = parsed
            hasOwnSocket = true
        default: throw unknown(word, statement)
        }
    }

    private mutating func bufferSize(
        _ key: String, _ value: String, _ word: String, _ statement: Statement
    ) throws(ConfigurationError) -> Int {
        guard let size = byteCount(value, in: 1...Int(Int32.max)) else {
            throw statement.error("invalid \(key) \(quoted(word))", accepted: "It must be a size such as 64k.")
        }
        hasOwnSocket = true
        return size
    }

    private func unknown(_ word: String, _ statement: Statement) -> ConfigurationError {
        statement.error(
            "invalid parameter \(quoted(word))",
            accepted: "The parameters are ssl, proxy_protocol, backlog=, rcvbuf=, sndbuf=, bind, ipv6only=, "
                + "so_keepalive=, reuseport and multipath.")
    }
}

extension ListenOptions.KeepAlive {
    /// `on`, `off` or `[idle]:[interval]:[count]`, of which at least one part is given and not zero.
    fileprivate init?(_ text: String) {
        switch text {
        case "on": self = .on(idle: nil, interval: nil, count: nil)
        case "off": self = .off
        default:
            let parts = text.split(separator: ":", omittingEmptySubsequences: false)
            guard parts.count == 3 else { return nil }
            let idle = duration(parts[0], precision: .seconds)
            let interval = duration(parts[1], precision: .seconds)
            let count = decimal(parts[2], in: 0...Int(Int32.max))
            guard parts[0].isEmpty || idle != nil, parts[1].isEmpty || interval != nil, parts[2].isEmpty || count != nil
            else { return nil }
            guard (idle ?? .zero) > .zero || (interval ?? .zero) > .zero || (count ?? 0) > 0 else { return nil }
            self = .on(
                idle: idle.flatMap { $0 > .zero ? $0 : nil }, interval: interval.flatMap { $0 > .zero ? $0 : nil },
                count: count.flatMap { $0 > 0 ? $0 : nil })
        }
    }
}
