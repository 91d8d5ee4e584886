import JobCore
import JobStore
import Postgres
import PostgresTestSupport
import Testing
import UVLoop

@Suite struct PluginStoreTests {
    private func sha(_ digit: Character) -> String { String(repeating: digit, count: 64) }

    private func decision(
        _ change: PluginChange, host: HostID? = nil, at: WallTime = WallTime(micros: 1), by: String? = nil,
        reason: String? = nil
    ) -> PluginDecision { PluginDecision(change, at: at, by: by, host: host, reason: reason) }

    @Test func decisionsAreGuardedByRevision() async throws {
        try await withBench { bench in
            let store = bench.store
            #expect(try await store.plugin("csv") == nil)
            let first = try await store.changePlugin(
                "csv", decision(.activate(sha("a")), host: bench.lease.id, by: "here", reason: "new"), ifRevision: 0)
            guard case .changed(let row) = first else {
                Issue.record("\(first)")
                return
            }
            #expect(row.revision == 1 && row.active == sha("a") && row.originHost == bench.lease.id)
            #expect(row.changedAt == WallTime(micros: 1) && row.changedBy == "here" && row.reason == "new")
            let late = try await store.changePlugin("csv", decision(.activate(sha("b"))), ifRevision: 0)
            #expect(late == .mismatch(row))
            let kept = try await store.plugin("csv")
            #expect(kept == row)
            let same = try await store.changePlugin("csv", decision(.activate(sha("a"))), ifRevision: 1)
            #expect(same == .unchanged(row))
            let second = try await store.changePlugin("csv", decision(.activate(sha("b"))), ifRevision: nil).row
            #expect(second.revision == 2 && second.previous == sha("a") && second.originHost == nil)
            // What does not change the version leaves it whose it is; the future is now.
            let future = try await store.databaseTime().advanced(by: .seconds(3600))
            let owned = try await store.changePlugin(
                "csv", decision(.activate(sha("c")), host: bench.lease.id, at: future), ifRevision: 2
            ).row
            let decidedAt = try #require(owned.changedAt)
            #expect(decidedAt < future)
            let off = try await store.changePlugin("csv", decision(.disable, by: "me"), ifRevision: 3).row
            #expect(off.isDisabled && off.originHost == bench.lease.id)
            #expect(try await bench.number("SELECT count(*) FROM pawl.audit WHERE action LIKE 'plugin.%'") == 2)
        }
    }

    /// Of many that decide at once on the same revision one is first.
    @Test func oneOfManyWins() async throws {
        try await withBench { bench in
            let other = bench.anotherStore()
            let tries = (0..<10).map { index in
                loopTask { () -> Bool in
                    let store = index % 2 == 0 ? bench.store : other
                    let version = String(repeating: Character(String(index)), count: 64)
                    do {
                        let answer = try await store.changePlugin(
                            "p", PluginDecision(.activate(version), at: WallTime(micros: 1)), ifRevision: 0)
                        if case .changed = answer { return true }
                    } catch { Issue.record(error) }
                    return false
                }
            }
            var winners = 0
            for one in tries where await one.value { winners += 1 }
            #expect(winners == 1)
            let row = try await bench.store.plugin("p")
            #expect(row?.revision == 1)
            await other.shutdown()
        }
    }

    @Test func decisionsAreAnnounced() async throws {
        try await withBench { bench in
            let other = bench.anotherStore()
            var heard: [String] = []
            try await other.listen(
                host: HostID(77), onWake: { _ in }, onSignal: { _ in }, onPlugin: { heard.append($0) }, onReconnect: {})
            // Its connection may still be on its way.
            var isOn = false
            try await eventually {
                isOn.toggle()
                _ = try await bench.store.changePlugin("csv", decision(isOn ? .disable : .enable), ifRevision: nil)
                return heard.contains("csv")
            }
            // What is still on its way has come when this has.
            _ = try await bench.store.changePlugin("last", decision(.disable), ifRevision: nil)
            try await eventually { heard.last == "last" }
            heard = []
            try await bench.store.registerHandlers(plugin: "more", [JobUpsert(handler: "more.one")])
            try await eventually { heard == ["more"] }
            // Nothing new: nobody is told. The next announcement would come after it.
            try await bench.store.registerHandlers(plugin: "more", [JobUpsert(handler: "more.one")])
            _ = try await bench.store.changePlugin("csv", decision(.pin(true)), ifRevision: nil)
            try await eventually { heard.count == 2 }
            #expect(heard == ["more", "csv"])
            await other.shutdown()
        }
    }

