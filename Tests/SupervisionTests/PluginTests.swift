import CLinux
import Crypto
import FoundationEssentials
import Glibc
import JobCore
import Plugins
import Supervision
import Testing
import UVLoop

/// Hears what a catalog says.
@LoopActor
final class CatalogEar: PluginCatalogDelegate {
    private(set) var activated: [ActivePlugin] = []
    private(set) var statuses: [String: PluginStatus] = [:]
    private(set) var events: [PluginEvent] = []
    /// What is said to whoever asks whether a version may serve.
    var verdict: @LoopActor (ActivePlugin, ActivePlugin?) -> ActivationVerdict = { _, _ in .allowed }
    /// Where other hosts' bytes come from.
    var bytes: @LoopActor (String) async -> PluginImage? = { _ in nil }
    private var waiters: [(condition: () -> Bool, continuation: CheckedContinuation<Void, Never>)] = []
    var onChange: (@LoopActor () -> Void)?

    func wait(_ condition: @escaping () -> Bool) async {
        if condition() { return }
        await withCheckedContinuation { self.waiters.append((condition, $0)) }
    }

    func pluginActivated(_ plugin: ActivePlugin) async {
        self.activated.append(plugin)
        self.changed()
    }

    func pluginChanged(_ status: PluginStatus) {
        self.statuses[status.file] = status
        self.onChange?()
        self.changed()
    }

    func mayActivate(_ candidate: ActivePlugin, replacing: ActivePlugin?) async -> ActivationVerdict {
        self.verdict(candidate, replacing)
    }

    func pluginEvent(_ event: PluginEvent) {
        self.events.append(event)
        self.changed()
    }

    func bytesWanted(_ sha256: String, of plugin: String) async -> PluginImage? { await self.bytes(sha256) }

    func kinds(_ sha256: String?) -> [PluginEvent.Kind] { self.events.filter { $0.sha256 == sha256 }.map(\.kind) }

    private func changed() {
        let ready = self.waiters.filter { $0.condition() }
        self.waiters.removeAll { $0.condition() }
        for waiter in ready { waiter.continuation.resume() }
    }
}

extension SupervisionSuite {
    @Suite struct PluginTests {
        /// A host with a catalog over an empty plugin directory.
        @LoopActor
        private static func with(
            warmFor: Duration, signatures: SignaturePolicy, helper script: String?,
            _ body: @escaping @LoopActor @Sendable (TestHost, PluginCatalog, CatalogEar, String) async throws -> Void
        ) async throws {
            try await TestHost.with(profiles[0]) { host in
                let directory = "\(host.directory)/plugins"
                mkdir(directory, 0o755)
                let ear = CatalogEar()
                let helper =
                    script.map {
                        PluginCatalog.Helper(
                            executable: "/bin/sh", arguments: ["-c", $0, "\(host.directory)/stop", TestBinaries.host])
                    } ?? .init(executable: TestBinaries.host, arguments: ["internal-ingest"])
                let catalog = PluginCatalog(
                    directory: directory, store: "\(host.directory)/store/plugins",
                    ffiBridge: "\(TestBinaries.directory)/pawl-ffi.so",
                    helper: helper, supervisor: host.supervisor, logger: quiet, delegate: ear, signatures: signatures,
                    warmFor: warmFor)
                defer { catalog.stop() }
                try await body(host, catalog, ear, directory)
            }
        }

        /// - Parameter helper: a shell script in the ingest helper's place: `$0` is the path of a file that the test makes, `$1` the
        ///   host's program, `$2` the order.
        nonisolated private func withCatalog(
            warmFor: Duration = .zero, signatures: SignaturePolicy = SignaturePolicy(), helper: String? = nil,
            _ body: @escaping @LoopActor @Sendable (TestHost, PluginCatalog, CatalogEar, String) async throws -> Void
        ) async throws {
            LoopActor.bindForTesting()
            try await Self.with(warmFor: warmFor, signatures: signatures, helper: helper, body)
        }

        /// The bytes of the plugin of bad manners, with a tail that makes another version of it.
        private static func bytes(_ version: Int) -> [UInt8] {
            let fd = open(TestBinaries.plugin("mischief"), O_RDONLY | O_CLOEXEC)
            precondition(fd >= 0, "the plugin is not built")
            defer { close(fd) }
            var bytes: [UInt8] = []
            var buffer = [UInt8](repeating: 0, count: 1 << 16)
            while case let count = read(fd, &buffer, buffer.count), count > 0 { bytes += buffer[..<count] }
            return bytes + Array("version \(version)".utf8)
        }

        private static func write(_ bytes: [UInt8], to path: String) {
            let fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
            precondition(fd >= 0 && Glibc.write(fd, bytes, bytes.count) == bytes.count)
            close(fd)
        }

        /// As people should do it.
        private static func put(_ bytes: [UInt8], _ directory: String, _ file: String) {
            self.write(bytes, to: "\(directory)/.\(file).new")
            rename("\(directory)/.\(file).new", "\(directory)/\(file)")
        }

