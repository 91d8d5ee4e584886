import JobCore
import Testing

@Suite struct OrphanRuleTests {
    private func find(_ processes: [(Int32, Int32)], known: Set<Int32> = [], host: Int32 = 10) -> [Int32] {
        OrphanKind.processesWithoutRun(
            among: processes.map { ProcessOwnership(pid: $0.0, parent: $0.1) }, known: known, host: host)
    }

    /// Host 10 below shell 5 below init; zygote 20, its child 30, the child's child 40.
    @Test func whoBelongsToARun() {
        let tree: [(Int32, Int32)] = [(1, 0), (5, 1), (10, 5), (20, 10), (30, 20), (40, 30)]
        #expect(find(tree, known: [20]) == [])
        // Neither we, nor those who started us.
        #expect(find(tree, known: []) == [20, 30, 40])
        // Left by its parent to us: only its cgroup, which is among the known, speaks for it.
        #expect(find(tree + [(60, 10), (70, 60)], known: [20]) == [60, 70])
        #expect(find(tree + [(60, 10), (70, 60)], known: [20, 60]) == [])
        #expect(find(tree + [(60, 10), (70, 60)], known: [20, 70]) == [60])
        // Of somebody else: nobody looks into them.
        #expect(find(tree + [(50, 1), (51, 50), (52, 5)], known: [20]) == [])
    }

    /// The table changes while it is read: parents may be missing, or seem to stand in a ring.
    @Test func tornTables() {
        #expect(find([(10, 5), (50, 77)]) == [])
        #expect(find([(10, 5), (50, 51), (51, 50)]) == [])
        #expect(find([(10, 10), (50, 50), (50, 10), (60, 10)]) == [60])
        #expect(find([(60, 10)]) == [60])
        #expect(find([]) == [])
    }

    @Test func everyKindSaysWhatBecomesOfIt() {
        for kind in OrphanKind.allCases { #expect(!kind.remedy.isEmpty) }
        #expect(OrphanKind.allCases.filter(\.isShared).count == 4)
        let orphan = Orphan(kind: .processWithoutRun, name: "7", mark: "100", detail: "sleep")
        var later = orphan
        later.detail = "sleep 60"
        #expect(orphan.key == later.key)
        later.mark = "101"
        #expect(orphan.key != later.key)
    }

    @Test func activity() {
        let start = WallTime(micros: 1_000_000_000)
        func at(_ seconds: Int64) -> WallTime { start.advanced(by: .seconds(seconds)) }
        var activity = RunActivity(startedAt: start)
        activity.looked(at: at(10), progress: Progress(), loggedAt: nil, cpuMillis: 99)
        #expect(activity.busyAt == start && activity.progressedAt == start)
        activity.looked(at: at(20), progress: Progress(current: 1), loggedAt: nil, cpuMillis: 199)
        #expect(activity.busyAt == at(20) && activity.progressedAt == at(20))
        activity.looked(at: at(30), progress: Progress(current: 1), loggedAt: at(25), cpuMillis: nil)
        #expect(activity.busyAt == at(20) && activity.progressedAt == at(25))
        // Its last look at the processor was ten seconds before: 20 s for 150 ms are too many.
        activity.looked(at: at(40), progress: Progress(current: 1), loggedAt: at(25), cpuMillis: 349)
        #expect(activity.busyAt == at(20))
        activity.looked(at: at(50), progress: Progress(current: 1), loggedAt: at(25), cpuMillis: 449)
        #expect(activity.busyAt == at(50))
        // A clock that stands still, or goes back, changes nothing.
        activity.looked(at: at(50), progress: Progress(current: 1), loggedAt: at(1), cpuMillis: 9999)
        #expect(activity.busyAt == at(50) && activity.progressedAt == at(25))
    }
}
