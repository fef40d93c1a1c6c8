import MailSessions

/// The directives of the main level, and those that may stand anywhere.
enum CoreDirectives {
    static let workerProcesses = Setting(
        "worker_processes", in: .main, workerCount, default: "1",
        "The number of worker processes; `auto` starts one for each processor. A worker is one thread, and sessions "
            + "never move between workers.")

    static let errorLog = Setting(
        "error_log", in: [.main, .mail, .server], logs, default: "stderr error", repetition: .adds,
        "A log and the least severe level that goes there; several directives make several logs. A file is relative to "
            + "the prefix (`-p`). `syslog:` sends to a syslog server over UDP or a unix socket (`server=unix:/dev/log`); its "
            + "parameters are `server=` (port 514), `facility=` (local7), `tag=` (nginx), `nohostname`, and `severity=`, which "
            + "has no effect because each line has its own. Nothing waits for a log: lines that cannot be written at once are "
            + "counted. Without a level it is `error`. nginx's debug masks (`debug_mail` …) mean `debug`. "
            + "Logs of a server replace those of `mail`, and these those of the main level.")

    static let pid = Setting(
        "pid", in: .main, prefixPath, shown: "none",
        "The file that holds the process number of the master, relative to the prefix (`-p`).")

    static let daemon = Setting(
        "daemon", in: .main, .flag, default: "off",
        "With `on` the master leaves the terminal and goes to the background once it serves; whoever started it gets "
            + "the exit code then. nginx's default is `on`; service managers and containers want `off`.")

    static let masterProcess = Setting(
        "master_process", in: .main, .flag, default: "on",
        "With `off` everything runs in one process: for development, tests and very small containers.")

    static let user = Setting(
        "user", in: .main, userAndGroup, shown: "the user who starts it",
        "The user and group that workers run as; the group is by default the one named like the user.")

    static let workerOpenFiles = Setting(
        "worker_rlimit_nofile", in: .main, .number(1...(1 << 30)), shown: "inherited",
        "The limit of open descriptors of a worker. A session takes two to three.")

    static let workerPriority = Setting(
        "worker_priority", in: .main, niceValue, shown: "inherited",
        "The nice value of the workers, from -20 (most urgent) to 19; below the inherited one it needs privileges.")

    static let workerAffinity = Setting(
        "worker_cpu_affinity", in: .main, affinity, shown: "none",
        "Binds workers to processors. A mask has a digit for each processor, the right-most being the first, and "
            + "each worker has a mask; the last one is that of all further workers. `auto` gives each worker one "
            + "processor in turn, of those in the mask if there is one.")

    static let workingDirectory = Setting(
        "working_directory", in: .main, .text("directory"), shown: "inherited",
        "The directory that workers change to; core files are written there.")

    static let environment = Setting(
        "env", in: .main, environmentWords, shown: "TZ", repetition: .adds,
        "A variable that workers inherit, or with `=` one that they are given. All others are removed, except `TZ`.")

    static let workerShutdownTimeout = Setting(
        "worker_shutdown_timeout", in: .main, .time, default: "0",
        "How long a worker that is shutting down waits for its sessions before it ends them; `0` waits for ever. "
            + "Clients that have not logged in yet get their protocol's farewell.")

    /// All rows.
    static let rows: [Directive] =
        [
            Directive(
                name: "include", contexts: .anywhere, arguments: .one, syntax: "*file* | *mask*", repetition: .adds,
                manual:
                    "Reads another file in this place, or all that a mask with `*`, `?` or `[` matches, in the order "
                    + "of their names. Relative paths start at the directory of the main file. A mask may match "
                    + "nothing. At most \(ConfigurationParser.includeDepthMaximum) files include one another.",
                action: .include),
            workerProcesses.directive, errorLog.directive, pid.directive, daemon.directive, masterProcess.directive,
            user.directive, workerOpenFiles.directive, workerPriority.directive, workerAffinity.directive,
            workingDirectory.directive, environment.directive, workerShutdownTimeout.directive,
        ] + ignored