        @Test func whatIsThereIsLoadedAtTheStart() async throws {
            try await self.withCatalog { host, catalog, ear, directory in
                Self.put(Self.bytes(1), directory, "mischief.so")
                Self.put(Array("this is no library".utf8), directory, "text.so")
                Self.put(Array("x".utf8), directory, "README")
                try await catalog.start()
                #expect(catalog.statuses.map(\.file) == ["mischief.so", "text.so"])
                let (good, bad) = (catalog.statuses[0], catalog.statuses[1])
                #expect(good.state == .active && good.handlers.contains { $0.name == "mischief.noop" })
                #expect(good.error == nil && good.loadedAt != nil)
                #expect(bad.state == .rejected && bad.error == "it is no ELF shared object")
                let served = try #require(catalog.version(forHandler: "mischief.noop"))
                #expect(served.sha256 == good.sha256 && served.manifest.name == "mischief.noop")
                #expect(ear.activated.map(\.sha256) == [served.sha256])
                let stored = "\(host.directory)/store/plugins/\(served.sha256).so"
                var status = stat()
                #expect(stat(stored, &status) == 0 && status.st_mode & 0o777 == 0o444)
                #expect(catalog.version(forHandler: "nobody.knows") == nil)
            }
        }

        @Test func aNewFileIsLiveAtOnceAndARemovedOneGoes() async throws {
            try await self.withCatalog { host, catalog, ear, directory in
                try await catalog.start()
                #expect(catalog.statuses.isEmpty)
                Self.put(Self.bytes(1), directory, "a.so")
                await ear.wait { ear.statuses["a.so"]?.state == .active }
                #expect(catalog.version(forHandler: "mischief.noop") != nil)
                unlink("\(directory)/a.so")
                await ear.wait { ear.statuses["a.so"]?.state == .retired }
                #expect(catalog.version(forHandler: "mischief.noop") == nil)
                #expect(catalog.statuses.isEmpty)
            }
        }

        /// The life of what somebody has sent does not hang on the plugin's file.
        @Test func aVersionThatWasSentOutlivesTheFile() async throws {
            try await self.withCatalog { host, catalog, ear, directory in
                Self.put(Self.bytes(1), directory, "a.so")
                try await catalog.start()
                let name = try #require(catalog.plugins.first?.name)
                let first = try #require(catalog.plugins.first?.active)
                let sent = try await Self.image(2, host, catalog)
                #expect(try await catalog.propose(sent, plugin: name) == .active)
                unlink("\(directory)/a.so")
                await catalog.rescan()
                #expect(catalog.plugins.first?.file == nil, "the file is not there any more")
                #expect(catalog.version(forHandler: "mischief.noop")?.sha256 == sent.sha256)
                #expect(ear.events.allSatisfy { $0.kind != .withdrawn })
                let run = try await Self.run(1001, "mischief.noop", host, catalog)
                #expect(run.report.outcome == .succeeded && run.report.version == sent.sha256)
                // What the file had is still there to go back to.
                try await catalog.rollback(plugin: name)
                #expect(catalog.version(forHandler: "mischief.noop")?.sha256 == first)
                // A file that comes again is the latest word, and what it brings goes with it.
                Self.put(Self.bytes(3), directory, "a.so")
                await ear.wait { catalog.plugins.first?.file == "a.so" && ear.activated.count == 4 }
                unlink("\(directory)/a.so")
                await catalog.rescan()
                #expect(catalog.version(forHandler: "mischief.noop") == nil)
                #expect(ear.events.contains { $0.kind == .withdrawn })
            }
        }

        /// The same bytes were sent as well: then they are there without the file, also where the plugin is disabled meanwhile.
        @Test func bytesThatWereSentAndLieThereStay() async throws {
            try await self.withCatalog { host, catalog, ear, directory in
                Self.put(Self.bytes(1), directory, "a.so")
                try await catalog.start()
                let name = try #require(catalog.plugins.first?.name)
                let sent = try await Self.image(1, host, catalog)
                #expect(try await catalog.propose(sent, plugin: name) == .unchanged)
                try await catalog.disable(plugin: name)
                unlink("\(directory)/a.so")
                await catalog.rescan()
                try await catalog.enable(plugin: name)
                #expect(catalog.version(forHandler: "mischief.noop")?.sha256 == sent.sha256)
            }
        }

        /// Its zygote cannot be started again: it serves, and can be given no runs until it can; others are told of both.
        @Test func whatCannotBeStartedIsNotReady() async throws {
            try await self.withCatalog { host, catalog, ear, directory in
                Self.put(Self.bytes(1), directory, "a.so")
                try await catalog.start()
                let active = try #require(catalog.plugins.first?.active)
                #expect(catalog.ready(forHandler: "mischief.noop") == active && catalog.isAllReady)
                var told: [Bool] = []
                ear.onChange = { told.append(catalog.isAllReady) }
                host.supervisor.retire(active)
                await ear.wait { told.contains(false) }
                #expect(
                    catalog.version(forHandler: "mischief.noop")?.sha256 == active, "it is still the one that serves")
                #expect(catalog.ready(forHandler: "mischief.noop") == nil && !catalog.isAllReady)
                #expect(catalog.ready(forHandler: "nobody.knows") == nil)
                // The catalog loads it again by itself.
                await ear.wait { told.last == true }
                #expect(catalog.ready(forHandler: "mischief.noop") == active && catalog.isAllReady)
            }
        }

        @Test func aBrokenVersionNeverServes() async throws {
            try await self.withCatalog { host, catalog, ear, directory in
                Self.put(Self.bytes(1), directory, "a.so")
                try await catalog.start()
                let good = try #require(catalog.version(forHandler: "mischief.noop")).sha256
                let bytes = Self.bytes(2)
                var alien = bytes
                alien[18] = 0xf3
                for (broken, words) in [
                    (Array(bytes[..<8192]), "truncated"), (Array(bytes[..<(bytes.count / 2)]), "truncated"),
                    (alien, "another machine"), ([], "empty"), ([0x7f, 0x45, 0x4c, 0x46], "no ELF"),
                ] {
                    Self.put(broken, directory, "a.so")
                    await ear.wait { ear.statuses["a.so"]?.error?.contains(words) == true }
                    #expect(catalog.version(forHandler: "mischief.noop")?.sha256 == good)
                    #expect(ear.statuses["a.so"]?.state == .active)
                }
                Self.put(Self.bytes(3), directory, "a.so")
                await ear.wait { ear.activated.count == 2 }
                #expect(ear.statuses["a.so"]?.error == nil)
                #expect(ear.activated[1].replaces == good)
            }
        }

