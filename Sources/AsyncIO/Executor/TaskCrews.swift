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

    /// Adds a member to the group of a crew, as one child task; its last act is `leave()` of the crew.
    ///
    /// It adds the task itself, because a closure written where the task is added needs the fewest frames: what a task
    /// waits in lasts as long as its session.
    package typealias Start = (inout DiscardingTaskGroup, TaskCrew) -> Void

    private let executor: RingExecutor
    /// Whose code a crew's task is, for an actor on the executor is resumed without a hop; nil for nobody's.
    private let owner: (any Actor)?
    /// Those with vacancies.
    private var open: [TaskCrew] = []
    private var full: Set<ObjectIdentifier> = []
    private var isClosed = false

    package init(on executor: RingExecutor, of owner: (any Actor)? = nil) {
        self.executor = executor
        self.owner = owner
    }

    /// How many crews there are.
    package var count: Int { open.count + full.count }

    /// Has a member started; a crew that must be added is a child of `group`.
    package func hire(into group: inout DiscardingTaskGroup, _ start: @escaping Start) {
        let crew = vacant(in: &group)
        crew.add(start)
        guard crew.members == TaskCrews.membersMaximum else { return }
        open.removeLast()
        full.insert(ObjectIdentifier(crew))
    }

    /// The last of `open`.
    private func vacant(in group: inout DiscardingTaskGroup) -> TaskCrew {
        executor.checkIsolated()
        precondition(!isClosed, "hired after the last")
        if let crew = open.last { return crew }
        let crew = TaskCrew(of: self)
        open.append(crew)
        group.addTask { [owner] in await crew.work(on: owner) }
        return crew
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
    private unowned let crews: TaskCrews
    /// Those that were hired and have not left.
    fileprivate private(set) var members = 0
    private var arrivals: [TaskCrews.Start] = []
    private var isDismissed = false
    private var waiter: Waiter<Void>?

    fileprivate init(of crews: TaskCrews) { self.crews = crews }

    /// The last act of each member.
    package func leave() {
        members -= 1
        crews.vacated(self)
    }

    fileprivate func add(_ start: @escaping TaskCrews.Start) {
        members += 1
        arrivals.append(start)
        waiter.take()?.resume(returning: ())
    }

    fileprivate func dismiss() {
        isDismissed = true
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

    fileprivate func work(on owner: isolated (any Actor)?) async {
        await withDiscardingTaskGroup { group in
            // A closure belongs to the owner if it captures it.
            _ = owner
            while true {
                for start in arrivals { start(&group, self) }
                arrivals.removeAll()
                if isDismissed { return }
                await Waiter.wait { wait(with: $0) }
            }
        }
    }
}
