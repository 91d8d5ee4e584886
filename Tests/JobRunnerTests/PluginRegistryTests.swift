import Glibc
import JobCore
import JobStore
import Logging
import Plugins
import Postgres
import PostgresTestSupport
import Supervision
import Testing
import UVLoop

@testable import JobRunner

/// A host's plugins played by the test: what it is told to do, it does at once, unless it is broken.
@LoopActor
private final class FakeHost: PluginHands {
    let store: JobStore
    let registry: PluginRegistry
    let directory: ScratchDirectory
    /// What lies in its content store: bytes by name.
    var content: [String: PluginImage] = [:]
    var broken: Set<String> = []
    var steps: [String] = []
    var clock = WallTime(micros: 1_000_000)

    init(_ configuration: PostgresConfiguration) async throws {
        store = JobStore(configuration: configuration, logger: TestDatabase.logger)
        store.start()
        try await store.migrate()
        directory = try ScratchDirectory()
        weak var host: FakeHost?
        registry = PluginRegistry(
            store: store, directory: directory.path, logger: TestDatabase.logger,
            now: { host?.clock ?? WallTime(micros: 0) })
        host = self
        registry.hands = self
    }

    func begin(_ name: String) async throws {
        let lease = try await store.registerHost(
            HostRegistration(dataDirectoryID: name, hostname: name, pid: 1, version: "1", slots: 1)
        ).lease
        try await store.listen(
            host: lease.id, onWake: { _ in }, onSignal: { _ in }, onPlugin: { [registry] in registry.heard($0) },
            onReconnect: { [registry] in registry.look() })
        registry.begin(lease)
    }

    func close() async {
        registry.fenced()
        await store.shutdown()
    }

    /// A version, named by what is in it, as a content store names it.
    static func name(_ text: String) -> String {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
        let digits = String(hash, radix: 16)
        return String(repeating: "0", count: 64 - digits.count) + digits
    }

    /// Puts a version into the content store; its name.
    @discardableResult
    func add(_ text: String) throws -> String {
        let sha256 = Self.name(text)
        let path = "\(directory.path)/\(sha256).so"
        let file = try #require(fopen(path, "w"))
        fputs(text, file)
        fclose(file)
        content[sha256] = PluginImage(
            sha256: sha256, path: path, bytes: UInt64(text.utf8.count), nameHint: "p")
        return sha256
    }

    /// A file appeared in this host's directory and serves.
    @discardableResult
    func propose(_ text: String) throws -> String {
        clock = clock.advanced(by: .seconds(1))
        let sha256 = try add(text)
        activate(sha256, .file("p.so", isFirstLook: false))
        return sha256
    }

    func activate(_ sha256: String, _ source: ProposalSource) {
        guard let image = content[sha256] else { return }
        registry.activated(
            ActivePlugin(
                file: "p.so", kind: .native, image: image,
                manifest: PluginManifest(
                    name: "p", version: "1", abiMajor: 1, abiMinor: 0, flags: 0,
                    handlers: [HandlerManifest(name: "p.one")]),
                loadedAt: clock, source: source))
    }

    var place: PluginPlace { registry.places["p"] ?? PluginPlace(name: "p") }

    // MARK: PluginHands

    func image(of sha256: String) -> PluginImage? { content[sha256] }

    func take(_ fetched: PluginBytes.Fetched, plugin: String) async throws(PluginHandsFault) -> PluginImage {
        steps.append("take")
        guard let file = fopen(fetched.library, "r") else { throw PluginHandsFault(words: "no file") }
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        let count = fread(&bytes, 1, bytes.count, file)
        fclose(file)
        do { return content[try add(String(decoding: bytes.prefix(count), as: UTF8.self))]! } catch {
            throw PluginHandsFault(words: "\(error)")
        }
    }

    func serve(_ image: PluginImage, plugin: String) async throws(PluginHandsFault) {
        steps.append("serve")
        if broken.contains(image.sha256) { throw PluginHandsFault(words: "it does not load here") }
        activate(image.sha256, .row)
    }

