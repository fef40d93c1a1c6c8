/// Runs any number of child tasks, in groups of bounded size.
///
/// ```
///   crews ─┬─ crew ─┬─ member
///          │        └─ member …   (at most `membersMaximum`)
///          └─ crew …
/// ```
/// The runtime finds a child that ends by walking the list of its group's children from the oldest on. With all
/// sessions in one group, each that ends would pay for every one that stays: beside 9,000 silent sessions a login
/// cost three times as much. Vacancies are filled before a crew is added, and crews without members go.
// Safety: touched on the executor's thread only, which `hire` and `TaskCrew.leave` assert.
package final class TaskCrews: @unchecked Sendable {
    /// A walk over so many is nothing beside what ends; and a crew's own task is little beside so many.
    package static let membersMaximum = 64

    /// What a member does.
    package typealias Work = @Sendable @isolated(any) () async -> Void

    private let executor: RingExecutor
    /// Those with vacancies.
    private var open: [TaskCrew] = []
    private var full: Set<ObjectIdentifier> = []
    private var isClosed = false

    package init(on executor: RingExecutor) { self.executor = executor }

    /// How many crews there are.
    package var count: Int { open.count + full.count }

    /// Starts a member; a crew that must be added is a child of `group`.
    /// - Parameter member: makes what the member does; its last act is `leave()` of the crew.
    package func hire(
        into group: inout DiscardingTaskGroup, _ member: (TaskCrew) -> Work
    ) {
        let crew = vacant(in: &group)
        assign(TaskCrew.Member(work: member(crew)), to: crew)
    }

    /// The same where all members do the same: it is made once for each crew, since each closure lasts as long as
    /// who does it.
    package func hireAlike(
        into group: inout DiscardingTaskGroup, _ member: (TaskCrew) -> Work
    ) {
        let crew = vacant(in: &group)
        let task = crew.alike ?? TaskCrew.Member(work: member(crew))
        crew.alike = task
        assign(task, to: crew)
    }

    private func vacant(in group: inout DiscardingTaskGroup) -> TaskCrew {
        executor.checkIsolated()
        precondition(!isClosed, "hired after the last")
        if let crew = open.last { return crew }
        let crew = TaskCrew(of: self)
        open.append(crew)
        group.addTask { await crew.work() }
        return crew
    }

    /// - Parameter crew: the last of `open`.
    private func assign(_ member: TaskCrew.Member, to crew: TaskCrew) {
        crew.add(member)
        guard crew.members == TaskCrews.membersMaximum else { return }
        open.removeLast()
        full.insert(ObjectIdentifier(crew))
    }

    /// No more will be hired: each crew ends with its last member.
    package func close() {
        executor.checkIsolated()
        isClosed = true
        for crew in open where crew.members == 0 { crew.dismiss() }
    }

    fileprivate func vacated(_ crew: TaskCrew) {
        executor.checkIsolated()
        if full.remove(ObjectIdentifier(crew)) != nil { open.append(crew) }
        guard crew.members == 0, isClosed || open.count > 1 else { return }
        open.removeAll { $0 === crew }
        crew.dismiss()
    }
}

/// One group of at most `TaskCrews.membersMaximum` child tasks.
// Safety: as `TaskCrews`.
package final class TaskCrew: @unchecked Sendable {
    /// A structure around it, for a function that passes through generic code is wrapped anew each time.
    fileprivate struct Member {
        let work: TaskCrews.Work
    }

    private unowned let crews: TaskCrews
    /// Those that were hired and have not left.
    fileprivate private(set) var members = 0
    private var arrivals: [Member] = []
    /// What all of them do, where they do the same.
    fileprivate var alike: Member?
    private var isDismissed = false
    private var waiter: Waiter<Void>?

    fileprivate init(of crews: TaskCrews) { self.crews = crews }

    /// The last act of each member.
    package func leave() {
        members -= 1
        crews.vacated(self)
    }

    fileprivate func add(_ member: Member) {
        members += 1
        arrivals.append(member)
        waiter.take()?.resume(returning: ())
    }

    fileprivate func dismiss() {
        isDismissed = true
        // It may hold the crew.
        alike = nil
        waiter.take()?.resume(returning: ())
    }

    /// Looks once more: on its way into the wait the task may have been put aside.
    private func wait(with waiter: consuming Waiter<Void>) {
        if arrivals.isEmpty, !isDismissed {
            self.waiter = consume waiter
        } else {
            waiter.resume(returning: ())
        }
    }

    fileprivate func work() async {
        await withDiscardingTaskGroup { group in
            while true {
                for member in arrivals { group.addTask(operation: member.work) }
                arrivals.removeAll()
                if isDismissed { return }
                await Waiter.wait { wait(with: $0) }
            }
        }
    }
}
