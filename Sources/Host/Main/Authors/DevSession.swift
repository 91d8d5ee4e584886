import Glibc
import JobCore
import UVLoop

/// One `pawl dev`: a host, a watched tree, and what is done at each change, one after the other.
@LoopActor
final class DevSession {
    struct Settings: Sendable {
        var executable: String
        /// The host's; its plugins/ and build/ are there.
        var directory: String
        var isKept: Bool
        var build: SourceBuild
        var hostOptions: [String]
        var wish: DevRerun.Wish?
        var isRunning: Bool
        var isVerbose: Bool
    }

    let settings: Settings
    let screen: DevScreen
    private let terminal: Terminal
    private let environment = ProcessEnvironment.current
    private var host: DevHost?
    private var isReady = false
    /// Set when the host has ended, or was told to.
    private var hostEnd: ChildProcess.ExitStatus?
    private var isStopped = false
    private var hostLog: [String] = []
    /// Files that have changed and are not built yet; "" stands for any.
    private var changed: Set<String> = []
    private var changedAt: LoopInstant?
    /// What came while make ran: perhaps its own doing.
    private var cameDuringBuild: Set<String> = []
    private var cameAt: LoopInstant?
    /// In how many builds in a row a file has come.
    private var inRow: [String: Int] = [:]
    private var isBuilding = false
    private var build: Task<Void, Never>?
    private var waiter: CheckedContinuation<Void, Never>?
    private let settle = LoopTimer()
    /// Of what was put into the plugin directory last, by file name.
    var delivered: [String: String] = [:]
    /// Plugins that stand in the plugin directory, by file name; a failed build is one too.
    var placed: Set<String> = []
    var client: ClientSession?
    private var visitors: DevVisitors?

    /// How long a tree must be quiet: editors save in several steps.
    private static let quiet = Duration.milliseconds(40)
    private static let generatedAfter = 3

    init(_ settings: Settings, terminal: Terminal) {
        self.settings = settings
        self.terminal = terminal
        self.screen = DevScreen(terminal: terminal)
    }

    /// Returns when it was told to stop, with nothing left running. Throws `ClientFailure` when the host cannot be had.
    func run() async throws {
        let signals = [SIGINT, SIGTERM, SIGHUP].map { SignalWatcher(signal: $0) { [weak self] in self?.stop() } }
        defer { for signal in signals { signal.close() } }
        let root = self.settings.build.root
        let watcher = try SourceWatcher(
            root: root, isRecursive: self.settings.build.file == nil, excluding: self.settings.directory
        ) { [weak self] in self?.noticed($0) }
        defer { watcher.close() }
        self.screen.note("watching \(self.settings.build.file.map { "\(root)/\($0)" } ?? root)")
        try self.startHost()
        self.changed = [""]
        self.changedAt = .now
        var fault: ClientFailure?
        while !self.isStopped {
            await self.waitForWork()
            guard !self.isStopped else { break }
            if let end = self.hostEnd {
                fault = self.lost(end)
                break
            }
            do {
                try await self.cycle()
            } catch is CancellationError {
                continue
            } catch let failure as ClientFailure {
                self.screen.bad(failure.description)
            }
        }
        self.settle.stop()
        self.visitors?.stop()
        if self.hostEnd == nil {
            if self.isStopped { self.screen.note("ending the host") }
            await self.host?.stop()
        }
        if let fault { throw fault }
    }

    // MARK: The host

    private func startHost() throws {
        self.host = try DevHost(
            executable: self.settings.executable, directory: self.settings.directory,
            options: self.settings.hostOptions, environment: self.environment,
            onLog: { [weak self] in self?.hostSaid($0) },
            onReady: { [weak self] in self?.hostReady() },
            onEnd: { [weak self] in self?.hostEnded($0) })
    }

    private func hostSaid(_ line: String) {
        self.hostLog = self.hostLog.suffix(19) + [line]
        // Warnings about a plugin that is refused are told in our own words.
        if self.settings.isVerbose { self.screen.quote(line, .dim) }
    }

    private func hostReady() {
        guard !self.isReady, let host, let url = host.url else { return }
        self.isReady = true
        self.screen.note("host at \(url)\(self.settings.isKept ? ", kept in \(host.directory)" : "")")
        if let page = host.page { self.screen.note("page at \(page)") }
        self.wake()
    }

    private func hostEnded(_ status: ChildProcess.ExitStatus) {
        self.hostEnd = status
        self.wake()
    }

    private func lost(_ end: ChildProcess.ExitStatus) -> ClientFailure {
        ClientFailure(
            exit: self.isReady ? .bug : .configuration, message: "The host ended by itself: \(end).",
            details: self.hostLog)
    }

    private func stop() {
        self.isStopped = true
        self.build?.cancel()
        self.wake()
    }

    /// Ready, still wanted and alive; waits for the start.
    private func waitForHost() async throws {
        while !self.isReady {
            if self.isStopped { throw CancellationError() }
            if let end = self.hostEnd { throw self.lost(end) }
            await withCheckedContinuation { self.waiter = $0 }
        }
        guard self.client == nil, let host else { return }
        let locator = ServerLocator(
            server: nil, token: nil, dataDirectory: host.directory, environment: self.environment)
        let client = ClientSession(
            client: try HTTPClient(server: try locator.locate()), terminal: self.terminal, wantsJSON: false)
        self.client = client
        self.visitors = try DevVisitors(client, screen: self.screen)
        self.visitors?.start()
    }

    // MARK: Changes