    func beginCanary(_ image: PluginImage, plugin: String, policy: String) async throws(PluginHandsFault) {
        steps.append("canary \(policy)")
        registry.canaryBegan(plugin, image.sha256, policy: policy)
    }

    func endCanary(plugin: String) async {
        steps.append("end canary")
        registry.canaryEnded(plugin, reason: nil)
    }

    func retire(plugin: String) async {
        steps.append("retire")
        registry.retired(plugin, reason: nil)
    }

    func disable(plugin: String) async {
        steps.append("disable")
        registry.disabled(plugin, true, reason: nil)
    }

    func enable(plugin: String) async {
        steps.append("enable")
        registry.disabled(plugin, false, reason: nil)
    }
}

/// Hosts on one database, each with plugins of its own.
private func withHosts(
    _ count: Int, _ body: @escaping @LoopActor @Sendable ([FakeHost]) async throws -> Void
) async throws {
    LoopActor.bindForTesting()
    try await onHosts(count, body)
}

@LoopActor
private func onHosts(
    _ count: Int, _ body: @escaping @LoopActor @Sendable ([FakeHost]) async throws -> Void
) async throws {
    try await TestDatabase.with { configuration in
        var hosts: [FakeHost] = []
        let result: Result<Void, any Error>
        do {
            for number in 0..<count {
                let host = try await FakeHost(configuration)
                hosts.append(host)
                try await host.begin("host\(number)")
            }
            result = .success(try await body(hosts))
        } catch {
            result = .failure(error)
        }
        for host in hosts { await host.close() }
        try result.get()
    }
}

@Suite(.serialized) struct PluginRegistryTests {
    @Test func allHostsComeToServeWhatOneHas() async throws {
        try await withHosts(3) { hosts in
            let first = try hosts[0].propose("one")
            try await eventually { hosts.allSatisfy { $0.place.active == first } }
            #expect(hosts[1].steps.first == "take" && hosts[2].steps.contains("serve"))
            try await eventually { hosts.allSatisfy(\.registry.isSettled) }
            #expect(try await hosts[0].store.job("p.one").plugin == "p")
            // And back again, from another host.
            let second = try hosts[2].propose("two")
            try await eventually { hosts.allSatisfy { $0.place.active == second } }
            let row = try #require(try await hosts[1].store.plugin("p"))
            #expect(row.active == second && row.previous == first)
            #expect(row.originHost == hosts[2].registry.lease?.id)
            try await eventually {
                let told = try await hosts[0].store.pluginHosts(plugin: "p")
                return told.count == 3 && told.allSatisfy { !$0.isDrift && $0.note.state == "active" }
            }
            // What nobody had to fetch twice was not fetched twice.
            _ = try hosts[0].propose("one")
            try await eventually { hosts.allSatisfy { $0.place.active == first } }
            #expect(hosts[1].steps.count { $0 == "take" } == 2)
        }
    }

    @Test func aHostThatCannotLoadItSaysSoAndServesNothing() async throws {
        try await withHosts(2) { hosts in
            let first = try hosts[0].propose("one")
            try await eventually { hosts[1].place.active == first }
            hosts[1].broken = [FakeHost.name("two")]
            let second = try hosts[0].propose("two")
            try await eventually { hosts[1].place.isBlocked }
            #expect(hosts[1].place.active == first, "it has not lost what it had")
            #expect(!hosts[1].registry.mayServe("p.one") && !hosts[1].registry.isClear)
            #expect(hosts[0].registry.mayServe("p.one") && hosts[0].place.active == second)
            try await eventually {
                let told = try await hosts[0].store.pluginHosts(plugin: "p").first { $0.hostname == "host1" }
                return told?.isDrift == true && told?.note.state == "failed"
                    && told?.note.problem == "it does not load here"
            }
            try await eventually {
                try await hosts[0].store.pluginEvents(plugin: "p").contains { $0.kind == "cannot_follow" }
            }
            // A rollback makes what it still has the right one.
            _ = try hosts[0].propose("one")
            try await eventually { hosts[1].registry.mayServe("p.one") }
            try await eventually {
                try await hosts[0].store.pluginHosts(plugin: "p").allSatisfy { !$0.isDrift }
            }
        }
    }

