import Glibc

/// A process and all its descendants, as /proc shows them.
struct ProcessTree {
    let root: pid_t

    /// CPU time of a tree at one moment.
    struct Reading {
        let members: Set<pid_t>
        let nanoseconds: UInt64
    }

    /// The root and its descendants, found by their parents' ids.
    func members() -> Set<pid_t> {
        var parents: [pid_t: pid_t] = [:]
        for process in Self.numericEntries("/proc") {
            guard let fields = Self.statFields(process), fields.count > 1, let parent = pid_t(fields[1]) else {
                continue
            }
            parents[process] = parent
        }
        var found: Set<pid_t> = [root]
        var grew = true
        while grew {
            let children = parents.filter { found.contains($0.value) && !found.contains($0.key) }.keys
            found.formUnion(children)
            grew = !children.isEmpty
        }
        return found
    }

    /// Time on CPU of every thread, by the scheduler's own account.
    ///
    /// A running thread's account is brought up to date at each tick, so the error is at most 10 ms.
    func read() throws(HarnessError) -> Reading {
        let members = members()
        var total: UInt64 = 0
        for process in members {
            guard let nanoseconds = Self.nanoseconds(of: process) else {
                throw HarnessError("process \(process) ended while it was measured")
            }
            total += nanoseconds
        }
        return Reading(members: members, nanoseconds: total)
    }

    /// Memory in bytes, shared pages divided among their users (PSS). Kernel socket buffers are not in it.
    func proportionalSetSize() throws(HarnessError) -> Int {
        var total = 0
        for process in members() {
            let line = Self.text("/proc/\(process)/smaps_rollup")?.split(separator: "\n")
                .first { $0.hasPrefix("Pss:") }
            guard let kibibytes = line?.split(separator: " ").dropFirst().first.flatMap({ Int($0) }) else {
                throw HarnessError("/proc/\(process)/smaps_rollup cannot be read")
            }
            total += kibibytes * 1024
        }
        return total
    }

    /// First field of schedstat of all threads; where the kernel was built without it, utime and stime in ticks.
    private static func nanoseconds(of process: pid_t) -> UInt64? {
        var total: UInt64 = 0
        for thread in numericEntries("/proc/\(process)/task") {
            guard let text = text("/proc/\(process)/task/\(thread)/schedstat"),
                let first = text.split(separator: " ").first, let value = UInt64(first)
            else { return ticks(of: process) }
            total += value
        }
        return total > 0 ? total : ticks(of: process)
    }

    private static func ticks(of process: pid_t) -> UInt64? {
        guard let fields = statFields(process), fields.count > 12, let user = UInt64(fields[11]),
            let system = UInt64(fields[12])
        else { return nil }
        return (user + system) * 1_000_000_000 / UInt64(max(sysconf(Int32(_SC_CLK_TCK)), 1))
    }

    /// The fields of /proc/PID/stat behind the command's name: state, parent, …
    private static func statFields(_ process: pid_t) -> [Substring]? {
        guard let text = text("/proc/\(process)/stat"), let end = text.lastIndex(of: ")") else { return nil }
        return text[text.index(after: end)...].split(separator: " ")
    }

    private static func numericEntries(_ directory: String) -> [pid_t] {
        guard let stream = unsafe opendir(directory) else { return [] }
        defer { unsafe closedir(stream) }
        var found: [pid_t] = []
        while let entry = unsafe readdir(stream) {
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
            }
            if let number = pid_t(name) { found.append(number) }
        }
        return found
    }

    private static func text(_ path: String) -> String? {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 8192)
        let count = unsafe bytes.withUnsafeMutableBytes { unsafe Glibc.read(descriptor, $0.baseAddress, $0.count) }
        return count > 0 ? String(decoding: bytes[..<count], as: UTF8.self) : nil
    }
}
