import Glibc
import JobCore
import JobStore
import Logging
import Postgres
import PostgresTestSupport
import Testing
import UVLoop

@testable import JobRunner

/// A table of log lines that answers, fails or hangs as it is told.
@LoopActor
private final class FakeTable {
    enum Mood: CaseIterable {
        case well
        /// Nothing is sent.
        case away
        /// The answer is lost: before, or after the commit.
        case lostBefore, lostAfter
        case hanging
    }

    var mood = Mood.well
    private(set) var rows: [LogInsert] = []
    private(set) var doubles = 0
    private var known: Set<Int64> = []
    private var hung: [CheckedContinuation<Void, Never>] = []
    private(set) var writes = 0

    /// Whoever writes in an earlier life than this was killed: nothing of it arrives.
    var life = 0

    func write(_ lines: [LogInsert], _ mayBeThere: Bool, life: Int = 0) async throws(StoreError) {
        writes += 1
        if mood == .hanging { await withCheckedContinuation { hung.append($0) } }
        if life != self.life { throw .unavailable(PostgresError(kind: .unavailable, message: "killed")) }
        switch mood {
        case .well, .hanging, .lostAfter:
            for line in lines {
                let id = line.runID.rawValue << 40 | line.seq
                if known.insert(id).inserted { rows.append(line) } else if !mayBeThere { doubles += 1 }
            }
        case .away, .lostBefore: break
        }
        switch mood {
        case .well, .hanging: return
        case .away: throw .unavailable(PostgresError(kind: .unavailable, message: "away"))
        case .lostBefore, .lostAfter:
            throw .unavailable(PostgresError(kind: .connection, message: "lost", mayHaveCommitted: true))
        }
    }

    func recover() {
        mood = .well
        release()
    }

    func release() {
        let waiting = hung
        hung = []
        for one in waiting { one.resume() }
    }
}

private struct Dice {
    var state: UInt64

    mutating func roll(_ sides: Int) -> Int {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Int(state >> 33) % sides
    }
}

@Suite struct LogWriterTests {
    init() { LoopActor.bindForTesting() }

    @LoopActor
    private func writer(
        _ table: FakeTable, _ spill: LogSpill?, memory: Int = 64 << 10, patience: Duration = .milliseconds(20)
    ) -> LogWriter {
        let life = table.life
        return LogWriter(
            spill: spill, bounds: .init(memoryBytes: memory, patience: patience), logger: TestDatabase.logger
        ) { lines, mayBeThere throws(StoreError) in try await table.write(lines, mayBeThere, life: life) }
    }

    private func lines(_ numbers: Range<Int64>, stream: LogStream = .handler) -> [LogLine] {
        numbers.map { LogLine(time: WallTime(micros: $0), level: .info, stream: stream, message: "line \($0)") }
    }

    private func key(_ run: Int64) -> AttemptKey { AttemptKey(run: RunID(run), attempt: 1) }

    @Test @LoopActor func anOutageGoesThroughTheFileInOrder() async throws {
        try await withDirectory { path in
            let table = FakeTable()
            let writer = writer(table, LogSpill(directory: path, limit: 8 << 20))
            await writer.takeOver()
            table.mood = .away
            for part in Int64(0)..<100 {
                writer.append(key(1), lines(part * 100..<part * 100 + 100))
                // Memory holds no more than its bound, and one part.
                #expect(writer.heldBytes < (64 << 10) + 100 * 120)
                try await LoopClock.sleep(for: .milliseconds(1))
            }
            try await eventually { writer.phase == .spilling }
            #expect(writer.acceptsMore && writer.spilledBytes > 0 && table.rows.isEmpty)
            var isWritten = false
            writer.whenWritten(key(1)) { isWritten = true }
            table.recover()
            try await eventually { isWritten }
            #expect(table.rows.map(\.line.message) == (0..<10_000).map { "line \($0)" })
            #expect(table.doubles == 0 && writer.phase == .memory && writer.heldBytes == 0 && files(path).isEmpty)
            writer.stop()
        }
    }

