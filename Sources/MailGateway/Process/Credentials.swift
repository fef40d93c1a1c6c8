import Glibc

/// Whom the workers run as, looked up from `user`.
struct Credentials: Sendable, Hashable {
    let name: String
    let user: uid_t
    let group: gid_t

    /// Looks the names up; nginx's texts for unknown ones.
    init(_ settings: UserSettings) throws(StartFailure) {
        guard let entry = unsafe getpwnam(settings.name) else {
            throw StartFailure(
                ConfigurationError(
                    "getpwnam(\(quoted(settings.name))) failed", at: settings.position,
                    accepted: "It must be the name of a user of this machine."))
        }
        guard let groupEntry = unsafe getgrnam(settings.group) else {
            throw StartFailure(
                ConfigurationError(
                    "getgrnam(\(quoted(settings.group))) failed", at: settings.position,
                    accepted: "It must be the name of a group of this machine, by default that of the user."))
        }
        name = settings.name
        user = unsafe entry.pointee.pw_uid
        group = unsafe groupEntry.pointee.gr_gid
    }

    /// Becomes this user for good: group, further groups, user, in the order that still may.
    func take() throws(StartFailure) {
        guard setgid(group) == 0 else { throw .lastError("setgid(\(group))") }
        guard unsafe initgroups(name, group) == 0 else { throw .lastError("initgroups(\(name), \(group))") }
        guard setuid(user) == 0 else { throw .lastError("setuid(\(user))") }
    }

    /// Those of `configuration` if they can be taken on, that is if we are root; nil otherwise.
    static func ofWorkers(_ configuration: Configuration) throws(StartFailure) -> Credentials? {
        guard geteuid() == 0, let user = configuration.core.user else { return nil }
        return try Credentials(user)
    }

    /// Said where the workers of root's master stay root; nginx has a user for them when it is built.
    static let missingWarning =
        "without the \"user\" directive the workers of a master that runs as root stay root"

    /// nginx's warning where `user` is without effect.
    static let uselessWarning =
        "the \"user\" directive makes sense only if the master process runs with super-user privileges, ignored"
}