        /// It would be given up after ten seconds; with something newer waiting, after two.
        @Test func aVersionThatHangsDoesNotHoldUpTheNext() async throws {
            try await self.withCatalog { host, catalog, ear, directory in
                try await catalog.start()
                let copy = ChildProcess.Spec(
                    executable: "/bin/cp",
                    arguments: ["\(TestBinaries.fixtures)/loop_in_entry.so", "\(directory)/a.so"])
                _ = try await ChildProcess.run(copy, timeout: .seconds(10))
                await ear.wait { ear.statuses["a.so"]?.state == .warming }
                let began = LoopInstant.now
                Self.put(Self.bytes(1), directory, "a.so")
                await ear.wait { ear.statuses["a.so"]?.state == .active }
                #expect(LoopInstant.now - began < .seconds(8))
            }
        }

        /// An in-place writer: nothing half is ever taken, the end of the write is.
        @Test func aFileWrittenInPlaceIsTakenWhenItIsClosed() async throws {
            try await self.withCatalog { host, catalog, ear, directory in
                let bytes = Self.bytes(1)
                let fd = open("\(directory)/a.so", O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
                Glibc.write(fd, bytes, bytes.count / 3)
                try await catalog.start()
                #expect(catalog.statuses.first?.state == .rejected)
                bytes[(bytes.count / 3)...].withUnsafeBytes { _ = Glibc.write(fd, $0.baseAddress, $0.count) }
                close(fd)
                await ear.wait { ear.statuses["a.so"]?.state == .active }
            }
        }

        @Test func twoFilesCannotServeOneHandler() async throws {
            try await self.withCatalog { host, catalog, ear, directory in
                Self.put(Self.bytes(1), directory, "a.so")
                Self.put(Self.bytes(2), directory, "b.so")
                try await catalog.start()
                let states = catalog.statuses.map(\.state)
                #expect(Set(states) == [.active, .rejected], "\(catalog.statuses)")
                let first = states[0] == .active ? "a.so" : "b.so"
                let second = states[0] == .active ? "b.so" : "a.so"
                #expect(catalog.statuses.first { $0.file == second }?.error?.contains(first) == true)
                unlink("\(directory)/\(first)")
                await ear.wait { ear.statuses[second]?.state == .active }
            }
        }

        /// Two manifests with functions of different names, which say that they are one plugin.
        @Test func aPluginHasOneFile() async throws {
            try await self.withCatalog { host, catalog, ear, directory in
                func manifest(_ name: String) -> [UInt8] {
                    Array(
                        """
                        {"plugin": "m", "version": "1", "library": "libm.so.6", "functions": [{"name": "\(name)",
                        "symbol": "fabs", "params": [{"name": "x", "type": "f64"}], "result": "f64"}]}
                        """.utf8)
                }
                Self.put(manifest("m.one"), directory, "a.ffi.json")
                try await catalog.start()
                #expect(catalog.statuses.first?.state == .active, "\(catalog.statuses)")
                Self.put(manifest("m.two"), directory, "b.ffi.json")
                await ear.wait { ear.statuses["b.ffi.json"]?.error != nil }
                #expect(ear.statuses["b.ffi.json"]?.error == "it calls itself m, as a.ffi.json does already")
                #expect(catalog.version(forHandler: "m.one") != nil && catalog.version(forHandler: "m.two") == nil)
                unlink("\(directory)/a.ffi.json")
                await ear.wait { ear.activated.count == 2 }
                #expect(catalog.version(forHandler: "m.two") != nil && catalog.version(forHandler: "m.one") == nil)
            }
        }

        /// Pipes, directories and devices with a plugin's name: said so, and nobody waits for them.
        @Test func onlyFilesArePlugins() async throws {
            let key = Curve25519.Signing.PrivateKey()
            let policy = SignaturePolicy(trustedKeys: [Array(key.publicKey.rawRepresentation)], isRequired: true)
            try await self.withCatalog(signatures: policy) { host, catalog, ear, directory in
                mkfifo("\(directory)/pipe.so", 0o644)
                mkdir("\(directory)/folder.so", 0o755)
                symlink("/dev/null", "\(directory)/device.so")
                Self.put(Self.bytes(1), directory, "signed.so")
                mkfifo("\(directory)/signed.so.sig", 0o644)
                let began = LoopInstant.now
                try await catalog.start()
                #expect(LoopInstant.now - began < .seconds(30), "the pipe has no writer")
                for status in catalog.statuses {
                    let words = status.file == "signed.so" ? "the signature beside it is" : "it is"
                    #expect(status.state == .rejected && status.error == "\(words) no regular file", "\(status)")
                }
                #expect(catalog.statuses.count == 4)
            }
        }

        /// A helper that is killed says nothing about the file: it is looked at again, without anybody touching it.
        @Test func whatCannotBeTakenNowIsTakenLater() async throws {
            let script = #"test -e "$0" && kill -9 $$; exec "$1" internal-ingest "$2""#
            try await self.withCatalog(helper: script) { host, catalog, ear, directory in
                Self.write([], to: "\(host.directory)/stop")
                Self.put(Self.bytes(1), directory, "a.so")
                try await catalog.start()
                let status = try #require(catalog.statuses.first)
                #expect(status.state == .rejected && status.error?.contains("helper ended with") == true, "\(status)")
                unlink("\(host.directory)/stop")
                await ear.wait { ear.activated.count == 1 }
                #expect(catalog.statuses.first?.error == nil)
                #expect(ear.events.filter { $0.kind == .rejected }.count == 1, "it is said once")
            }
        }

        @Test func aSignatureMayComeWhileItsFileIsLookedAt() async throws {
            let key = Curve25519.Signing.PrivateKey()
            let policy = SignaturePolicy(trustedKeys: [Array(key.publicKey.rawRepresentation)], isRequired: true)
            // The helper has seen that there is no signature, and has not said so yet.
            let script =
                #"said=$("$1" internal-ingest "$2"); code=$?; echo >> "$0.seen"; "#
                + #"while test -e "$0"; do sleep 0.01; done; printf %s "$said"; exit $code"#
            try await self.withCatalog(signatures: policy, helper: script) { host, catalog, ear, directory in
                try await catalog.start()
                Self.write([], to: "\(host.directory)/stop")
                Self.put(Self.bytes(1), directory, "a.so")
                await TestHost.eventually("the helper has looked") { access("\(host.directory)/stop.seen", F_OK) == 0 }
                Self.put(Array(try key.signature(for: Self.bytes(1))), directory, "a.so.sig")
                // Noticed after the signature.
                Self.put(Array("x".utf8), directory, "z.so")
                await ear.wait { ear.statuses["z.so"] != nil }
                unlink("\(host.directory)/stop")
                await ear.wait { ear.activated.count == 1 }
            }
        }

        @Test func refusedPluginsKeepTheirReason() async throws {
            try await self.withCatalog { host, catalog, ear, directory in
                let fixtures = names(in: TestBinaries.fixtures).filter { $0.hasSuffix(".so") }
                try #require(!fixtures.isEmpty)
                for fixture in fixtures {
                    let copy = ChildProcess.Spec(
                        executable: "/bin/cp", arguments: ["\(TestBinaries.fixtures)/\(fixture)", directory])
                    _ = try await ChildProcess.run(copy, timeout: .seconds(10))
                }
                try await catalog.start()
                #expect(catalog.statuses.count == fixtures.count)
                for status in catalog.statuses where status.state != .active {
                    #expect(status.state == .rejected && (status.error?.utf8.count ?? 0) > 10, "\(status)")
                }
            }
        }

        /// While a version is kept back, the one before it is loaded again from the store; afterwards it goes.
        @Test func theVersionBeforeCanBeLoadedAgain() async throws {
            try await self.withCatalog { host, catalog, ear, directory in
                Self.put(Self.bytes(1), directory, "a.so")
                try await catalog.start()
                let first = try #require(catalog.version(forHandler: "mischief.noop")).sha256
                #expect(await catalog.loadFallback(forHandler: "mischief.noop") == false, "there is none before it")
                Self.put(Self.bytes(2), directory, "a.so")
                await ear.wait { ear.activated.count == 2 }
                let second = try #require(catalog.version(forHandler: "mischief.noop")).sha256
                #expect(catalog.fallback(forHandler: "mischief.noop") == nil)
                #expect(await catalog.loadFallback(forHandler: "nobody.knows") == false)
                #expect(await catalog.loadFallback(forHandler: "mischief.noop"))
                let fallback = try #require(catalog.fallback(forHandler: "mischief.noop"))
                #expect(fallback.sha256 == first && fallback.manifest.name == "mischief.noop")
                #expect(catalog.version(forHandler: "mischief.noop")?.sha256 == second)
                // It takes runs.
                try host.supervisor.dispatch(
                    AttemptSpec(
                        runID: RunID(1), runName: "run_1", attempt: 1, version: fallback.sha256,
                        handlerIndex: fallback.handlerIndex, jobName: "mischief.noop", args: Array("{}".utf8),
                        limits: Limits().resolved))
                let report = await host.recorder.report(RunID(1))
                #expect(report.outcome == .succeeded && report.version == first)
                // The third version takes over from both.
                Self.put(Self.bytes(3), directory, "a.so")
                await ear.wait { ear.activated.count == 3 }
                #expect(catalog.fallback(forHandler: "mischief.noop") == nil)
                #expect(await catalog.loadFallback(forHandler: "mischief.noop"))
                #expect(catalog.fallback(forHandler: "mischief.noop")?.sha256 == second)
                // As long as another handler of the file needs it, it stays.
                catalog.dropFallback(forHandler: "mischief.noop", unless: { $0 == "mischief.sleep" })
                #expect(catalog.fallback(forHandler: "mischief.sleep")?.sha256 == second)
                catalog.dropFallback(forHandler: "mischief.sleep", unless: { _ in false })
                #expect(catalog.fallback(forHandler: "mischief.noop") == nil)
                while host.supervisor.isLoaded(first) || host.supervisor.isLoaded(second) {
                    try await LoopClock.sleep(for: .milliseconds(5))
                }
            }
        }

        /// Runs go on while the version changes fifty times; none fails, each stays on the bytes it began with.
        @Test func reloadsUnderLoadLoseNothing() async throws {
            try await self.withCatalog { host, catalog, ear, directory in
                Self.put(Self.bytes(0), directory, "m.so")
                try await catalog.start()
                var ended: [AttemptReport] = []
                var isOver = false
                var next: Int64 = 1_000_000
                var versions: [RunID: String] = [:]
                @LoopActor func dispatch() {
                    guard !isOver, let served = catalog.version(forHandler: "mischief.sleep") else { return }
                    next += 1
                    versions[RunID(next)] = served.sha256
                    do {
                        try host.supervisor.dispatch(
                            AttemptSpec(
                                runID: RunID(next), runName: RunID(next).description, attempt: 1,
                                version: served.sha256, handlerIndex: served.handlerIndex, jobName: "mischief.sleep",
                                args: Array("{\"ms\":\(next % 20)}".utf8), limits: Limits().resolved))
                    } catch { Issue.record("dispatch: \(error)") }
                }
                host.recorder.onEnd = { report in
                    ended.append(report)
                    dispatch()
                }
                for _ in 0..<8 { dispatch() }
                for reload in 1...50 {
                    Self.put(Self.bytes(reload), directory, "m.so")
                    await ear.wait { ear.activated.count == reload + 1 }
                }
                isOver = true
                host.recorder.onEnd = { ended.append($0) }
                await host.recorder.wait { host.supervisor.running.isEmpty }
                host.recorder.onEnd = nil
                #expect(ended.count > 50)
                #expect(
                    ended.allSatisfy { $0.outcome == .succeeded },
                    "\(ended.first { $0.outcome != .succeeded }.debugDescription)")
                #expect(ended.allSatisfy { $0.version == versions[$0.runID] })
                #expect(Set(ear.activated.map(\.sha256)).count == 51)
                await TestHost.eventually("only two zygotes are left") { TestHost.children().count == 2 }
            }
        }

