import Testing

/// Too many connections: the protocol's own busy reply, and those who are in stay in.
@Suite("Limits", .endToEnd) struct LimitTests {
    @Test(.beyondNginx, arguments: Mail.allCases) func maxConnectionsBoundsTheClientsOfAServer(mail: Mail) throws {
        try Site.run(backEnds: .ok, adjust: { $0.limitServers(to: 2) }) { site, _ in
            let first = try site.gateway.greetedClient(mail)
            let second = try site.gateway.greetedClient(mail)
            _ = try second.logIn(mail, as: .ann)
            let third = try RawClient(site.gateway.endpoint(mail))
            let answer = try third.line()
            #expect(answer.hasPrefix(mail.busyPrefix), "\(answer)")
            let rest = try third.untilEnd()
            #expect(rest.isEmpty)
            #expect(first.isAnswered(mail) && second.isAnswered(mail))

            // Other servers have places of their own.
            let other = try #require(Mail.allCases.first { $0 != mail })
            try site.expectHealthy(other)

            second.close()
            try waitUntil("the place to be free again") {
                try RawClient(site.gateway.endpoint(mail)).line().hasPrefix(mail.greetingPrefix)
            }
        }
    }

    @Test(.beyondNginx) func workerConnectionsBoundsTheClientsOfAWorker() throws {
        try Site.run(backEnds: .ok, adjust: { $0.workerConnections = 24 }) { site, _ in
            let endpoint = try site.gateway.endpoint(.imap)
            var admitted: [RawClient] = []
            var refusal: String?
            while refusal == nil, admitted.count <= 24 {
                let client = try RawClient(endpoint)
                let greeting = try client.line()
                if greeting.hasPrefix("* OK ") { admitted.append(client) } else { refusal = greeting }
            }
            #expect(refusal?.hasPrefix(Mail.imap.busyPrefix) == true, "\(refusal ?? "nobody was refused")")
            for client in admitted { #expect(client.isAnswered(.imap)) }
            for client in admitted { client.close() }
            try waitUntil("places to be free again") {
                try RawClient(endpoint).line().hasPrefix("* OK ")
            }
            #expect(site.gateway.log.contains("worker_connections are not enough"))
        }
    }
}

extension GatewayConfiguration {
    /// Lets each server have `count` clients at once.
    fileprivate mutating func limitServers(to count: Int) {
        for index in servers.indices { servers[index].directives.append("max_connections \(count);") }
    }
}
