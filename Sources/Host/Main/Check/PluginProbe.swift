import Glibc
import JobCore
import Logging
import Supervision
import UVLoop

/// Loads a plugin into a zygote of its own, as a host does, and lets it go again.
enum PluginProbe {
    struct Outcome: Sendable {
        var manifest: PluginManifest?
        var refusal: PluginRefusal?
        /// Why nothing could be tried.
        var problem: String?
        var remarks: [String] = []

        init(
            manifest: PluginManifest? = nil, refusal: PluginRefusal? = nil, problem: String? = nil,
            remarks: [String] = []
        ) {
            self.manifest = manifest
            self.refusal = refusal
            self.problem = problem
            self.remarks = remarks
        }
    }

    @LoopActor
    static func load(_ path: String, configuration: String?, zygotePath: String) async throws -> Outcome {
        var status = stat()
        guard stat(path, &status) == 0, let absolute = realpath(path, nil) else {
            return Outcome(problem: "\(path): \(String(cString: strerror(errno)))")
        }
        defer { free(absolute) }
        let base = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array("\(base)/pawl-check-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            return Outcome(problem: "cannot make a directory in \(base): \(String(cString: strerror(errno)))")
        }
        let directory = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        defer { rmdir(directory) }
        // No attempt is made, so nothing has to be bounded.
        let supervisor = Supervisor(
            SupervisorConfiguration(
                zygotePath: zygotePath, dataDirectory: directory, instance: "check-\(getpid())", profile: .none,
                slots: 1),
            logger: Logger(label: "pawl.check") { _ in SwiftLogNoOpLogHandler() }, observer: Deaf())
        try await supervisor.start()
        let image = PluginImage(
            sha256: "check", path: String(cString: absolute), bytes: UInt64(status.st_size),
            configuration: configuration,
            nameHint: path)
        var outcome = Outcome()
        do throws(PluginRefusal) {
            outcome.manifest = try await supervisor.load(image)
            outcome.remarks = supervisor.remarks(on: image.sha256)
        } catch {
            outcome.refusal = error
        }
        await supervisor.shutdown(killAll: true)
        return outcome
    }
}

/// No attempt is made, so nothing is heard.
@LoopActor
private final class Deaf: AttemptObserver {
    var acceptsLogs: Bool { false }
    func attemptStarted(_ runID: RunID, _ attempt: Int, at time: WallTime, pid: Int32?) {}
    func attemptLogged(_ runID: RunID, _ attempt: Int, lines: [LogLine]) {}
    func attemptProgressed(_ runID: RunID, _ attempt: Int, progress: Progress) {}
    func attemptEnded(_ report: AttemptReport) {}
}