        // MARK: Orders

        @LoopActor
        private static func image(_ version: Int, _ host: TestHost, _ catalog: PluginCatalog) async throws
            -> PluginImage
        {
            let path = "\(host.directory)/upload"
            unlink(path)
            Self.write(Self.bytes(version), to: path)
            return try await catalog.take(path, fileName: "mischief.so")
        }

        /// Gives a handler one run, as a delivery loop would.
        @LoopActor
        private static func run(
            _ number: Int64, _ handler: String, _ host: TestHost,
            _ catalog: PluginCatalog
        ) async throws -> (report: AttemptReport, isOnTrial: Bool) {
            let chosen = try #require(catalog.choose(handler: handler, dice: 0))
            try host.supervisor.dispatch(
                AttemptSpec(
                    runID: RunID(number), runName: RunID(number).description, attempt: 1, version: chosen.sha256,
                    handlerIndex: chosen.handlerIndex, jobName: handler, args: Array("{}".utf8),
                    limits: Limits().resolved))
            catalog.began(sha256: chosen.sha256, handler: handler)
            let report = await host.recorder.report(RunID(number))
            let verdict: AttemptVerdict = report.outcome == .crashed ? .crashed : .ok
            let isOnTrial = catalog.ended(sha256: chosen.sha256, handler: handler, verdict: verdict)
            #expect(report.version == chosen.sha256)
            return (report, isOnTrial)
        }