    /// What does not go into the database serves where it is; everybody who looks at it is told that the others cannot have it.
    @Test func aVersionThatIsTooLargeForTheDatabaseSaysSo() async throws {
        try await withHosts(2) { hosts in
            let host = hosts[0]
            let large = try host.add("large")
            let path = try #require(host.content[large]).path
            host.content[large] = PluginImage(
                sha256: large, path: path, bytes: UInt64(JobStore.blobLimit) + 1, nameHint: "p")
            host.activate(large, .file("p.so", isFirstLook: false))
            try await eventually("the others say why at once") { hosts[1].place.isBlocked }
            #expect(hosts[1].place.note.problem?.contains("at most 268435456 go into the database") == true)
            try await eventually {
                let told = try await host.store.pluginHosts(plugin: "p").first { $0.hostname == "host0" }
                return told?.note.state == "active"
                    && told?.note.problem?.hasPrefix("other hosts cannot have it: it has 268435457 bytes") == true
            }
            try await eventually {
                try await host.store.pluginEvents(plugin: "p").contains {
                    $0.kind == "not_shared" && $0.sha256 == large
                }
            }
            // The next one is small: nothing is said of it.
            let small = try host.propose("small")
            try await eventually { hosts.allSatisfy { $0.place.active == small && $0.place.note.problem == nil } }
        }
    }

    @Test func bytesThatWereChangedAreNotServed() async throws {
        try await withHosts(1) { hosts in
            let first = try hosts[0].propose("one")
            try await eventually { try await hosts[0].store.blob(first)?.isComplete == true }
            let second = FakeHost.name("never")
            _ = try await hosts[0].store.beginBlob(second, size: 3, configuration: nil)
            try await hosts[0].store.putBlobPart(second, 0, Array("bad".utf8))
            #expect(try await hosts[0].store.completeBlob(second))
            _ = try await hosts[0].store.changePlugin(
                "p", PluginDecision(.activate(second), at: WallTime(micros: 9_000_000)), ifRevision: nil)
            try await eventually { hosts[0].place.isBlocked }
            #expect(hosts[0].place.note.problem?.contains("not what they should be") == true)
            #expect(hosts[0].place.active == first)
        }
    }

    @Test func ofTwoAtOnceOneWins() async throws {
        try await withHosts(2) { hosts in
            let one = try hosts[0].propose("one")
            hosts[1].clock = hosts[0].clock
            let two = try hosts[1].propose("two")  // A second later.
            #expect(one != two)
            try await eventually("both serve the later one") {
                hosts.allSatisfy { $0.place.active == two && $0.registry.isSettled }
            }
            #expect(try await hosts[0].store.plugin("p")?.active == two)
        }
    }

    /// A host that was cut off decided before the others did: it follows them.
    @Test func anOldDecisionUndoesNothing() async throws {
        try await withHosts(2) { hosts in
            let first = try hosts[0].propose("one")
            try await eventually { hosts.allSatisfy { $0.place.active == first } }
            let lease = try #require(hosts[0].registry.lease)
            try await eventually { !hosts[0].registry.isWriting }
            hosts[0].registry.fenced()
            _ = try hosts[0].propose("old")
            hosts[1].clock = hosts[0].clock.advanced(by: .seconds(60))
            let new = try hosts[1].propose("new")
            try await eventually { try await hosts[1].store.plugin("p")?.active == new }
            hosts[0].registry.begin(lease)
            try await eventually { hosts[0].place.active == new && hosts[0].registry.isSettled }
            try await eventually {
                try await hosts[1].store.pluginEvents(plugin: "p").contains { $0.kind == "superseded" }
            }
        }
    }