    @Test @LoopActor func aDatabaseThatHangsIsNotWaitedFor() async throws {
        try await withDirectory { path in
            let table = FakeTable()
            let writer = writer(table, LogSpill(directory: path, limit: 8 << 20))
            table.mood = .hanging
            writer.append(key(1), lines(0..<2000))
            #expect(!writer.acceptsMore)
            try await eventually { writer.acceptsMore }
            #expect(writer.phase == .spilling && writer.heldBytes == 0)
            writer.append(key(1), lines(2000..<2500))
            // What was on its way comes through after all: it is not written twice.
            table.recover()
            try await eventually { table.rows.count == 2500 }
            #expect(table.rows.map(\.line.message) == (0..<2500).map { "line \($0)" } && table.doubles == 0)
            try await eventually { files(path).isEmpty }
            writer.stop()
        }
    }

    @Test @LoopActor func whereThereIsNoRoomJobsSayWhatHappens() async throws {
        try await withDirectory { path in
            let table = FakeTable()
            let writer = writer(table, LogSpill(directory: path, limit: 1 << 20))
            let (patient, hasty) = (key(1), key(2))
            writer.begin(patient, LogPlan(policy: .block))
            writer.begin(hasty, LogPlan(policy: .drop))
            var roomCalls = 0
            writer.onRoom = { roomCalls += 1 }
            table.mood = .away
            var said: Int64 = 0
            while writer.phase != .full || writer.acceptsMore {
                if writer.accepts(patient) {
                    writer.append(patient, lines(said..<said + 50))
                    said += 50
                } else {
                    try await LoopClock.sleep(for: .milliseconds(1))
                }
            }
            #expect(writer.spilledBytes <= 1 << 20)
            #expect(!writer.accepts(patient) && writer.accepts(hasty))
            let before = roomCalls
            for part in Int64(0)..<10 { writer.append(hasty, lines(part * 100..<part * 100 + 100)) }
            #expect(writer.droppedLines(hasty) == 1000 && writer.linesDropped == 1000)
            // The host's own word is kept, and stands behind a note.
            writer.append(hasty, lines(5000..<5001, stream: .host))
            table.recover()
            var open = 2
            for key in [patient, hasty] { writer.whenWritten(key) { open -= 1 } }
            try await eventually { open == 0 }
            #expect(roomCalls > before)
            let rows = table.rows.filter { $0.runID == hasty.run }.map(\.line)
            #expect(
                rows.count == 2 && rows[0].message.hasPrefix("1000 log lines were dropped") && rows[0].stream == .host)
            #expect(rows[1].message == "line 5000")
            #expect(
                table.rows.filter { $0.runID == patient.run }.map(\.line.message) == (0..<said).map { "line \($0)" })
            #expect(writer.phase == .memory && writer.acceptsMore)
            writer.stop()
        }
    }

    @Test @LoopActor func withoutAFileAttemptsWait() async throws {
        let table = FakeTable()
        let writer = writer(table, nil)
        table.mood = .away
        writer.append(key(1), lines(0..<2000))
        try await LoopClock.sleep(for: .milliseconds(300))
        #expect(!writer.acceptsMore && writer.phase == .full)
        table.recover()
        try await eventually { table.rows.count == 2000 && writer.acceptsMore }
        writer.stop()
    }

    @Test @LoopActor func aStopLeavesTheRestToTheSuccessor() async throws {
        try await withDirectory { path in
            let table = FakeTable()
            let first = writer(table, LogSpill(directory: path, limit: 8 << 20), patience: .seconds(60))
            table.mood = .lostAfter
            first.append(key(1), lines(0..<300))
            try await eventually { table.writes > 0 }
            first.append(key(1), lines(300..<400))
            first.stop()
            table.mood = .well
            let second = writer(table, LogSpill(directory: path, limit: 8 << 20))
            await second.takeOver()
            #expect(table.rows.map(\.line.message) == (0..<400).map { "line \($0)" } && table.doubles == 0)
            second.stop()
        }
    }

    @Test @LoopActor func linesThatAreLostWithTheFileHoldUpNobody() async throws {
        try await withDirectory { path in
            let table = FakeTable()
            let writer = writer(table, LogSpill(directory: path, limit: 8 << 20))
            await writer.takeOver()
            table.mood = .away
            for part in Int64(0)..<10 {
                writer.append(key(1), lines(part * 1000..<part * 1000 + 1000))
                try await LoopClock.sleep(for: .milliseconds(5))
            }
            try await eventually { writer.phase == .spilling && writer.heldBytes == 0 }
            var isOver = false
            writer.whenWritten(key(1)) { isOver = true }
            for file in files(path) { try #require(truncate(path + "/" + file, 8) == 0) }
            table.recover()
            try await eventually { isOver }
            // What is said later comes as ever.
            var isWritten = false
            writer.append(key(1), lines(10_000..<10_010))
            writer.whenWritten(key(1)) { isWritten = true }
            try await eventually { isWritten }
            #expect(table.rows.suffix(10).map(\.line.message) == (10_000..<10_010).map { "line \($0)" })
            writer.stop()
        }
    }

    @Test @LoopActor func aFileThatCannotBeReadKeepsNobodyFromBeginning() async throws {
        try await withDirectory { path in
            try #require(mkdir(path, 0o700) == 0)
            try #require(symlink("/nowhere/at/all", path + "/000000000001.log") == 0)
            let table = FakeTable()
            let writer = writer(table, LogSpill(directory: path, limit: 8 << 20))
            await writer.takeOver()
            table.mood = .away
            writer.append(key(1), lines(0..<2000))
            try await eventually { writer.phase == .spilling && writer.heldBytes == 0 }
            table.recover()
            try await eventually { table.rows.count == 2000 }
            writer.stop()
        }
    }

    /// Moods change, hosts are killed at any moment: of each attempt there is a beginning without gaps or doubles, which holds at
    /// least what was in the file; of attempts that were not killed there is all.
    @Test(arguments: 1...40) @LoopActor func whateverHappens(seed: Int) async throws {
        try await withDirectory { path in
            var dice = Dice(state: UInt64(seed) &* 0x9E37_79B9_7F4A_7C15)
            let table = FakeTable()
            var said: [Int64: Int64] = [:]
            var atLeast: [Int64: Int64] = [:]
            var run: Int64 = 0
            var killed: [LogWriter] = []
            var present = path
            for _ in 0..<4 {
                let writer = writer(
                    table, LogSpill(directory: present, limit: 1 << 20), memory: 16 << 10, patience: .milliseconds(3))
                table.recover()
                await writer.takeOver()
                let runs = [run + 1, run + 2]
                run += 2
                for step in 0..<60 {
                    let mood = FakeTable.Mood.allCases[dice.roll(5)]
                    if step % 5 == 0, mood == .well { table.recover() } else if step % 5 == 0 { table.mood = mood }
                    if dice.roll(7) == 0 { table.release() }
                    let speaker = runs[dice.roll(2)]
                    if writer.accepts(key(speaker)) {
                        let from = said[speaker] ?? 0
                        said[speaker] = from + Int64(dice.roll(80))
                        writer.append(key(speaker), lines(from..<(said[speaker] ?? 0)))
                    }
                    if dice.roll(2) == 0 { try await LoopClock.sleep(for: .milliseconds(Int64(dice.roll(4)))) }
                }
                let isKilled = dice.roll(3) > 0
                if isKilled {
                    // Its successor finds the files as they are at this moment; it goes on in others, where nobody reads.
                    let inTable = Dictionary(grouping: table.rows, by: \.runID.rawValue).mapValues { Int64($0.count) }
                    for one in runs { atLeast[one] = inTable[one] ?? 0 }
                    if writer.phase == .spilling { for one in runs { atLeast[one] = said[one] ?? 0 } }
                    table.life += 1
                    killed.append(writer)
                    let copy = path + "\(killed.count)"
                    try copyFiles(from: present, to: copy)
                    present = copy
                } else {
                    table.recover()
                    try await eventually { writer.heldBytes == 0 && writer.spilledBytes == 0 }
                    for one in runs { atLeast[one] = said[one] ?? 0 }
                    writer.stop()
                }
            }
            table.recover()
            let last = writer(table, LogSpill(directory: present, limit: 1 << 20))
            await last.takeOver()
            last.stop()
            for writer in killed { writer.stop() }
            for number in 0...killed.count { removeFiles(path + (number == 0 ? "" : "\(number)")) }
            #expect(table.doubles == 0)
            let rows = Dictionary(grouping: table.rows, by: \.runID.rawValue)
            for (run, count) in said {
                let messages = (rows[run] ?? []).map(\.line.message)
                #expect(messages == (0..<Int64(messages.count)).map { "line \($0)" }, "run \(run)")
                #expect(messages.count >= atLeast[run] ?? 0 && messages.count <= count, "run \(run)")
                let seqs: [Int64] = (rows[run] ?? []).map { $0.seq % 1_000_000_000 }
                let expected: [Int64] = (0..<Int64(messages.count)).map { $0 + 1 }
                #expect(seqs == expected)
            }
        }
    }
}
