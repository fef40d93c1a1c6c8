/// A back-end that misbehaves on purpose, or remembers every byte (Clients/back_end.py).
struct ScriptedBackEnd {
    let endpoint: Endpoint
    let process: RunningProcess
    private let records: String

    enum Mode: String, CaseIterable, Sendable {
        case ok, garbage, close, halfway, silent, refuse, plain, preauth, inject
    }

    /// - Parameter name: of its process and its records, where there are several.
    init(on stage: Stage, _ mail: Mail, _ mode: Mode, name: String = "backend") throws {
        records = stage.directory.path("received-\(name)-\(mail.rawValue)")
        process = try stage.start(
            "\(name)-\(mail.rawValue)",
            ["/usr/bin/python3", Stage.script("back_end.py"), stage.host, mail.rawValue, mode.rawValue, records])
        endpoint = Endpoint(host: stage.host, port: try process.announcedPort())
    }

    /// What came after the login, of all sessions.
    var received: String { textOfFile(records) }
}
