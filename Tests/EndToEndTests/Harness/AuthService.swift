import Foundation

/// The auth_http service of a test (Clients/auth_service.py).
struct AuthService {
    let endpoint: Endpoint
    let process: RunningProcess
    private let records: String

    /// How it behaves; the path of the request says which (see the script).
    enum Behaviour: String, CaseIterable, Sendable {
        case auth, wait, close, hangup, http10, slow, garbage, early, half, broken, nowhere
    }

    /// One request as the service saw it.
    struct Request: Decodable, Equatable {
        /// Number of the TCP connection, from 1.
        let connection: Int
        let line: String
        /// Name and value, in the order sent.
        let headers: [[String]]

        /// The value of the first header of this name.
        subscript(name: String) -> String? { headers.first { $0.first == name }?.last }
    }

    /// - Parameters:
    ///   - headers: added to each success.
    ///   - tokens: of OAUTHBEARER and XOAUTH2, and whose they are.
    ///   - identity: files of certificate and key, for https.
    ///   - host: the stage's own by default.
    ///   - name: of its process and its records.
    init(
        on stage: Stage, accounts: [Account] = Account.all, servers: [Mail: Endpoint], headers: [String: String] = [:],
        tokens: [String: String] = [:], identity: [String]? = nil, host: String? = nil, name: String = "auth"
    ) throws {
        let host = host ?? stage.host
        records = stage.directory.path("\(name)-requests.json")
        let settings = Settings(
            accounts: Dictionary(uniqueKeysWithValues: accounts.map { ($0.name, $0.password) }),
            servers: Dictionary(
                uniqueKeysWithValues: servers.map { ($0.rawValue, [.text($1.host), .number($1.port)]) }),
            headers: headers, tokens: tokens, tls: identity)
        process = try stage.start(
            name,
            [
                "/usr/bin/python3", Stage.script("auth_service.py"), host, records,
                String(decoding: try JSONEncoder().encode(settings), as: UTF8.self),
            ])
        endpoint = Endpoint(host: host, port: try process.announcedPort())
    }

    /// All requests so far, oldest first.
    var requests: [Request] {
        get throws {
            try textOfFile(records).split(separator: "\n")
                .map { try JSONDecoder().decode(Request.self, from: Data($0.utf8)) }
        }
    }

    private struct Settings: Encodable {
        let accounts: [String: String]
        let servers: [String: [Value]]
        let headers: [String: String]
        let tokens: [String: String]
        let tls: [String]?

        enum Value: Encodable {
            case text(String)
            case number(UInt16)

            func encode(to encoder: any Encoder) throws {
                var container = encoder.singleValueContainer()
                switch self {
                case .text(let text): try container.encode(text)
                case .number(let number): try container.encode(number)
                }
            }
        }
    }
}
