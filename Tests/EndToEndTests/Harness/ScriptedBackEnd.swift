/// A back-end that misbehaves on purpose, or remembers every byte (Clients/back_end.py).
struct ScriptedBackEnd {
    let endpoint: Endpoint
    let process: RunningProcess
    private let records: String

    enum Mode: String, CaseIterable, Sendable {
        case ok, garbage, close, halfway, silent, refuse, plain, preauth, inject
    }

    init(on stage: Stage, _ mail: Mail, _ mode: Mode) throws {
        records = stage.directory.path("received-\(mail.rawValue)")
        process = try stage.start(
            "backend-\(mail.rawValue)",
            ["/usr/bin/python3", Stage.script("back_end.py"), stage.host, mail.rawValue, mode.rawValue, records])
        endpoint = Endpoint(host: stage.host, port: try process.announcedPort())
    }

    /// What came after the login, of all sessions.
    var received: String { textOfFile(records) }
}