    @Test func theDatabaseMayBeAwayFor() async throws {
        try await withHosts(2) { hosts in
            let lease = try #require(hosts[0].registry.lease)
            try await eventually { !hosts[0].registry.isWriting }
            hosts[0].registry.fenced()
            var last = ""
            for number in 0..<300 { last = try hosts[0].propose("version \(number)") }
            for number in 0..<3000 {
                hosts[0].registry.happened(
                    NewPluginEvent(plugin: "p", at: WallTime(micros: Int64(number)), kind: "step"))
            }
            #expect(hosts[0].registry.unwrittenEvents.count == PluginRegistry.eventLimit)
            #expect(hosts[0].registry.unsent.count <= PluginRegistry.unsentLimit)
            #expect(hosts[0].registry.decisions["p"]?.pending.count == 1)
            hosts[0].registry.begin(lease)
            try await eventually { hosts.allSatisfy { $0.place.active == last } }
            #expect(try await hosts[1].store.plugin("p")?.revision == 1)
        }
    }

    @Test func whatPeopleWantIsWrittenWithTheirNames() async throws {
        try await withHosts(2) { hosts in
            let first = try hosts[0].propose("one")
            try await eventually { hosts.allSatisfy { $0.place.active == first && $0.registry.isSettled } }
            let noise = hosts[1].registry.ask("p", PluginWish(.disable, by: "me", reason: "noise", revision: 1))
            hosts[1].registry.disabled("p", true, reason: nil)
            try await eventually { hosts[0].place.isDisabled }
            await hosts[1].registry.written("p", atMost: .seconds(5))
            #expect(hosts[1].registry.answered("p", noise) == nil && hosts[1].registry.asks.isEmpty)
            let row = try #require(try await hosts[0].store.plugin("p"))
            #expect(row.changedBy == "me" && row.reason == "noise" && row.isDisabled)
            #expect(row.originHost == hosts[0].registry.lease?.id, "it is still its file")
            // Somebody has changed it since: nothing happens, and the row is followed.
            let late = hosts[1].registry.ask("p", PluginWish(.enable, by: "me", revision: 1))
            hosts[1].registry.disabled("p", false, reason: nil)
            try await eventually { hosts[1].place.isDisabled && hosts[1].registry.isSettled }
            #expect(try await hosts[0].store.plugin("p")?.isDisabled == true)
            #expect(hosts[1].registry.answered("p", late)?.code == .changed, "and whoever asked is told")
        }
    }

    /// Several want something at once, and a file decides meanwhile: each decision is whose it is.
    @Test func whoWantsSomethingIsNotMistakenForAnother() async throws {
        try await withHosts(1) { hosts in
            let (host, registry) = (hosts[0], hosts[0].registry)
            let first = try host.propose("one")
            try await eventually { registry.isSettled }
            let second = try host.add("two")
            let ann = registry.ask("p", PluginWish(.version(second), by: "ann", reason: "hers", isForced: true))
            let bob = registry.ask("p", PluginWish(.disable, by: "bob", reason: "his"))
            // A file that comes between.
            let third = try host.propose("three")
            try await eventually { registry.isSettled }
            var row = try #require(try await host.store.plugin("p"))
            #expect(row.active == third && row.changedBy == registry.lease?.id.description && row.reason == nil)
            #expect(row.originHost == registry.lease?.id)
            registry.disabled("p", true, reason: nil)
            try await eventually { registry.isSettled }
            row = try #require(try await host.store.plugin("p"))
            #expect(row.isDisabled && row.changedBy == "bob" && row.reason == "his")
            #expect(registry.answered("p", bob) == nil)
            registry.disabled("p", false, reason: nil)
            host.activate(second, .upload)
            try await eventually { registry.isSettled }
            row = try #require(try await host.store.plugin("p"))
            #expect(row.active == second && row.previous == third && row.older == first)
            #expect(row.changedBy == "ann" && row.reason == "hers" && row.originHost == nil)
            #expect(registry.answered("p", ann) == nil && registry.asks.isEmpty)
            // What nobody looked at before is on record.
            try await eventually {
                try await host.store.pluginEvents(plugin: "p").contains { $0.kind == "forced" && $0.sha256 == second }
            }
        }
    }

