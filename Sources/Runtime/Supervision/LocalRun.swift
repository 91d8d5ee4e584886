internal import Glibc
package import JobCore
package import Logging
internal import UVLoop

/// One attempt without a database: for authors who try a handler.
package enum LocalRun {
    /// There is no such handler in the plugin, or none was named and it has several.
    package struct UnknownHandler: Error, Sendable, CustomStringConvertible {
        package let handler: String?
        /// Those that there are.
        package let known: [String]

        package var description: String {
            let known = self.known.joined(separator: ", ")
            guard let handler else { return "the plugin has \(self.known.count) handlers, say which: \(known)" }
            return "the plugin has no handler \(handler); it has \(known)"
        }
    }

    /// Whose attempt it plays.
    package struct Identity: Sendable, Hashable {
        package var run: RunID
        package var attempt: Int
        /// Nil: the handler's name.
        package var job: String?
        /// W3C trace context.
        package var traceparent: String?

        package init(run: RunID = RunID(0), attempt: Int = 1, job: String? = nil, traceparent: String? = nil) {
            self.run = run
            self.attempt = attempt
            self.job = job
            self.traceparent = traceparent
        }
    }

    /// Loads the image, runs the handler once and cleans up. `sink` hears what happens meanwhile, `attemptEnded` included.
    ///
    /// `handler`: nil for the only one. `limits` go over the handler's own. Throws `PluginRefusal`, `SupervisionError`, `UnknownHandler` or
    /// `DispatchError`. Cancelling the task cancels the attempt.
    @LoopActor
    package static func execute(
        imagePath: String, handler: String?, args: [UInt8], limits: Limits = Limits(),
        execution: ExecutionSettings = ExecutionSettings(), identity: Identity = Identity(), zygotePath: String,
        inspectorPath: String? = nil, profile: SupervisorConfiguration.Profile = .automatic,
        configuration: String? = nil,
        sink: (any AttemptObserver)? = nil,
        logger: Logger = Logger(label: "pawl.local") { _ in SwiftLogNoOpLogHandler() }
    ) async throws -> AttemptReport {
        var status = stat()
        guard stat(imagePath, &status) == 0 else {
            throw PluginRefusal(reason: .open, message: "\(imagePath): \(String(cString: strerror(errno)))")
        }
        guard let absolute = realpath(imagePath, nil) else {
            throw PluginRefusal(reason: .open, message: "\(imagePath): \(String(cString: strerror(errno)))")
        }
        defer { free(absolute) }
        let directory = try Self.temporaryDirectory()
        defer { rmdir(directory) }
        let ear = LocalEar(sink: sink)
        let supervisor = Supervisor(
            SupervisorConfiguration(
                zygotePath: zygotePath, dataDirectory: directory, instance: "local-\(getpid())", profile: profile,
                slots: 1, inspectorPath: inspectorPath),
            logger: logger, observer: ear)
        try await supervisor.start()
        do {
            let image = PluginImage(
                sha256: "local", path: String(cString: absolute), bytes: UInt64(status.st_size),
                configuration: configuration, nameHint: imagePath)
            let report = try await Self.run(
                supervisor, image, handler, args, limits, execution, identity, ear)
            await supervisor.shutdown(killAll: true)
            return report
        } catch {
            await supervisor.shutdown(killAll: true)
            throw error
        }
    }

    @LoopActor
    private static func run(
        _ supervisor: Supervisor, _ image: PluginImage, _ handler: String?, _ args: [UInt8], _ limits: Limits,
        _ execution: ExecutionSettings, _ identity: Identity, _ ear: LocalEar
    ) async throws -> AttemptReport {
        let manifest = try await supervisor.load(image)
        let names = manifest.handlers.map(\.name)
        let found = handler.map { names.firstIndex(of: $0) } ?? (names.count == 1 ? 0 : nil)
        guard let index = found else { throw UnknownHandler(handler: handler, known: names) }
        let (run, attempt) = (identity.run, identity.attempt)
        try supervisor.dispatch(
            AttemptSpec(
                runID: run, runName: run.description, attempt: attempt, version: image.sha256, handlerIndex: index,
                jobName: identity.job ?? names[index], args: args,
                limits: limits.merging(over: manifest.handlers[index].limits).resolved, execution: execution.resolved,
                traceparent: identity.traceparent))
        return await withTaskCancellationHandler {
            await ear.report()
        } onCancel: {
            loopTask { supervisor.cancel(run, attempt) }
        }
    }

    private static func temporaryDirectory() throws(SupervisionError) -> String {
        let base = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array("\(base)/pawl-local-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            throw SupervisionError("cannot make a directory in \(base): \(String(cString: strerror(errno)))")
        }
        // A strict child of root is another user, and has to get through to its own directory below.
        chmod(template, 0o711)
        return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

/// Hands everything on, and keeps the report.
@LoopActor
private final class LocalEar: AttemptObserver {
    private let sink: (any AttemptObserver)?
    private var end: AttemptReport?
    private var waiter: CheckedContinuation<AttemptReport, Never>?

    init(sink: (any AttemptObserver)?) { self.sink = sink }

    var acceptsLogs: Bool { self.sink?.acceptsLogs ?? true }

    func report() async -> AttemptReport {
        if let end { return end }
        return await withCheckedContinuation { self.waiter = $0 }
    }

    func attemptStarted(_ runID: RunID, _ attempt: Int, at: WallTime, pid: Int32?) {
        self.sink?.attemptStarted(runID, attempt, at: at, pid: pid)
    }

    func attemptLogged(_ runID: RunID, _ attempt: Int, lines: [LogLine]) {
        self.sink?.attemptLogged(runID, attempt, lines: lines)
    }

    func attemptProgressed(_ runID: RunID, _ attempt: Int, progress: Progress) {
        self.sink?.attemptProgressed(runID, attempt, progress: progress)
    }

    func attemptEnded(_ report: AttemptReport) {
        self.sink?.attemptEnded(report)
        self.end = report
        self.waiter?.resume(returning: report)
        self.waiter = nil
    }
}