    @Test func versionsAndWhatIsKnownOfThem() async throws {
        try await withBench { bench in
            let store = bench.store
            let version = PluginVersionRow(
                sha256: sha("a"), plugin: "csv", label: "1.0", abi: "1.0", sizeBytes: 10, manifest: "{}", kind: .ffi,
                fileName: "csv.so", buildID: "ab", source: .upload, uploadedBy: "me", signedBy: "key")
            try await store.recordPluginVersion(version, serves: false)
            var known = try #require(try await store.pluginVersion(sha("a")))
            #expect(known.lastActiveAt == nil && known.kind == .ffi && known.uploadedBy == "me" && !known.hasBytes)
            #expect(known.state == .usable && known.signedBy == "key" && known.buildID == "ab")
            try await store.recordPluginVersion(version)
            known = try #require(try await store.pluginVersion(sha("a")))
            #expect(known.lastActiveAt != nil)
            // One host cannot load it: it is usable all the same.
            try await store.refusePluginVersion(
                PluginVersionRow(sha256: sha("a"), plugin: "csv", state: .rejected, problem: "no room"))
            #expect(try await store.pluginVersion(sha("a"))?.state == .usable)
            try await store.refusePluginVersion(
                PluginVersionRow(sha256: sha("b"), plugin: "csv", state: .rejected, problem: "no ELF file"))
            #expect(try await store.pluginVersion(sha("b"))?.problem == "no ELF file")
            try await store.refusePluginVersion(
                PluginVersionRow(sha256: sha("c"), plugin: "never.seen", state: .rejected, problem: "no ELF file"))
            #expect(try await store.pluginVersion(sha("c")) == nil)
            #expect(try await store.plugin("never.seen") == nil)
            try await store.refusePluginVersion(
                PluginVersionRow(sha256: sha("a"), plugin: "csv", state: .removed))
            #expect(try await store.pluginVersions(plugin: "csv").map(\.state) == [.removed, .rejected])
        }
    }

    @Test func eventsInTheirOrder() async throws {
        try await withBench { bench in
            let store = bench.store
            let events = (0..<5).map {
                NewPluginEvent(
                    plugin: $0 == 3 ? "other" : "csv", sha256: sha("a"), at: WallTime(micros: Int64($0)),
                    kind: "step\($0)", detail: "{\"n\":\($0)}")
            }
            try await store.addPluginEvents(events, host: bench.lease.id)
            let seen = try await store.pluginEvents(plugin: "csv")
            #expect(seen.map(\.kind) == ["step4", "step2", "step1", "step0"])
            #expect(seen[0].hostname == "here" && seen[0].detail == "{\"n\":4}" && seen[0].at == WallTime(micros: 4))
            let older = try await store.pluginEvents(plugin: "csv", before: seen[1].id, limit: 1)
            #expect(older.map(\.kind) == ["step1"])
            #expect(try await store.pluginEvents().count == 5)
        }
    }