    /// A host's clock is an hour behind: a file that appears there serves all the same.
    @Test func aClockThatIsBehindShutsNobodyOut() async throws {
        try await withHosts(2) { hosts in
            hosts[1].clock = hosts[1].clock.advanced(by: .seconds(7200))
            let first = try hosts[1].propose("one")
            try await eventually { hosts.allSatisfy { $0.place.active == first && $0.registry.isSettled } }
            let second = try hosts[0].propose("two")
            let third = try hosts[0].propose("three")
            #expect(second != third)
            try await eventually { hosts.allSatisfy { $0.place.active == third && $0.registry.isSettled } }
        }
    }

    /// Two want the same bytes at once: neither gets in the other's way.
    @Test func theSameBytesAreFetchedTwiceAtOnce() async throws {
        try await withHosts(2) { hosts in
            let text = String(repeating: "many bytes ", count: 60_000)
            let first = try hosts[0].propose(text)
            try await eventually { try await hosts[0].store.blob(first)?.isComplete == true }
            let bytes = hosts[1].registry.bytes
            let fetches = (0..<4).map { _ in
                loopTask { () -> (String, Int)? in
                    do {
                        let fetched = try await bytes.fetch(first)
                        var status = stat()
                        stat(fetched.library, &status)
                        return (fetched.library, Int(status.st_size))
                    } catch {
                        Issue.record(error)
                        return nil
                    }
                }
            }
            var paths: Set<String> = []
            for fetch in fetches {
                let (path, size) = try #require(await fetch.value)
                #expect(size == text.utf8.count)
                paths.insert(path)
            }
            #expect(paths.count == 4)
            // The next life of the host removes what nobody has come to remove.
            _ = PluginRegistry(
                store: hosts[1].store, directory: hosts[1].directory.path, logger: TestDatabase.logger)
            #expect(paths.allSatisfy { access($0, F_OK) != 0 })
        }
    }

    /// Whoever is told to serve a version can have its bytes, even if the host that had them is gone.
    @Test func theRowNamesOnlyWhatCanBeHad() async throws {
        try await withHosts(1) { hosts in
            for round in 0..<5 {
                let version = try hosts[0].propose("\(round)" + String(repeating: "many bytes ", count: 60_000))
                try await eventually { try await hosts[0].store.plugin("p")?.active == version }
                #expect(try await hosts[0].store.blob(version)?.isComplete == true)
            }
        }
    }

    /// The database refuses one thing for ever: the rest is written all the same.
    @Test func whatTheDatabaseRefusesKeepsNothingElseWaiting() async throws {
        try await withHosts(1) { hosts in
            let (host, registry) = (hosts[0], hosts[0].registry)
            let first = try host.propose("one")
            try await eventually { registry.isSettled && !registry.isWriting }
            // Other bytes under the same name: nobody can put its own beside them.
            let bad = try host.add("two")
            _ = try await host.store.beginBlob(bad, size: 1, configuration: nil)
            host.clock = host.clock.advanced(by: .seconds(1))
            registry.canaryBegan("p", bad, policy: "{}")
            let third = try host.add("three")
            registry.ready(PluginVersionRow(sha256: third, plugin: "p"))
            registry.canaryBegan("p", bad, policy: "{}")
            try await eventually { try await host.store.blob(third)?.isComplete == true }
            try await eventually { registry.unsent.isEmpty && !registry.isWriting }
            #expect(try await host.store.plugin("p")?.active == first)
        }
    }