    private func noticed(_ path: String) {
        if let file = self.settings.build.file, path != file, !path.isEmpty {
            // Of the other files only headers may be part of it.
            guard ["h", "hpp", "hh", "rs"].contains(Folder.suffix(of: path)) else { return }
        }
        if self.isBuilding, self.settings.build.hasMakefile {
            self.cameDuringBuild.insert(path)
            self.cameAt = self.cameAt ?? .now
            return
        }
        self.inRow[path] = nil
        self.changed.insert(path)
        if self.changedAt == nil { self.changedAt = .now }
        self.settle.start(after: Self.quiet) { [weak self] in self?.wake() }
    }

    private func wake() {
        self.waiter?.resume()
        self.waiter = nil
    }

    private func waitForWork() async {
        while !self.isStopped, self.hostEnd == nil, self.changed.isEmpty || self.settle.isActive {
            await withCheckedContinuation { self.waiter = $0 }
        }
    }

    private var isObsolete: Bool { self.isStopped || self.hostEnd != nil || !self.changed.isEmpty }

    // MARK: One change

    private func cycle() async throws {
        var changed = self.withoutPassing(self.changed.subtracting([""]))
        let isFirst = self.changed.contains("")
        if isFirst { self.placed.formUnion(self.pluginFiles) }
        let start = self.changedAt ?? .now
        self.changed = []
        self.changedAt = nil
        if !isFirst { self.screen.note("changed: \(changed.sorted().joined(separator: ", "))") }
        let gone = self.takeAwayGone(changed)
        if !isFirst, !changed.isEmpty, changed.isSubset(of: gone) { return }
        changed.subtract(gone)
        let steps = self.settings.build.steps(changed: isFirst ? [] : changed)
        if steps.isEmpty, isFirst {
            self.screen.note("nothing to build yet: put a source file with a plugin into \(self.settings.build.root)")
        }
        let outcomes = await self.carryOut(steps)
        if self.isStopped { return }
        let compiled = LoopInstant.now
        try await self.waitForHost()
        let built = LoopInstant.now
        let plugins = try self.deliver(outcomes)
        let handlers = try await self.waitUntilLive(plugins)
        let live = LoopInstant.now
        guard !handlers.isEmpty, self.settings.isRunning, let client, !self.isObsolete else { return }
        let rerun = DevRerun(
            session: client, screen: self.screen, root: self.settings.build.root, wish: self.settings.wish)
        guard let choice = try rerun.choose(handlers) else {
            let names = handlers.compactMap { $0["name"]?.text }.joined(separator: ", ")
            self.screen.note("run it once, and it is repeated from then on: pawl run \(names) --arg name=value")
            return
        }
        let run = try await rerun.run(
            choice, made: { self.visitors?.isOwn($0) }, isObsolete: { self.isObsolete })
        guard let run else {
            self.screen.note("let go: there is a newer change", .yellow)
            return
        }
        self.screen.end(run)
        let end = LoopInstant.now
        let hostStart = built - compiled
        self.screen.time(
            end - start,
            [("build", compiled - start)] + (hostStart < .milliseconds(50) ? [] : [("start of the host", hostStart)])
                + [("live", live - built), ("run", end - live)])
    }

    /// Editors write a file of a passing name (`sedAb12Cd`, `hello.c.tx3k2`) and rename it: what was neither a source nor is there now
    /// makes nobody build anything.
    private func withoutPassing(_ changed: Set<String>) -> Set<String> {
        let lasting = changed.filter {
            SourceBuild.isSource($0) || ["h", "hpp", "hh", "json"].contains(Folder.suffix(of: $0))
                || access("\(self.settings.build.root)/\($0)", F_OK) == 0
        }
        return lasting.isEmpty ? changed : lasting
    }

    /// Builds, and says what the compilers said.
    private func carryOut(_ steps: [SourceBuild.Step]) async -> [SourceBuild.Outcome] {
        self.isBuilding = true
        self.cameDuringBuild = []
        self.cameAt = nil
        let collected = DevOutcomes()
        let (build, environment) = (self.settings.build, self.environment)
        let task = loopTask {
            for step in steps where !Task.isCancelled {
                collected.outcomes.append(await build.run(step, environment: environment))
            }
        }
        self.build = task
        await task.value
        self.build = nil
        self.isBuilding = false
        // A save meanwhile is built next. A file that make itself writes would come again with each build: three in a row, and
        // it counts no more until it changes at another time.
        self.inRow = Dictionary(uniqueKeysWithValues: self.cameDuringBuild.map { ($0, self.inRow[$0, default: 0] + 1) })
        let saved = self.cameDuringBuild.filter { self.inRow[$0, default: 0] < Self.generatedAfter }
        if !saved.isEmpty {
            self.changed.formUnion(saved)
            self.changedAt = self.changedAt ?? self.cameAt ?? .now
        }
        guard !self.isStopped else { return [] }
        for outcome in collected.outcomes {
            if outcome.isSuccess {
                self.screen.good("\(outcome.step.name): built in \(DevScreen.seconds(outcome.time))")
                // make says each command; of a compiler only warnings come.
                if outcome.step.product != nil || outcome.words.contains("warning") {
                    self.screen.quote(outcome.words, .yellow)
                }
            } else {
                self.screen.bad("\(outcome.step.name) does not build")
                self.screen.quote(outcome.words)
            }
        }
        return collected.outcomes
    }
}

@LoopActor
private final class DevOutcomes {
    var outcomes: [SourceBuild.Outcome] = []
}