    @Test func driftIsSeen() async throws {
        try await withBench { bench in
            let store = bench.store
            let far = try await store.registerHost(Bench.registration("directory-2")).lease
            _ = try await store.changePlugin("csv", decision(.activate(sha("b"))), ifRevision: nil)
            try await store.notePlugins(
                bench.lease.id,
                [
                    PluginHostNote(plugin: "csv", sha256: sha("b"), state: "active"),
                    PluginHostNote(plugin: "old", sha256: sha("c"), state: "active"),
                ])
            try await store.notePlugins(
                far.id,
                [
                    PluginHostNote(
                        plugin: "csv", sha256: sha("a"), candidate: sha("b"), state: "failed", problem: "no memory")
                ])
            var rows = try await store.pluginHosts(plugin: "csv")
            #expect(rows.map(\.host) == [bench.lease.id, far.id])
            #expect(rows.map(\.isDrift) == [false, true])
            #expect(rows[1].note.problem == "no memory" && rows[1].note.candidate == sha("b"))
            // Disabled: nobody is to serve it.
            _ = try await store.changePlugin("csv", decision(.disable), ifRevision: nil)
            #expect(try await store.pluginHosts(plugin: "csv").map(\.isDrift) == [true, true])
            // A host's note is all that it has.
            try await store.notePlugins(bench.lease.id, [PluginHostNote(plugin: "csv", sha256: nil, state: "disabled")])
            rows = try await store.pluginHosts()
            #expect(rows.map(\.note.plugin) == ["csv", "csv"] && rows.map(\.isDrift) == [false, true])
            try await store.notePlugins(bench.lease.id, [])
            #expect(try await store.pluginHosts().count == 1)
        }
    }