    private static let ignored: [Directive] = [
        .ignored(
            "worker_rlimit_core", coreSize,
            because: "workers leave no core files, which would hold passwords, whatever the limit"),
        .ignored("thread_pool", threadPool, because: "nothing here blocks a worker"),
        .ignored("pcre_jit", .flag, because: "there are no regular expressions"),
        .ignored("lock_file", .text("file"), because: "workers share no lock"),
        .ignored("timer_resolution", .time, because: "the clock is read when it is needed"),
        .ignored("debug_points", .choice([("stop", true), ("abort", true)]), because: "it is for debugging nginx"),
        .ignored("load_module", .text("file"), because: "everything is part of the program"),
        .ignored("ssl_engine", .text("name"), because: "OpenSSL 3 has no engines"),
        .ignored("ssl_object_cache_inheritable", .flag, because: "certificates are read anew at a reload"),
    ]

    /// A name, `threads=` and perhaps `max_queue=`; other words are passed over, as in nginx.
    private static let threadPool = ValueSyntax<Bool>(
        ArgumentCount(minimum: 2, maximum: 3), "*name* threads=*number* [max_queue=*number*]"
    ) { (statement, _, _) throws(ConfigurationError) in
        var hasThreads = false
        for word in statement.arguments.dropFirst() {
            for (name, least) in [("threads", 1), ("max_queue", 0)] where word.hasPrefix("\(name)=") {
                guard decimal(word.dropFirst(name.utf8.count + 1), in: least...Int.max) != nil else {
                    throw statement.error(
                        "invalid \(name) value \(quoted(word))", accepted: "It must be a number, at least \(least).")
                }
                if name == "threads" { hasThreads = true }
            }
        }
        guard hasThreads else {
            throw statement.error(
                "\(quoted(statement.name)) must have \(quoted("threads")) parameter", accepted: "Add threads=number.")
        }
        return true
    }

    /// More workers than any machine has processors are a slip of the pen.
    private static let workersMaximum = 1024

    private static let workerCount = ValueSyntax<WorkerCount>.single(
        "*number* | auto", accepted: "It must be a number from 1 to \(workersMaximum), or auto."
    ) { text in
        text == "auto" ? .automatic : decimal(text, in: 1...workersMaximum).map { .exactly($0) }
    }

    /// nginx's "offset": as a size, and `g` for 1024³ as well.
    private static let coreSize = ValueSyntax<Int>.single(
        "*size*", accepted: "It must be a size such as 4096, 4k, 1m or 2g."
    ) { text in
        guard text.lowercased().hasSuffix("g") else { return byteCount(text, in: 0...Int.max) }
        return decimal(text.dropLast(), in: 0...(Int.max >> 30)).map { $0 << 30 }
    }

    private static let niceValue = ValueSyntax<Int>.single(
        "[+ | -]*number*", refusal: "invalid number", accepted: "It must be a number from -20 to 19."
    ) { text in
        let isNegative = text.hasPrefix("-")
        let digits = isNegative || text.hasPrefix("+") ? text.dropFirst() : text[...]
        return decimal(digits, in: 0...(isNegative ? 20 : 19)).map { isNegative ? -$0 : $0 }
    }

    private static let affinity = ValueSyntax<ProcessorAffinity>(.oneOrMore, "*mask* … | auto [*mask*]") {
        (statement, _, _) throws(ConfigurationError) in
        var words = statement.arguments[...]
        let isAutomatic = words.first == "auto"
        if isAutomatic { words = words.dropFirst() }
        guard !isAutomatic || words.count <= 1 else {
            throw statement.error(
                "invalid number of arguments in \(quoted(statement.name)) directive",
                accepted: "Behind auto one mask may stand.")
        }
        var masks: [ProcessorMask] = []
        for word in words { masks.append(try processorMask(word, of: statement)) }
        return isAutomatic ? .automatic(masks.first) : .masks(masks)
    }

