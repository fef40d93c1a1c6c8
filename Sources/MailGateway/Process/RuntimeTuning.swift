import Glibc

/// What the Swift runtime and the C library read once, when a process starts, and can be told nowhere else. Workers and
/// helpers inherit it.
enum RuntimeTuning {
    /// The runtime allocates what a task needs, and frees it when it is needed no more. By default a task gets a slab of
    /// a kilobyte, and keeps what its deepest call took until it ends: a session is one task, deep while it logs in and
    /// shallow for the hours behind (docs/decisions/0003). A runtime that does not know the variable ignores it.
    private static let exactStacks = (name: "SWIFT_DEBUG_ENABLE_TASK_SLAB_ALLOCATOR", value: "0")
    /// glibc keeps more freed pieces of each size at hand than its seven: sessions come and go by dozens. Another libc
    /// ignores it.
    private static let keptPieces = (name: "GLIBC_TUNABLES", value: "glibc.malloc.tcache_count=64")

    /// Starts the program anew, as the same process and with the same descriptors, where it was started without these.
    /// An administrator's own values go before. Returns where there is nothing to do, and where it cannot be done, which
    /// costs memory and nothing else.
    /// - Parameter arguments: those of the program, its name included.
    static func apply(to arguments: [String]) {
        guard ProcessEnvironment.value(exactStacks.name) == nil else { return }
        for (name, value) in [exactStacks, keptPieces] { unsafe setenv(name, value, 0) }
        var words: [UnsafeMutablePointer<CChar>?] = unsafe arguments.map { unsafe strdup($0) } + [nil]
        defer { unsafe words.forEach { unsafe free($0) } }
        _ = unsafe execv("/proc/self/exe", &words)
    }
}
