/// A back-end that misbehaves on purpose, or remembers every byte (Clients/back_end.py).
struct ScriptedBackEnd {
    let endpoint: Endpoint
    let process: RunningProcess
    private let records: String

    enum Mode: String, CaseIterable, Sendable {
        case ok, garbage, close, halfway, silent, refuse, together, touchy, plain, preauth, inject
    }

    /// - Parameters:
    ///   - name: of its process and its records, where there are several.
    ///   - place: where it listens; nil for a port that the kernel chooses.
    init(on stage: Stage, _ mail: Mail, _ mode: Mode, name: String = "backend", at place: Endpoint? = nil) throws {
        records = stage.directory.path("received-\(name)-\(mail.rawValue)")
        let host = place?.host ?? stage.host
        process = try stage.start(
            "\(name)-\(mail.rawValue)",
            ["/usr/bin/python3", Stage.script("back_end.py"), host, mail.rawValue, mode.rawValue, records]
                + (place.map { ["\($0.port)"] } ?? []))
        endpoint = Endpoint(host: host, port: try process.announcedPort())
    }

    /// What came after the login, of all sessions.
    var received: String { textOfFile(records) }
}
