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

    static let masterProcess = Setting(
        "master_process", in: .main, .flag, default: "on",
        "With `off` everything runs in one process: for development, tests and very small containers.")

    static let user = Setting(
        "user", in: .main, userAndGroup, shown: "the user who starts it",
        "The user and group that workers run as; the group is by default the one named like the user.")

    static let workerOpenFiles = Setting(
        "worker_rlimit_nofile", in: .main, .number(1...(1 << 30)), shown: "inherited",
        "The limit of open descriptors of a worker. A session takes two to three.")

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
            workerProcesses.directive, errorLog.directive, pid.directive, masterProcess.directive,
            user.directive, workerOpenFiles.directive, workingDirectory.directive, environment.directive,
            workerShutdownTimeout.directive,
        ] + ignored

    private static let ignored: [Directive] = [
        .ignored("daemon", .flag, because: "the process stays in the foreground, for service managers and containers") {
            !$0
        },
        .ignored("worker_rlimit_core", .text("size"), because: "the service manager sets it"),
        .ignored("worker_priority", .text("number"), because: "the service manager sets it"),
        .ignored("worker_cpu_affinity", .words("mask"), because: "the kernel places the workers"),
        .ignored("thread_pool", .words("name* threads=*n", threadPoolWords), because: "nothing here blocks a worker"),
        .ignored("pcre_jit", .flag, because: "there are no regular expressions"),
        .ignored("lock_file", .text("file"), because: "workers share no lock"),
        .ignored("timer_resolution", .time, because: "the clock is read when it is needed"),
        .ignored("debug_points", .choice([("stop", true), ("abort", true)]), because: "it is for debugging nginx"),
        .ignored("load_module", .text("file"), because: "everything is part of the program"),
        .ignored("ssl_engine", .text("name"), because: "OpenSSL 3 has no engines"),
        .ignored("ssl_object_cache_inheritable", .flag, because: "certificates are read anew at a reload"),
    ]

    /// A name, `threads=` and perhaps `max_queue=`.
    private static let threadPoolWords = ArgumentCount(minimum: 2, maximum: 3)

    /// More workers than any machine has processors are a slip of the pen.
    private static let workersMaximum = 1024

    private static let workerCount = ValueSyntax<WorkerCount>.single(
        "*number* | auto", accepted: "It must be a number from 1 to \(workersMaximum), or auto."
    ) { text in
        text == "auto" ? .automatic : decimal(text, in: 1...workersMaximum).map { .exactly($0) }
    }

    private static let prefixPath = ValueSyntax<String>(.one, "*file*") {
        (statement, _, context) throws(ConfigurationError) in
        context.pathOfPrefix(try printable(statement.arguments[0], of: statement))
    }

    private static let userAndGroup = ValueSyntax<UserSettings>(.oneOrTwo, "*user* [*group*]") {
        (statement, _, _) throws(ConfigurationError) in
        let name = try printable(statement.arguments[0], of: statement)
        guard statement.arguments.count == 2 else { return UserSettings(name: name, group: name) }
        return UserSettings(name: name, group: try printable(statement.arguments[1], of: statement))
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