    private static func processorMask(_ word: String, of statement: Statement) throws(ConfigurationError)
        -> ProcessorMask
    {
        guard word.utf8.count <= ProcessorMask.processorsMaximum else {
            throw statement.error(
                "\(quoted(statement.name)) supports up to \(ProcessorMask.processorsMaximum) CPUs only",
                accepted: "Each mask has one digit for each processor.")
        }
        // Spaces may group the digits.
        let digits = word.unicodeScalars.filter { $0 != " " }
        if let other = digits.first(where: { $0 != "0" && $0 != "1" }) {
            throw statement.error(
                "invalid character \(quoted(String(other))) in \(quoted(statement.name))",
                accepted: "A mask consists of 0 and 1, the right-most digit being the first processor.")
        }
        return ProcessorMask(digits.reversed().enumerated().filter { $0.element == "1" }.map(\.offset))
    }

    private static let prefixPath = ValueSyntax<String>(.one, "*file*") {
        (statement, _, context) throws(ConfigurationError) in
        context.pathOfPrefix(try printable(statement.arguments[0], of: statement))
    }

    private static let userAndGroup = ValueSyntax<UserSettings>(.oneOrTwo, "*user* [*group*]") {
        (statement, _, _) throws(ConfigurationError) in
        let names = try statement.arguments.map { (name) throws(ConfigurationError) in
            try printable(name, of: statement)
        }
        return UserSettings(name: names[0], group: names[names.count - 1], position: statement.position)
    }

    private static let environmentWords = ValueSyntax<[EnvironmentSetting]>(.one, "*name*[=*value*]") {
        (statement, previous, _) throws(ConfigurationError) in
        let parts = statement.arguments[0].split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        let name = try printable(String(parts[0]), of: statement)
        let value = parts.count == 2 ? String(parts[1]) : nil
        guard statement.arguments[0].utf8.allSatisfy({ $0 != 0 }) else {
            throw statement.invalidValue(statement.arguments[0], accepted: "It must not contain NUL.")
        }
        return (previous ?? []) + [EnvironmentSetting(name: name, value: value)]
    }

    private static let logs = ValueSyntax<[LogSettings]>(
        .oneOrMore,
        "*file* | stderr | syslog:server=*address*[,*parameter* …] "
            + "[\(LogLevel.allCases.map(\.rawValue).joined(separator: " | "))]"
    ) { (statement, previous, context) throws(ConfigurationError) in
        let target = try logTarget(statement, &context)
        return (previous ?? []) + [LogSettings(target: target, level: try logLevel(statement))]
    }

    private static func logTarget(
        _ statement: Statement, _ context: inout ParseContext
    ) throws(ConfigurationError) -> LogSettings.Target {
        let text = try printable(statement.arguments[0], of: statement)
        if text.hasPrefix("syslog:") {
            return .syslog(try SyslogSettings(text.dropFirst("syslog:".count), of: statement, &context))
        }
        if text.hasPrefix("memory:") {
            throw statement.error(
                "\(quoted("error_log memory:")) is only in nginx's debugging build",
                accepted: "It must be a file, stderr or syslog:server=address.")
        }
        return text == "stderr" ? .stderr : .file(context.pathOfPrefix(text))
    }

    /// The words behind the log: one level, or any number of debug masks.
    private static func logLevel(_ statement: Statement) throws(ConfigurationError) -> LogLevel {
        var level: LogLevel?
        var isMask = false
        for word in statement.arguments.dropFirst() {
            if let named = LogLevel(rawValue: word) {
                guard level == nil else { throw statement.error("duplicate log level \(quoted(word))") }
                level = named
            } else if debugMasks.contains(word) {
                guard level == nil || isMask else { throw statement.error("duplicate log level \(quoted(word))") }
                level = .debug
                isMask = true
            } else {
                throw statement.error(
                    "invalid log level \(quoted(word))", accepted: oneOf(LogLevel.allCases.map(\.rawValue)))
            }
        }
        return level ?? .error
    }

    private static let debugMasks: Set<String> = [
        "debug_core", "debug_alloc", "debug_mutex", "debug_event", "debug_http", "debug_mail", "debug_stream",
    ]
}
