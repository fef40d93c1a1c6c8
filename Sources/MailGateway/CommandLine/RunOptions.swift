import ArgumentParser

/// The options that say which configuration is meant, named as in nginx.
struct RunOptions: ParsableArguments {
    @Option(
        name: [.customShort("c", allowingJoined: true), .customLong("configuration")],
        help: ArgumentHelp(
            "The configuration file, relative to the prefix; without it a built-in demo runs.", valueName: "file"))
    var path: String?

    @Option(
        name: [.customShort("p", allowingJoined: true), .customLong("prefix")],
        help: ArgumentHelp("The directory that the pid file and logs are relative to.", valueName: "directory"))
    var prefix = ""

    @Option(
        name: [.customShort("e", allowingJoined: true), .customLong("error-log")],
        help: ArgumentHelp(
            "The log until the configuration's own is known: a file or stderr.", valueName: "file"))
    var errorLog: String?

    @Option(
        name: [.customShort("g", allowingJoined: true), .customLong("directives")],
        help: ArgumentHelp("Directives of the main level, read before the file.", valueName: "directives"))
    var directives = ""

    /// What they say.
    var choice: ConfigurationChoice {
        ConfigurationChoice(path: path, prefix: prefix, errorLog: errorLog, directives: directives)
    }
}
