import Glibc

/// The environment of the processes that the master starts.
extension EnvironmentSetting {
    /// What `env` leaves of our environment, and what it adds.
    static func values(_ settings: [EnvironmentSetting]) -> [(name: String, value: String)] {
        settings.compactMap { setting in
            if let value = setting.value { return (setting.name, value) }
            return ProcessEnvironment.value(setting.name).map { (setting.name, $0) }
        }
    }
}

/// Our own environment.
enum ProcessEnvironment {
    /// Names the listening descriptors that a program takes over from the one before, as in nginx: `5;6;`.
    static let inheritedSockets = "NGINX"
    /// Names the descriptor on which a process in the background says that it serves.
    static let readiness = "MAILGATEWAY_READY"

    /// The value of a variable; nil when it is not set.
    static func value(_ name: String) -> String? { unsafe getenv(name).map { unsafe String(cString: $0) } }

    /// The value of a variable, which nobody else shall see: not we again, nor our children.
    static func take(_ name: String) -> String? {
        defer { unsafe unsetenv(name) }
        return value(name)
    }

    /// All variables as `NAME=value`.
    static var all: [String] {
        var variables: [String] = []
        var index = 0
        while let variable = unsafe environ[index] {
            variables.append(unsafe String(cString: variable))
            index += 1
        }
        return variables
    }
}
