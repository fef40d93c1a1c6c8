import Glibc

/// A process and all its descendants, as /proc shows them.
struct ProcessTree {
    let root: pid_t

    /// The CPU accounts of a tree at one moment.
    struct Reading {
        fileprivate let processes: [pid_t: ProcessAccount]

        /// What was spent since an earlier reading of the same tree.
        func spent(since earlier: Reading) throws(HarnessError) -> Spending {
            guard Set(processes.keys) == Set(earlier.processes.keys) else {
                throw HarnessError("its processes changed while it was measured")
            }
            var total = Spending(running: 0, waiting: 0)
            for (process, account) in processes {
                guard let before = earlier.processes[process] else { continue }
                total = total + account.spent(since: before)
            }
            return total
        }
    }

    /// Nanoseconds on a core, and nanoseconds of waiting for the core while ready to run.
    struct Spending {
        let running: Double
        let waiting: Double

        static func + (one: Spending, other: Spending) -> Spending {
            Spending(running: one.running + other.running, waiting: one.waiting + other.waiting)
        }
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

    /// The accounts of every process, thread by thread.
    func read() throws(HarnessError) -> Reading {
        var processes: [pid_t: ProcessAccount] = [:]
        for process in members() {
            guard let account = Self.account(of: process) else {
                throw HarnessError("process \(process) ended while it was measured")
            }
            processes[process] = account
        }
        return Reading(processes: processes)
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

    private static func account(of process: pid_t) -> ProcessAccount? {
        guard let fields = statFields(process), fields.count > 12, let user = Double(fields[11]),
            let system = Double(fields[12])
        else { return nil }
        var threads: [pid_t: Spending] = [:]
        for thread in numericEntries("/proc/\(process)/task") {
            let fields = text("/proc/\(process)/task/\(thread)/schedstat")?.split(separator: " ") ?? []
            guard fields.count >= 2, let running = Double(fields[0]), let waiting = Double(fields[1]) else { continue }
            threads[thread] = Spending(running: running, waiting: waiting)
        }
        let tick = 1e9 / Double(max(sysconf(Int32(_SC_CLK_TCK)), 1))
        return ProcessAccount(threads: threads, ticked: (user + system) * tick)
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

/// One process's CPU account, in two forms.
private struct ProcessAccount {
    /// By thread, from schedstat: exact to the nanosecond, but brought up to date for a running thread only at each
    /// tick (at most 10 ms), and gone with the thread.
    let threads: [pid_t: ProcessTree.Spending]
    /// utime and stime of the process with all threads it ever had, in nanoseconds, counted in ticks of 10 ms.
    let ticked: Double

    /// By threads; by ticks where the kernel has no schedstat or a thread ended meanwhile.
    func spent(since earlier: ProcessAccount) -> ProcessTree.Spending {
        guard !threads.isEmpty, earlier.threads.keys.allSatisfy({ threads[$0] != nil }) else {
            return ProcessTree.Spending(running: ticked - earlier.ticked, waiting: 0)
        }
        var running = 0.0
        var waiting = 0.0
        for (thread, spending) in threads {
            running += spending.running - (earlier.threads[thread]?.running ?? 0)
            waiting += spending.waiting - (earlier.threads[thread]?.waiting ?? 0)
        }
        return ProcessTree.Spending(running: running, waiting: waiting)
    }
}
