/// HAProxy in TCP mode: it knows nothing of logins, so the client talks to the back-end from the first byte.
///
/// What it shows is the price of relaying alone.
struct HAProxyDialect: ServerDialect {
    /// `tune.bufsize` in bytes; nil for the default of 16 KiB.
    let bufferSize: Int?

    let program = "haproxy"
    let package = "haproxy"
    let versionArgument = "-v"

    func serves(_ scenario: Scenario) -> Bool {
        guard scenario.load.security == .none || scenario.load.security == .tls else { return false }
        // Its sessions have a back-end from the beginning.
        if scenario.load.work == .greeted { return false }
        // Its threads share the open files of one process: it cannot hold more by having more of them.
        if scenario.load.workers > 1, scenario.unit == .idleSession { return false }
        switch scenario.unit {
        case .mebibyte: return true
        case .roundTrip, .idleSession: return bufferSize == nil
        case .session, .greeting: return false
        }
    }

    func configuration(_ plan: ServerPlan) -> String {
        let tls = plan.load.security == .none ? "" : " ssl crt \(plan.directory)/tls.pem"
        let sections = zip(plan.ports, plan.backEnds).map { port, backEnd in
            let servers = BackEndFarm.hosts.map { "    server host\($0) 127.0.0.\($0):\(backEnd)" }
            return (["listen port\(port)", "    bind 127.0.0.1:\(port)\(tls)"] + servers).joined(separator: "\n")
        }
        return """
            global
                nbthread \(plan.load.workers)
                maxconn \(plan.load.connections / 2)
                \(bufferSize.map { "tune.bufsize \($0)" } ?? "")
            defaults
                mode tcp
                maxconn \(plan.load.connections / 2)
                timeout connect 10s
                timeout client 1h
                timeout server 1h
            \(sections.joined(separator: "\n"))

            """
    }

    func arguments(configuration: String, directory: String) -> [String] { ["-db", "-f", configuration] }
}
