/// `check`, and nginx's `-t`, `-T` and `-q`: reads the configuration and names its mistakes.
///
/// It changes nothing, opens no socket and needs no root.
struct ConfigurationCheck: Sendable, Hashable {
    let choice: ConfigurationChoice
    /// Prints what was read as well.
    var dumps = false
    /// Says nothing about success.
    var isQuiet = false

    /// Checks; returns the exit code.
    func run() -> Int32 {
        let configuration: Configuration
        do throws(StartFailure) {
            configuration = try checked()
        } catch {
            Terminal.complain(error)
            Terminal.write("mailgateway: configuration file \(choice.shownPath) test failed")
            return 1
        }
        for notice in configuration.notices where notice.level >= .warn {
            Terminal.complain(notice.level, notice.description)
        }
        if !isQuiet {
            Terminal.write("mailgateway: the configuration file \(choice.shownPath) syntax is ok")
            Terminal.write("mailgateway: configuration file \(choice.shownPath) test is successful")
        }
        if dumps {
            // Accounts are nobody's business; nginx has none to show.
            for text in configuration.origin.texts where text.kind == .directives {
                Terminal.say("# configuration file \(text.path):")
                Terminal.say(text.content.bytes)
            }
        }
        return 0
    }

    private func checked() throws(StartFailure) -> Configuration {
        let configuration: Configuration
        do throws(ConfigurationError) {
            configuration = try choice.loadConfiguration()
        } catch {
            throw StartFailure(error)
        }
        // As in nginx, of interest to whoever may take on another user.
        _ = try Credentials.ofWorkers(configuration)
        return configuration
    }
}