        @Test func anUploadServesAndARollbackIsQuick() async throws {
            try await self.withCatalog(warmFor: .seconds(60)) { host, catalog, ear, directory in
                try await catalog.start()
                let (one, two) = (try await Self.image(1, host, catalog), try await Self.image(2, host, catalog))
                #expect(try await catalog.propose(one, plugin: "mischief") == .active)
                #expect(try await catalog.propose(one, plugin: "mischief") == .unchanged)
                #expect(try await catalog.propose(two, plugin: "mischief", wish: .keep) == .staged)
                #expect(catalog.version(forHandler: "mischief.noop")?.sha256 == one.sha256)
                #expect(try await catalog.activate(plugin: "mischief", sha256: two.sha256) == .active)
                let steps = ear.kinds(two.sha256).filter { $0 != .retired }
                #expect(steps == [.staged, .warming, .staged, .warming, .active])
                #expect(catalog.fallback(forHandler: "mischief.noop")?.sha256 == one.sha256, "it is still warm")
                let began = LoopInstant.now
                try await catalog.rollback(plugin: "mischief")
                #expect(LoopInstant.now - began < .seconds(1))
                #expect(catalog.version(forHandler: "mischief.noop")?.sha256 == one.sha256)
                #expect(ear.activated.map(\.sha256) == [one.sha256, two.sha256, one.sha256])
                let report = try #require(catalog.plugins.first)
                #expect(report.name == "mischief" && report.file == nil && report.active == one.sha256)
                #expect(report.versions.first { $0.sha256 == two.sha256 }?.state == .rolledBack)
                await #expect(throws: ReloadFault.self) { try await catalog.rollback(plugin: "mischief") }
                await #expect(throws: ReloadFault.self) { try await catalog.rollback(plugin: "nobody") }
            }
        }

        @Test func aFileBecomesTheFileOfAPluginThatCameAnotherWay() async throws {
            try await self.withCatalog { host, catalog, ear, directory in
                try await catalog.start()
                try await catalog.follow(plugin: "mischief", version: try await Self.image(1, host, catalog))
                Self.put(Self.bytes(2), directory, "other-name.so")
                await ear.wait { ear.activated.count == 2 }
                #expect(catalog.plugins.map(\.file) == ["other-name.so"])
                #expect(catalog.plugins.first?.previous.count == 1)
            }
        }

