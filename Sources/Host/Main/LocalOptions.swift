import ArgumentParser
import Glibc
import JobCore
import JobRunner
import Supervision
import UVLoop

/// How an attempt without a host is limited and executed: what `run-local` and `replay` share.
struct LocalOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Wall time of the attempt: 2, 500ms, 30s. Default: the handler's own, else an hour.", valueName: "duration")
    )
    var timeout: String?

    @Option(help: "How its process is made: fork, spare, pool or spawn.")
    var mode: String?

    @Option(help: "basic or strict.")
    var sandbox: String?

    @Option(
        name: .customLong("set"),
        help: ArgumentHelp(
            "A limit or another setting, as for `pawl jobs settings`: limits.memory=256M.", valueName: "name=value"))
    var settings: [String] = []

    @Option(help: ArgumentHelp("auto, cgroup or none, as for serve.", valueName: "way"))
    var isolation = "auto"

    struct Resolved: Sendable {
        var limits: Limits
        var execution: ExecutionSettings
        var profile: SupervisorConfiguration.Profile
    }

    /// - Parameter execution: what the job says, under what is said here.
    func resolved(
        over limits: Limits = Limits(), _ execution: ExecutionSettings = ExecutionSettings()
    ) throws -> Resolved {
        var patch = SettingsPatch()
        do throws(ClientFailure) {
            for setting in self.settings { try patch.set(setting) }
            if let timeout { try patch.set("limits.wall=\(timeout)") }
            if let mode { try patch.set("execution.mode=\(mode)") }
            if let sandbox { try patch.set("execution.sandbox=\(sandbox)") }
        } catch {
            throw ValidationError("\(error)")
        }
        do {
            let own = try Limits(patch.json["limits"] ?? .object([]))
            let how = try ExecutionSettings(patch.json["execution"] ?? .object([]))
            return Resolved(
                limits: own.merging(over: limits), execution: how.merging(over: execution), profile: try self.profile())
        } catch let fault as FieldFault {
            throw ValidationError("\(fault)")
        }
    }

    private func profile() throws -> SupervisorConfiguration.Profile {
        switch ServeConfiguration.Isolation(rawValue: self.isolation) {
        case .auto: .automatic
        case .cgroup: .cgroup
        case .some(.none): .none
        case nil: throw ValidationError("--isolation is \"\(self.isolation)\"; allowed: auto, cgroup, none")
        }
    }
}

/// What an attempt without a host prints: its log and end on standard error, its result on standard output.
enum LocalOutput {
    static func finish(_ report: AttemptReport) throws {
        switch report.result {
        case .json(let text): Self.print(text + "\n", to: STDOUT_FILENO)
        case .bytes(let bytes, _): bytes.withUnsafeBytes { _ = write(STDOUT_FILENO, $0.baseAddress, $0.count) }
        case .none: break
        }
        for wanted in report.followUps {
            Self.print("follow-up run: \(wanted.line) (not enqueued here)\n", to: STDERR_FILENO)
        }
        let cpu = report.resources.userCPU + report.resources.systemCPU
        let summary =
            "\(report.outcome.rawValue)\(report.sentence.isEmpty ? "" : ": \(report.sentence)") "
            + "(cpu \(cpu.formatted), peak \(report.resources.maxRSSBytes >> 10) KiB)"
        Self.print(summary + "\n", to: STDERR_FILENO)
        if let crash = report.crash {
            Self.print(
                "  \(OutcomeClassifier.signalName(crash.signal)) at 0x\(String(crash.address, radix: 16)), "
                    + "thread \(crash.threadName)\n",
                to: STDERR_FILENO)
        }
        switch report.outcome {
        case .succeeded, .snoozed: return
        case .cancelled, .terminated: throw ExitCode(3)
        case .error, .crashed, .timedOut, .outOfMemory, .lost: throw ExitCode(1)
        }
    }

    static func failure(_ code: Int32, _ why: String) -> ExitCode {
        Self.print("pawl: \(why)\n", to: STDERR_FILENO)
        return ExitCode(code)
    }

    static func print(_ text: String, to fd: Int32) {
        var text = text
        text.withUTF8 { _ = write(fd, $0.baseAddress, $0.count) }
    }
}

extension FollowUp {
    /// The job, what differs from its settings, the args.
    var line: String {
        var words = [self.job]
        if let delay { words.append("after \(delay.wholeMilliseconds) ms") }
        if let priority { words.append("priority \(priority)") }
        if let attempts { words.append("attempts \(attempts)") }
        if let queue { words.append("queue \(queue)") }
        if let title { words.append(JSONText.quoted(title)) }
        if !self.labels.isEmpty { words.append(JSONText.object(self.labels)) }
        return words.joined(separator: ", ") + ": " + self.args
    }
}

/// Prints what an attempt says while it runs.
final class LocalSink: AttemptObserver {
    var acceptsLogs: Bool { true }
    private var lastProgress = ""

    func attemptStarted(_ runID: RunID, _ attempt: Int, at time: WallTime, pid: Int32?) {}

    func attemptLogged(_ runID: RunID, _ attempt: Int, lines: [LogLine]) {
        for line in lines {
            let fields = line.fields.map { " \($0)" } ?? ""
            LocalOutput.print(
                "\(line.time.rfc3339) \(line.level.name) [\(line.stream.name)] \(line.message)\(fields)\n",
                to: STDERR_FILENO)
        }
    }

    func attemptProgressed(_ runID: RunID, _ attempt: Int, progress: Progress) {
        guard progress.line != self.lastProgress else { return }
        self.lastProgress = progress.line
        let percent = progress.percent.map { " \(Int($0)) %" } ?? ""
        LocalOutput.print("\(WallTime.current.rfc3339) progress \(progress.line)\(percent)\n", to: STDERR_FILENO)
    }

    func attemptEnded(_ report: AttemptReport) {}
}

extension Duration {
    fileprivate var formatted: String {
        let micros = self.components.seconds * 1_000_000 + self.components.attoseconds / 1_000_000_000_000
        return micros < 1000
            ? "\(micros) µs" : micros < 1_000_000 ? "\(micros / 1000) ms" : "\(Double(micros / 1000) / 1000) s"
    }
}