    @Test func aCanaryRunsEverywhereAndEndsEverywhere() async throws {
        try await withHosts(2) { hosts in
            let first = try hosts[0].propose("one")
            try await eventually { hosts.allSatisfy { $0.place.active == first && $0.registry.isSettled } }
            let second = try hosts[0].add("two")
            hosts[0].clock = hosts[0].clock.advanced(by: .seconds(1))
            hosts[0].registry.canaryBegan("p", second, policy: "{\"percent\": 5}")
            try await eventually { hosts[1].place.canary == second }
            #expect(hosts[1].steps.contains("canary {\"percent\":5}") && hosts[1].place.active == first)
            // The other host has seen it crash.
            hosts[1].clock = hosts[0].clock.advanced(by: .seconds(1))
            hosts[1].registry.canaryEnded("p", reason: "3 of 20 runs crashed")
            try await eventually { hosts[0].place.canary == nil && hosts[0].steps.contains("end canary") }
            let row = try #require(try await hosts[0].store.plugin("p"))
            #expect(row.active == first && row.canary == nil && row.reason == "3 of 20 runs crashed")
        }
    }

    /// It passed here, and the others wanted it tried: now all serve it.
    @Test func aCanaryThatPassesAnywhereServesEverywhere() async throws {
        try await withHosts(2) { hosts in
            let first = try hosts[0].propose("one")
            try await eventually { hosts.allSatisfy { $0.place.active == first && $0.registry.isSettled } }
            let second = try hosts[0].add("two")
            hosts[0].clock = hosts[0].clock.advanced(by: .seconds(1))
            hosts[0].registry.canaryBegan("p", second, policy: "{}")
            try await eventually { hosts[1].place.canary == second && !hosts[1].place.isMoving }
            hosts[1].clock = hosts[0].clock.advanced(by: .seconds(1))
            hosts[1].activate(second, .row)
            try await eventually { hosts.allSatisfy { $0.place.active == second && $0.place.canary == nil } }
            let row = try #require(try await hosts[0].store.plugin("p"))
            #expect(row.active == second && row.previous == first && row.canary == nil)
        }
    }

    /// The first runs of a version were bad: the one before it serves again, everywhere, and the row says why.
    @Test func whatAHostTakesBackIsTakenBackEverywhere() async throws {
        try await withHosts(2) { hosts in
            let first = try hosts[0].propose("one")
            try await eventually { hosts.allSatisfy { $0.place.active == first && $0.registry.isSettled } }
            let second = try hosts[0].propose("two")
            try await eventually { hosts.allSatisfy { $0.place.active == second && $0.registry.isSettled } }
            hosts[1].clock = hosts[0].clock.advanced(by: .seconds(1))
            hosts[1].registry.rolledBack("p", second, reason: "6 of its first 9 runs crashed")
            hosts[1].activate(first, .rollback)
            try await eventually { hosts.allSatisfy { $0.place.active == first } }
            let row = try #require(try await hosts[0].store.plugin("p"))
            #expect(row.active == first && row.previous == second && row.reason == "6 of its first 9 runs crashed")
            #expect(row.originHost == hosts[0].registry.lease?.id, "the file is whose it was")
        }
    }

    @Test func aRemovedFileRetiresItWhereItWasTheOrigin() async throws {
        try await withHosts(2) { hosts in
            let first = try hosts[0].propose("one")
            try await eventually { hosts.allSatisfy { $0.place.active == first && $0.registry.isSettled } }
            // Not the origin: it goes without, the others go on.
            hosts[1].registry.retired("p", reason: nil)
            hosts[1].registry.look()
            try await eventually { !hosts[1].registry.isWriting && !hosts[1].registry.isLooking }
            #expect(hosts[1].place.active == nil && hosts[0].place.active == first)
            #expect(try await hosts[0].store.plugin("p")?.active == first)
            let second = try hosts[0].propose("two")
            try await eventually { hosts[1].place.active == second }
            hosts[0].clock = hosts[0].clock.advanced(by: .seconds(1))
            hosts[0].registry.retired("p", reason: nil)
            try await eventually { try await hosts[1].store.plugin("p")?.active == nil }
            try await eventually { hosts.allSatisfy { $0.place.active == nil } }
            #expect(hosts[1].steps.last == "retire")
        }
    }
}
