/// nginx's command line, for whoever starts the program without one of its commands: letters that may be
/// bundled (`-tq`), with values that may be glued (`-c/etc/x`).
struct NginxCommandLine: Sendable, Hashable {
    /// What it asks for, the last of these that is said, but for the order in which nginx looks.
    enum Action: Sendable, Hashable {
        case run
        case check(ConfigurationCheck)
        case request(GatewayRequest)
        case showVersion
        /// The version, and what is built in.
        case showBuild
        case showHelp
    }

    private(set) var choice = ConfigurationChoice()
    private(set) var action = Action.run

    /// nginx's text for words that it does not understand.
    struct Refused: Error, Sendable, Hashable {
        let text: String
    }

    /// Whether words are meant for this command line: they begin with one of its letters.
    static func isMeant(by words: [String]) -> Bool {
        guard let first = words.first else { return false }
        return first.hasPrefix("-") && !first.hasPrefix("--")
    }

    /// Reads words, without the program's name.
    init(_ words: [String]) throws(Refused) {
        var letters: Set<Character> = []
        var request: GatewayRequest?
        var rest = words[...]
        while let word = rest.popFirst() {
            guard word.hasPrefix("-") else { throw Refused(text: "invalid option: \(quoted(word))") }
            var bundle = word.dropFirst()
            while let letter = bundle.popFirst() {
                guard let need = NginxCommandLine.needs[letter] else {
                    guard NginxCommandLine.flags.contains(letter) else {
                        throw Refused(text: "invalid option: \(quoted(String(letter)))")
                    }
                    letters.insert(letter)
                    continue
                }
                guard let value = bundle.isEmpty ? rest.popFirst() : String(bundle) else {
                    throw Refused(text: "option \"-\(letter)\" requires \(need)")
                }
                bundle = ""
                switch letter {
                case "c": choice.path = value
                case "p": choice.prefix = value
                case "e": choice.errorLog = value
                case "g": choice.directives = value
                default:
                    request = GatewayRequest(rawValue: value)
                    guard let request, request != .upgrade else {
                        throw Refused(text: "invalid option: \"-s \(value)\"")
                    }
                }
            }
        }
        action =
            if letters.contains("h") || letters.contains("?") {
                .showHelp
            } else if letters.contains("V") {
                .showBuild
            } else if letters.contains("v") {
                .showVersion
            } else if letters.contains("t") || letters.contains("T") {
                .check(
                    ConfigurationCheck(choice: choice, dumps: letters.contains("T"), isQuiet: letters.contains("q")))
            } else if let request {
                .request(request)
            } else {
                .run
            }
    }

    /// Does what was asked for; returns the exit code.
    func run() -> Int32 {
        switch action {
        case .run: return Launch(choice: choice).run()
        case .check(let check): return check.run()
        case .request(let request): return request.send(choice)
        case .showVersion: Terminal.write(NginxCommandLine.version)
        case .showBuild: Terminal.write("\(NginxCommandLine.version)\n\(NginxCommandLine.build)")
        case .showHelp: Terminal.write("\(NginxCommandLine.version)\n\(NginxCommandLine.help)")
        }
        return 0
    }

    private static let flags: Set<Character> = ["?", "h", "v", "V", "t", "T", "q"]

    /// The letters with a value, and what it is.
    private static let needs: [Character: String] = [
        "c": "file name", "e": "file name", "p": "directory name", "g": "parameter", "s": "parameter",
    ]

    private static let version = "mailgateway version: mailgateway/\(GatewayCommand.versionNumber)"

    private static let build = "protocols: imap, pop3, smtp\nevent methods: io_uring, epoll"

    private static let help = """
        Usage: mailgateway [-?hvVtTq] [-s signal] [-p prefix]
                           [-e filename] [-c filename] [-g directives]

        Options:
          -?,-h         : this help
          -v            : show version and exit
          -V            : show version and what is built in, and exit
          -t            : test configuration and exit
          -T            : test configuration, dump it and exit
          -q            : suppress non-error messages during configuration testing
          -s signal     : send signal to a master process: stop, quit, reopen, reload
          -p prefix     : the directory that the pid file and logs are relative to
          -e filename   : the log until the configuration's own is known (or stderr)
          -c filename   : the configuration file; without it a built-in demo runs
          -g directives : directives of the main level, read before the file

        These are nginx's spellings; `mailgateway --help` shows the program's own commands.
        """
}
