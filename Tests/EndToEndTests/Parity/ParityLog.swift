/// The lines about each session in an error log, in a form that can be compared.
struct ParityLog {
    /// By session, in the order in which they were accepted; without time, process and connection number.
    private(set) var sessions: [[String]] = []

    /// Reads a whole log.
    init(_ text: String) {
        var places: [Substring: Int] = [:]
        for line in text.split(separator: "\n") {
            guard let match = line.firstMatch(of: #/\[([a-z]+)\] \d+\#\d+: \*(\d+) (.*)/#) else { continue }
            let (_, level, number, message) = match.output
            if message.firstMatch(of: #/^client \S+ connected to /#) != nil {
                places[number] = sessions.count
                sessions.append([])
            }
            guard let place = places[number] else { continue }
            sessions[place].append(ParityLog.normalised("[\(level)] \(message)"))
        }
    }

    /// What may differ by nature, or is listed once for all lines: addresses and ports; bytes and duration at the
    /// end; quotes and backslashes that are escaped; long excerpts that are cut; the back-end where no login is known.
    private static func normalised(_ line: String) -> String {
        line.replacing(/127\.\d+\.\d+\.\d+(:\d+)?/, with: "HOST")
            .replacing(/, bytes from\/to client: .*/, with: "")
            .replacing(#"\x22"#, with: "\"").replacing(#"\x5C"#, with: "\\")
            .replacing(/"([^"]{100})[^"]*"/) { "\"\($0.output.1)\"" }
            .replacing(/(, server: HOST), upstream: HOST/) { String($0.output.1) }
    }
}
