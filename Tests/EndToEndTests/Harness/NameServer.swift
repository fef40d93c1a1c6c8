import Foundation

/// A name server of a test that says what a script tells it (Clients/dns_server.py).
struct NameServer {
    let endpoint: Endpoint
    private let records: String

    /// What is answered to one question; see the script.
    struct Rule: Encodable, Sendable {
        var data: [String] = []
        /// What is answered instead from the second question on; empty for the same.
        var then: [String] = []
        var ttl = 60
        var rcode = 0
        var silent = false
        var garbage = false
        var wrongID = false
        var loop = false

        enum CodingKeys: String, CodingKey {
            case data, then, ttl, rcode, silent, garbage, loop
            case wrongID = "wrong_id"
        }
    }

    /// - Parameter rules: by `name kind`, such as `mx.example A`; whatever is not there is NXDOMAIN.
    init(on stage: Stage, _ rules: [String: Rule]) throws {
        records = stage.directory.path("dns-questions")
        let process = try stage.start(
            "dns",
            [
                "/usr/bin/python3", Stage.script("dns_server.py"), stage.host, records,
                String(decoding: try JSONEncoder().encode(rules), as: UTF8.self),
            ])
        endpoint = Endpoint(host: stage.host, port: try process.announcedPort())
    }

    /// `name kind` of every question so far.
    var questions: [String] { textOfFile(records).split(separator: "\n").map(String.init) }
}
