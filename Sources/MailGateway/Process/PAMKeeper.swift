import AsyncIO
import Glibc
import MailSessions

/// Where workers ask the PAM helper: a `QuestionChannel` that outlives each helper.
final class PAMChannel: Sendable {
    /// The workers' end.
    let asking: Int32
    /// The helper's end.
    let answering: Int32

    /// A new channel.
    init() throws(StartFailure) {
        do throws(IOError) {
            (asking, answering) = try QuestionChannel.pair()
        } catch {
            throw StartFailure("\(error)")
        }
    }

    deinit {
        close(asking)
        close(answering)
    }
}

/// Keeps a PAM helper running as long as the configuration has services for it: starts it with the
/// privileges of this process, tells it the services, and replaces it with a pause when it ends.
///
/// Questions that were asked meanwhile wait in the channel; those that a dead helper had taken have failed.
actor PAMKeeper {
    nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe scope.executor.asUnownedSerialExecutor() }

    /// How a helper ends on whose threads modules hang, all of them.
    static let hungExitCode: Int32 = 3

    /// What a helper is for and how it is started: all that is kept of a `Setup`, whose secrets others forget in time.
    private struct Plan {
        let services: [PAMService]
        /// `NAME=value`.
        let environment: [String]
        let log: Log

        init(_ setup: Setup) {
            services = setup.configuration.pamServices
            environment = EnvironmentSetting.values(setup.configuration.core.environment)
                .map { "\($0.name)=\($0.value)" }
            log = setup.log
        }
    }

    private nonisolated let scope: CancellationScope
    private let channel: PAMChannel
    private var plan: Plan
    private var policy = RespawnPolicy()
    private var helper: Helper?
    /// What `run` waits in while there is nothing to keep; cancelled when that changes.
    private var idling: CancellationScope?

    private struct Helper {
        let process: ChildProcess
        /// Our end of its control channel.
        let control: Int32
        var services: [PAMService]
        let start: Instant
    }

    /// Cancelling `scope` ends `run`, and the helper.
    init(_ setup: Setup, scope: CancellationScope) {
        plan = Plan(setup)
        channel = setup.pam
        self.scope = CancellationScope(on: scope.executor, within: scope)
    }

    /// From now on there are the services of `setup`. The helper has heard of them when this returns.
    func take(_ setup: Setup) {
        plan = Plan(setup)
        idling?.cancel()
        let services = plan.services
        guard let helper, helper.services != services else { return }
        self.helper?.services = services
        do throws(IOError) {
            try QuestionChannel.send(PAMServiceList.encoded(services), over: helper.control)
        } catch {
            // It does not listen; its successor will know.
            helper.process.send(SIGKILL)
        }
    }

    /// Keeps a helper until the scope is cancelled; it has ended when this returns.
    func run() async {
        while !scope.isCancelled {
            guard !plan.services.isEmpty else {
                let idling = CancellationScope(on: scope.executor, within: scope)
                self.idling = idling
                await pause(until: .never, idling)
                continue
            }
            do throws(StartFailure) {
                let helper = try start()
                self.helper = helper
                plan.log.write(.notice, "start PAM helper process \(helper.process.id)")
                let isOver = await end(of: helper)
                self.helper = nil
                close(helper.control)
                if isOver { return }
                await pause(
                    until: scope.executor.now + policy.pause(afterAge: scope.executor.now - helper.start), scope)
            } catch {
                plan.log.write(.alert, "cannot start a PAM helper process: \(error.text)")
                await pause(until: scope.executor.now + policy.pause(afterAge: .zero), scope)
            }
        }
    }

    private func start() throws(StartFailure) -> Helper {
        let plan = plan
        do throws(IOError) {
            let (own, other) = try QuestionChannel.connectedEnds()
            defer { close(other) }
            do throws(IOError) {
                // It lies ready before there is anybody to read it, and so before any question is read.
                try QuestionChannel.send(PAMServiceList.encoded(plan.services), over: own)
                let process = try ChildProcess(
                    path: "/proc/self/exe",
                    arguments: ["mailgateway", "pam-helper", "\(channel.answering)", "\(other)"],
                    inherited: [channel.answering, other], environment: plan.environment, executor: scope.executor)
                return Helper(process: process, control: own, services: plan.services, start: scope.executor.now)
            } catch {
                close(own)
                throw error
            }
        } catch {
            throw StartFailure("\(error)")
        }
    }

    /// Waits for the end of a helper, or ends it when the scope is cancelled: whether that was it.
    private func end(of helper: Helper) async -> Bool {
        let process = helper.process
        do throws(IOError) {
            let exit = try await process.exit(scope: scope)
            let how =
                switch exit {
                case .code(PAMKeeper.hungExitCode): "ended itself, because modules hang on all its threads"
                case .code(let code): "exited with code \(code)"
                case .signal(let signal): "exited on signal \(signal)"
                }
            // A terminal tells all processes to end, and the helper may be the first to do so.
            let isAskedTo = exit == .signal(SIGINT) || exit == .signal(SIGTERM)
            plan.log.write(isAskedTo ? .notice : .alert, "PAM helper process \(process.id) \(how)")
            return false
        } catch {
            // Whoever could have asked has gone. A module that hangs would not let it end by itself.
            process.send(SIGKILL)
            do throws(IOError) { _ = try await process.exit(scope: CancellationScope(on: scope.executor)) } catch {}
            return true
        }
    }

    private func pause(until moment: Instant, _ scope: CancellationScope) async {
        // Cancelled: the loop looks why.
        do throws(IOError) { try await scope.executor.sleep(until: moment, scope: scope) } catch {}
    }
}