    @Test func bytesInPartsAndOutAgain() async throws {
        try await withBench { bench in
            let store = bench.store
            let size = JobStore.blobPartSize * 2 + 17
            let bytes = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
            func part(_ index: Int) -> [UInt8] {
                Array(bytes[index * JobStore.blobPartSize..<min(size, (index + 1) * JobStore.blobPartSize)])
            }
            #expect(try await store.beginBlob(sha("a"), size: Int64(size), configuration: "{}") == [0, 1, 2])
            try await store.putBlobPart(sha("a"), 1, part(1))
            #expect(try await store.completeBlob(sha("a")) == false)
            #expect(try await store.blob(sha("a"))?.isComplete == false)
            // Interrupted, and begun again.
            #expect(try await store.beginBlob(sha("a"), size: Int64(size), configuration: "{}") == [0, 2])
            try await store.putBlobPart(sha("a"), 0, part(0))
            try await store.putBlobPart(sha("a"), 2, part(2))
            try await store.putBlobPart(sha("a"), 2, part(2))
            #expect(try await store.completeBlob(sha("a")))
            #expect(try await store.beginBlob(sha("a"), size: Int64(size), configuration: "{}").isEmpty)
            let head = try #require(try await store.blob(sha("a")))
            #expect(head.isComplete && head.parts == 3 && head.configuration == "{}" && head.sizeBytes == Int64(size))
            var back: [UInt8] = []
            for index in 0..<head.parts { back += try #require(try await store.blobPart(sha("a"), index)) }
            #expect(back == bytes)
            #expect(try await store.blobPart(sha("a"), 3) == nil)
            await #expect(throws: StoreError.self) {
                try await store.beginBlob(sha("a"), size: Int64(size) + 1, configuration: nil)
            }
            await #expect(throws: StoreError.self) {
                try await store.beginBlob(sha("b"), size: JobStore.blobLimit + 1, configuration: nil)
            }
            #expect(try await store.blob(sha("b")) == nil)
        }
    }

    @Test func bytesThatNobodyNeedsGo() async throws {
        try await withBench { bench in
            let store = bench.store
            for digit: Character in ["a", "b", "c", "d", "e", "f"] {
                _ = try await store.beginBlob(sha(digit), size: 1, configuration: nil)
                try await store.putBlobPart(sha(digit), 0, [1])
                #expect(try await store.completeBlob(sha(digit)))
            }
            for digit: Character in ["e", "a", "b", "c"] {
                _ = try await store.changePlugin("p", decision(.activate(sha(digit))), ifRevision: nil)
            }
            try await store.notePlugins(
                bench.lease.id, [PluginHostNote(plugin: "p", sha256: sha("c"), candidate: sha("d"), state: "held")])
            _ = try await store.maintain(isForced: true)
            #expect(try await bench.number("SELECT count(*) FROM pawl.plugin_blob") == 6, "an hour has not passed")
            try await bench.side.execute("UPDATE pawl.plugin_blob SET stored_at = now() - interval '2 hours'")
            _ = try await store.maintain(isForced: true)
            for digit: Character in ["a", "b", "c", "d"] { #expect(try await store.blob(sha(digit)) != nil) }
            for digit: Character in ["e", "f"] { #expect(try await store.blob(sha(digit)) == nil) }
            #expect(try await bench.number("SELECT count(*) FROM pawl.plugin_blob_part") == 4)
        }
    }

    /// A plugin of many versions is no burden, and what its row names is always there.
    @Test func ofManyVersionsTheNewestAreTold() async throws {
        try await withBench { bench in
            let store = bench.store
            for digit: Character in ["a", "b", "c"] {
                try await store.recordPluginVersion(PluginVersionRow(sha256: sha(digit), plugin: "p"))
                _ = try await store.changePlugin("p", decision(.activate(sha(digit))), ifRevision: nil)
            }
            try await bench.side.execute(
                """
                UPDATE pawl.plugin_version SET last_active_at = now() - interval '3 years', first_seen_at = now() - interval '3 years';
                INSERT INTO pawl.plugin_version (sha256, plugin, size_bytes, first_seen_at)
                SELECT lpad(i::text, 64, '0'), 'p', 0, now() - make_interval(mins => i) FROM generate_series(1, 500) AS i;
                INSERT INTO pawl.plugin_version (sha256, plugin, size_bytes, first_seen_at)
                SELECT lpad(i::text, 64, 'e'), 'p', 0, now() - interval '200 days' FROM generate_series(1, 50) AS i;
                """)
            let told = try await store.pluginVersions(plugin: "p")
            #expect(told.count == 100)
            for digit: Character in ["a", "b", "c"] { #expect(told.contains { $0.sha256 == sha(digit) }) }
            #expect(told.contains { $0.sha256.hasSuffix("01") })
            // What nobody has used for half a year is forgotten.
            _ = try await store.maintain(isForced: true)
            #expect(try await bench.number("SELECT count(*) FROM pawl.plugin_version") == 503)
        }
    }

    /// What somebody has uploaded for later can still be had by other hosts when its time comes.
    @Test func whatStandsReadyIsKept() async throws {
        try await withBench { bench in
            let store = bench.store
            for digit: Character in ["a", "b", "c", "d"] {
                try await store.recordPluginVersion(
                    PluginVersionRow(sha256: sha(digit), plugin: "p", source: .upload), serves: false)
                _ = try await store.beginBlob(sha(digit), size: 1, configuration: nil)
            }
            try await bench.side.execute(
                """
                UPDATE pawl.plugin_blob SET stored_at = now() - interval '2 hours';
                UPDATE pawl.plugin_version SET first_seen_at = now() - interval '1 day' WHERE sha256 LIKE 'a%';
                """)
            _ = try await store.maintain(isForced: true)
            #expect(try await store.blob(sha("a")) == nil)
            for digit: Character in ["b", "c", "d"] { #expect(try await store.blob(sha(digit)) != nil) }
            try await bench.side.execute("UPDATE pawl.plugin_version SET first_seen_at = now() - interval '31 days'")
            _ = try await store.maintain(isForced: true)
            #expect(try await bench.number("SELECT count(*) FROM pawl.plugin_blob") == 0)
        }
    }

    /// A version whose bytes were taken away is none to go back to.
    @Test func whatIsGoneIsForgotten() async throws {
        try await withBench { bench in
            for digit: Character in ["a", "b", "c"] {
                _ = try await bench.store.changePlugin("p", decision(.activate(sha(digit))), ifRevision: nil)
            }
            let answer = try await bench.store.changePlugin("p", decision(.forget(sha("b"))), ifRevision: 3)
            #expect(answer.row.active == sha("c") && answer.row.previous == sha("a") && answer.row.older == nil)
            let again = try await bench.store.changePlugin("p", decision(.forget(sha("b"))), ifRevision: 4)
            guard case .unchanged = again else {
                Issue.record("\(again)")
                return
            }
        }
    }

    // MARK: What waits

    @Test func whatWaitsIsFoundInPages() async throws {
        try await withBench { bench in
            let store = bench.store
            let now = try await bench.enqueue(5)
            let later = try await store.enqueue(NewRun(job: "test.noop", args: "{\"x\":1}", delay: .seconds(600))).id
            _ = try await bench.enqueue(2, job: "test.sleep")
            _ = try await store.createSchedule(
                ScheduleInput(
                    job: "test.noop", spec: .interval(every: .seconds(3600), anchor: WallTime(micros: 0)),
                    args: "{\"s\":1}"))
            var idle = ScheduleInput(
                job: "test.noop", spec: .interval(every: .seconds(3600), anchor: WallTime(micros: 0)))
            idle.isEnabled = false
            _ = try await store.createSchedule(idle)
            let work = try await store.waitingWork(handlers: ["test.noop", "no.such"])
            #expect(work == [WaitingWork(handler: "test.noop", job: "test.noop", runs: 6, schedules: 1)])
            var seen: [RunID] = []
            var after: Int64 = 0
            while true {
                let page = try await store.waitingRuns(jobs: ["test.noop"], after: after, limit: 4)
                guard let last = page.last else { break }
                seen += page.map { RunID($0.id) }
                after = last.id
            }
            #expect(seen == now + [later])
            let schedules = try await store.waitingSchedules(jobs: ["test.noop"], after: 0, limit: 10)
            #expect(schedules.map(\.args) == ["{\"s\":1}"])
            // What runs, or is over, does not wait.
            _ = try await bench.claim(3)
            #expect(try await store.waitingWork(handlers: ["test.noop"])[0].runs < 6)
        }
    }

    /// A run that crashed in a version on trial: back at once, nothing used up, and it says which version it must not meet.
    @Test func aRunGoesElsewhere() async throws {
        try await withBench { bench in
            let id = try await bench.store.enqueue(NewRun(job: "test.noop", attempts: 1)).id
            let run = try await bench.claim(1)[0]
            #expect(run.avoidVersion == nil)
            var report = run.report(.crashed, reason: .signal)
            report.ended = try await bench.store.databaseTime()
            let settled = try await bench.store.settle(
                bench.lease, [Settlement(report: report, decision: .redo(avoiding: sha("b"), at: report.ended))])
            #expect(settled == [.applied])
            try await eventually { try await bench.store.promoteDue().moved == 1 }
            let again = try await bench.claim(1)[0]
            #expect(again.id == id && again.attempt == 2 && again.attemptsUsed == 0 && again.avoidVersion == sha("b"))
            // It stays so through what else may happen to it.
            _ = try await bench.store.settle(bench.lease, [.release(id, attempt: 2, at: report.ended)])
            let third = try await bench.claim(1)[0]
            #expect(third.avoidVersion == sha("b"))
            _ = try await bench.store.settle(
                bench.lease, [Settlement(report: third.report(.error), decision: .retry(at: report.ended))])
            try await eventually { try await bench.store.promoteDue().moved == 1 }
            let last = try await bench.claim(1)[0]
            #expect(last.avoidVersion == sha("b"))
            _ = try await bench.store.settle(bench.lease, [last.settlement(.finish(.succeeded))])
            let attempts = try await bench.store.attempts(id)
            #expect(attempts.map(\.outcome) == [.crashed, .error, .succeeded])
        }
    }
}