        @Test func aVersionThatWouldBreakSomethingIsHeld() async throws {
            try await self.withCatalog { host, catalog, ear, directory in
                Self.put(Self.bytes(1), directory, "a.so")
                try await catalog.start()
                let problem = ContractProblem(
                    kind: .handlerRemoved, handler: "mischief.noop", where: "3 waiting runs", words: "it is gone")
                ear.verdict = { candidate, replacing in
                    #expect(replacing != nil && candidate.source != .row)
                    return .held([problem])
                }
                Self.put(Self.bytes(2), directory, "a.so")
                await ear.wait { ear.events.contains { $0.kind == .held } }
                let held = try #require(catalog.plugins.first?.held)
                #expect(held.problems == [problem] && ear.activated.count == 1)
                #expect(ear.statuses["a.so"]?.state == .active)
                let outcome = try await catalog.activate(plugin: "mischief", sha256: held.sha256)
                #expect(outcome != .active, "nobody forced it")
                #expect(
                    try await catalog.activate(plugin: "mischief", sha256: held.sha256, force: true) == .active)
                #expect(catalog.plugins.first?.held == nil)
            }
        }

        /// A version that crashes now and then is tried and taken back; its runs are none of its business.
        @Test func aBadTrialIsTakenBack() async throws {
            try await self.withCatalog { host, catalog, ear, directory in
                Self.put(Self.bytes(1), directory, "a.so")
                try await catalog.start()
                let name = try #require(catalog.plugins.first?.name)
                let one = try #require(catalog.plugins.first?.active)
                let two = try await Self.image(2, host, catalog)
                let policy = CanaryPolicy(percent: 50, minimumRuns: 3)
                #expect(try await catalog.setCanary(plugin: name, sha256: two.sha256, policy) == .canary)
                #expect(catalog.choose(handler: "mischief.noop", dice: 4999)?.sha256 == two.sha256)
                #expect(catalog.choose(handler: "mischief.noop", dice: 5000)?.sha256 == one)
                #expect(catalog.choose(handler: "mischief.noop", dice: 0, avoiding: two.sha256)?.sha256 == one)
                for number in 1...2 {
                    #expect(try await Self.run(Int64(1000 + number), "mischief.noop", host, catalog).isOnTrial == false)
                }
                let crash = try await Self.run(1003, "mischief.abort", host, catalog)
                #expect(crash.report.outcome == .crashed && crash.isOnTrial)
                #expect(catalog.plugins.first?.canary == nil)
                #expect(catalog.choose(handler: "mischief.noop", dice: 0)?.sha256 == one)
                #expect(
                    ear.events.last { $0.kind == .rolledBack }?.words == "1 of its 3 runs crashed, and 1 % are allowed")
                #expect(catalog.plugins.first?.versions.first?.state == .rolledBack)
            }
        }

        @Test func aGoodTrialServes() async throws {
            try await self.withCatalog { host, catalog, ear, directory in
                Self.put(Self.bytes(1), directory, "a.so")
                try await catalog.start()
                let name = try #require(catalog.plugins.first?.name)
                let two = try await Self.image(2, host, catalog)
                #expect(
                    try await catalog.setCanary(plugin: name, sha256: two.sha256, CanaryPolicy(runs: 2)) == .canary)
                for number in 1...2 { _ = try await Self.run(Int64(1000 + number), "mischief.noop", host, catalog) }
                await ear.wait { ear.activated.count == 2 }
                #expect(catalog.version(forHandler: "mischief.noop")?.sha256 == two.sha256)
                await catalog.endCanary(plugin: name)
                #expect(catalog.version(forHandler: "mischief.noop")?.sha256 == two.sha256, "it is over")
            }
        }

        /// Five crashes of twenty runs, where the version before had none.
        @Test func aNewVersionThatKeepsCrashingIsTakenBack() async throws {
            try await self.withCatalog(warmFor: .seconds(60)) { host, catalog, ear, directory in
                Self.put(Self.bytes(1), directory, "a.so")
                try await catalog.start()
                let one = try #require(catalog.plugins.first?.active)
                Self.put(Self.bytes(2), directory, "a.so")
                await ear.wait { ear.activated.count == 2 }
                var exempt = 0
                for number in 1...5 {
                    let crash = try await Self.run(
                        Int64(1000 + number), "mischief.abort", host, catalog)
                    if crash.isOnTrial { exempt += 1 }
                }
                #expect(exempt == 1, "only the last decides, and is the version's business")
                await ear.wait { ear.activated.count == 3 }
                #expect(catalog.version(forHandler: "mischief.noop")?.sha256 == one)
                #expect(ear.events.contains { $0.kind == .rolledBack && $0.words == "5 of its first 5 runs crashed" })
                // The file still has the bytes that were taken back: they are not taken again by themselves.
                await catalog.rescan()
                #expect(catalog.version(forHandler: "mischief.noop")?.sha256 == one)
            }
        }

        /// Another file with the same bytes serves nothing, and takes no part in how they are judged.
        @Test func twinsAreNotMixedUp() async throws {
            try await self.withCatalog(warmFor: .seconds(60)) { host, catalog, ear, directory in
                Self.put(Self.bytes(1), directory, "a.so")
                try await catalog.start()
                Self.put(Self.bytes(2), directory, "a.so")
                await ear.wait { ear.activated.count == 2 }
                for twin in ["b.so", "c.so", "d.so", "e.so", "f.so"] {
                    Self.put(Self.bytes(2), directory, twin)
                    await ear.wait { ear.statuses[twin]?.state == .rejected }
                }
                for number in 1...5 { _ = try await Self.run(Int64(1000 + number), "mischief.abort", host, catalog) }
                await ear.wait { ear.activated.count == 3 }
                #expect(catalog.plugins.filter { $0.active != nil }.count == 1)
            }
        }

        /// The version before is broken: nothing changes, and crashes cost attempts again, or they would go on for ever.
        @Test func whatCannotBeTakenBackGoesOn() async throws {
            try await self.withCatalog { host, catalog, ear, directory in
                Self.put(Self.bytes(1), directory, "a.so")
                try await catalog.start()
                let name = try #require(catalog.plugins.first?.name)
                let one = try #require(catalog.plugins.first?.active)
                Self.put(Self.bytes(2), directory, "a.so")
                await ear.wait { ear.activated.count == 2 }
                let path = try #require(catalog.image(of: one)).path
                chmod(path, 0o644)
                Self.write(Self.bytes(3), to: path)
                let two = try #require(catalog.plugins.first?.active)
                for number in 1...5 { _ = try await Self.run(Int64(1000 + number), "mischief.abort", host, catalog) }
                await ear.wait { ear.kinds(two).suffix(2) == [.rolledBack, .active] }
                let crash = try await Self.run(1006, "mischief.abort", host, catalog)
                #expect(!crash.isOnTrial && crash.report.version == two)
                // The same by hand, once more.
                await #expect(throws: ReloadFault.self) { try await catalog.rollback(plugin: name) }
                let version = try #require(catalog.plugins.first?.versions.first { $0.sha256 == two })
                #expect(version.state == .active && version.problem == nil)
                #expect(try await !Self.run(1007, "mischief.abort", host, catalog).isOnTrial)
            }
        }

        /// How a trial ends is told, whatever ends it; and what ends it is told to all hosts, not its end.
        @Test func anOvertakenTrialIsTold() async throws {
            try await self.withCatalog { host, catalog, ear, directory in
                Self.put(Self.bytes(1), directory, "a.so")
                try await catalog.start()
                let name = try #require(catalog.plugins.first?.name)
                let policy = CanaryPolicy(percent: 10)
                @LoopActor func end(of image: PluginImage) -> PluginEvent? {
                    ear.events.last { $0.sha256 == image.sha256 && $0.kind == .canaryEnded }
                }
                let (two, three) = (try await Self.image(2, host, catalog), try await Self.image(3, host, catalog))
                _ = try await catalog.setCanary(plugin: name, sha256: two.sha256, policy)
                _ = try await catalog.setCanary(plugin: name, sha256: three.sha256, policy)
                #expect(end(of: two)?.isConsequence == true && end(of: two)?.words?.contains("in its place") == true)
                _ = try await catalog.activate(plugin: name, sha256: two.sha256)
                #expect(end(of: three)?.isConsequence == true && end(of: three)?.words?.contains("serves all") == true)
                let four = try await Self.image(4, host, catalog)
                _ = try await catalog.setCanary(plugin: name, sha256: four.sha256, policy)
                try await catalog.disable(plugin: name)
                #expect(end(of: four)?.isConsequence == true)
                #expect(catalog.plugins.first?.canary == nil)
                // On trial means never for all.
                let outcome = try await catalog.setCanary(plugin: name, sha256: four.sha256, policy)
                #expect(outcome == .held([], words: "the plugin is disabled: there is nothing to try it beside"))
                await #expect(throws: ReloadFault(.disabled, "\(name) is disabled: enable it first")) {
                    try await catalog.rollback(plugin: name)
                }
                try await catalog.enable(plugin: name)
                #expect(catalog.plugins.first?.active == two.sha256)
            }
        }

        @Test func aFileRemovedWhileItsPluginIsDisabledIsGone() async throws {
            try await self.withCatalog { host, catalog, ear, directory in
                Self.put(Self.bytes(1), directory, "a.so")
                try await catalog.start()
                let name = try #require(catalog.plugins.first?.name)
                try await catalog.disable(plugin: name)
                unlink("\(directory)/a.so")
                await ear.wait { ear.events.contains { $0.kind == .withdrawn } }
                #expect(catalog.choose(handler: "mischief.noop", dice: 0) == nil)
            }
        }

        @Test func aDisabledPluginServesNothing() async throws {
            try await self.withCatalog { host, catalog, ear, directory in
                Self.put(Self.bytes(1), directory, "a.so")
                try await catalog.start()
                let name = try #require(catalog.plugins.first?.name)
                try await catalog.disable(plugin: name, reason: "too loud")
                #expect(catalog.choose(handler: "mischief.noop", dice: 0) == nil)
                #expect(catalog.plugins.first?.isDisabled == true)
                try await catalog.enable(plugin: name)
                #expect(catalog.choose(handler: "mischief.noop", dice: 0) != nil)
                await catalog.withdraw(plugin: name)
                #expect(catalog.choose(handler: "mischief.noop", dice: 0) == nil)
            }
        }

        // MARK: Bytes

        /// Somebody writes to the store: those bytes are never loaded, and the right ones come back.
        @Test func aChangedFileInTheStoreIsNotLoaded() async throws {
            try await self.withCatalog { host, catalog, ear, directory in
                Self.put(Self.bytes(1), directory, "a.so")
                try await catalog.start()
                let name = try #require(catalog.plugins.first?.name)
                let active = try #require(catalog.plugins.first?.active)
                let one = try #require(catalog.image(of: active))
                Self.put(Self.bytes(2), directory, "a.so")
                await ear.wait { ear.activated.count == 2 }
                chmod(one.path, 0o644)
                Self.write(Self.bytes(3), to: one.path)
                await #expect(throws: ReloadFault.self) { try await catalog.rollback(plugin: name) }
                #expect(access(one.path, F_OK) != 0, "the wrong bytes are in nobody's way")
                Self.put(Self.bytes(1), directory, "a.so")
                await ear.wait { ear.activated.count == 3 }
                #expect(catalog.version(forHandler: "mischief.noop")?.sha256 == one.sha256)
            }
        }

        /// What is broken here may be whole elsewhere.
        @Test func theRightBytesComeFromOtherHosts() async throws {
            try await self.withCatalog { host, catalog, ear, directory in
                Self.put(Self.bytes(1), directory, "a.so")
                try await catalog.start()
                let name = try #require(catalog.plugins.first?.name)
                let one = try #require(catalog.plugins.first?.active)
                let path = try #require(catalog.image(of: one)).path
                Self.put(Self.bytes(2), directory, "a.so")
                await ear.wait { ear.activated.count == 2 }
                unlink(path)
                Self.write(Self.bytes(3), to: path)
                var asked: [String] = []
                ear.bytes = { sha256 in
                    asked.append(sha256)
                    do { return try await Self.image(1, host, catalog) } catch { return nil }
                }
                try await catalog.rollback(plugin: name)
                #expect(catalog.plugins.first?.active == one && asked == [one])
                let run = try await Self.run(1001, "mischief.noop", host, catalog)
                #expect(run.report.outcome == .succeeded && run.report.version == one)
            }
        }

        @Test func linksAreFollowed() async throws {
            try await self.withCatalog { host, catalog, ear, directory in
                try await catalog.start()
                for version in 1...3 { Self.write(Self.bytes(version), to: "\(host.directory)/v\(version).so") }
                symlink("\(host.directory)/v1.so", "\(directory)/a.so")
                await ear.wait { ear.activated.count == 1 }
                // The link is replaced by another.
                symlink("\(host.directory)/v2.so", "\(directory)/.next")
                rename("\(directory)/.next", "\(directory)/a.so")
                await ear.wait { ear.activated.count == 2 }
                // All names go through one link, which is replaced.
                mkdir("\(directory)/..one", 0o755)
                mkdir("\(directory)/..two", 0o755)
                Self.write(Self.bytes(2), to: "\(directory)/..one/a.so")
                Self.write(Self.bytes(3), to: "\(directory)/..two/a.so")
                symlink("..one", "\(directory)/..data")
                symlink("..data/a.so", "\(directory)/.next")
                rename("\(directory)/.next", "\(directory)/a.so")
                symlink("..two", "\(directory)/..data_next")
                rename("\(directory)/..data_next", "\(directory)/..data")
                await ear.wait { ear.activated.count == 3 }
                #expect(catalog.statuses.map(\.file) == ["a.so"])
            }
        }

        @Test func onlyWhatIsSignedServesWhereThatIsAsked() async throws {
            let key = Curve25519.Signing.PrivateKey()
            let policy = SignaturePolicy(trustedKeys: [Array(key.publicKey.rawRepresentation)], isRequired: true)
            try await self.withCatalog(signatures: policy) { host, catalog, ear, directory in
                Self.put(Self.bytes(1), directory, "a.so")
                try await catalog.start()
                #expect(catalog.statuses.first?.state == .rejected)
                #expect(catalog.statuses.first?.error?.contains("not signed") == true)
                let signature = Array(try key.signature(for: Self.bytes(1)))
                // It comes after its file.
                Self.put(signature, directory, "a.so.sig")
                await ear.wait { ear.activated.count == 1 }
                #expect(
                    catalog.plugins.first?.versions.first?.signedBy
                        == key.publicKey.rawRepresentation.base64EncodedString())
                // Other bytes, the old signature.
                Self.put(Self.bytes(2), directory, "a.so")
                await ear.wait { ear.statuses["a.so"]?.error?.contains("does not fit") == true }
                #expect(ear.activated.count == 1)
                Self.write(Self.bytes(3), to: "\(host.directory)/upload")
                await #expect(throws: ReloadFault.self) {
                    try await catalog.take("\(host.directory)/upload", fileName: "a.so")
                }
                let good = Array(try key.signature(for: Self.bytes(3)))
                let image = try await catalog.take("\(host.directory)/upload", fileName: "a.so", signature: good)
                #expect(image.signature == good)
            }
        }

        @Test func aManifestOfFunctionsIsAPlugin() async throws {
            try await self.withCatalog { host, catalog, ear, directory in
                let source = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3)
                let manifest = source.joined(separator: "/") + "/plugins/ffi/libm.pawl.json"
                let copy = ChildProcess.Spec(executable: "/bin/cp", arguments: [manifest, directory])
                let copied = try await ChildProcess.run(copy, timeout: .seconds(10))
                try #require(copied.status.isSuccess)
                Self.put(Array("{\"broken\":".utf8), directory, "broken.pawl.json")
                Self.put([UInt8](repeating: 32, count: 60_001), directory, "large.pawl.json")
                try await catalog.start()
                let status = try #require(catalog.statuses.first { $0.file == "libm.pawl.json" })
                #expect(status.state == .active && status.kind == .ffi && !status.handlers.isEmpty, "\(status)")
                let broken = try #require(catalog.statuses.first { $0.file == "broken.pawl.json" })
                #expect(broken.state == .rejected && broken.error != nil, "\(broken)")
                // More than one datagram to the zygote takes.
                let large = try #require(catalog.statuses.first { $0.file == "large.pawl.json" })
                #expect(large.state == .rejected && large.error?.contains("60000 are the most") == true, "\(large)")
            }
        }
    }
}
