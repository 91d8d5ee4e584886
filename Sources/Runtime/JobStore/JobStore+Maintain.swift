import JobCore
import Logging
import Postgres
import UVLoop

extension JobStore {
    /// One for each part, so that a long one does not keep another from its turn.
    private static let foldLock: Int64 = 0x7061_776C_0000_0001
    private static let heavyLock: Int64 = 0x7061_776C_0000_0002
    /// One that takes longer may take a tenth of the time in all.
    private static let longFold: Duration = .milliseconds(500)
    /// As upkeep_keys.sql has it.
    private static let keysAtOnce: Int64 = 5000
    /// More than 16,000 keys a second, between two rounds of the heavier parts.
    private static let keyRounds = 2000
    /// As upkeep_follow_ups.sql has it.
    private static let linksAtOnce = 5000
    /// More than 16,000 links a second, between two rounds of the heavier parts.
    private static let linkRounds = 2000
    private static let occurrencesAtOnce: Int64 = 5000
    /// Some 3,000 planned times a second, between two rounds of the heavier parts.
    private static let occurrenceRounds = 400
    /// Runs that are looked at in one transaction, for those whose job is gone.
    private static let orphanSlice: Int64 = 20_000
    /// How long that may take in one call; the next one goes on.
    private static let orphanTime: Duration = .milliseconds(250)
    /// Between two rounds of the heavier parts.
    private static let heavyInterval: Duration = .seconds(600)

    /// Folds counters into sums and rollups; ends runs that wait and whose job is gone; every ten minutes also makes
    /// partitions ahead, drops those whose time is over, and forgets expired keys. Call it every second or so, on any number of hosts: one at a time works, the others return at
    /// once.
    /// - Parameter isForced: does the heavier parts now.
    package func maintain(isForced: Bool = false) async throws(StoreError) -> Maintenance {
        var done = Maintenance(
            deltasFolded: 0, partitionsMade: 0, partitionsDropped: 0, keysExpired: 0, wasLeader: false)
        if let folded = try await fold(isForced: isForced) {
            done.wasLeader = true
            done.deltasFolded = Int(folded)
            done.orphansEnded = Int(try await self.endOrphans(isForced))
        }
        let isDue = lastHeavyUpkeep.map { LoopInstant.now - $0 >= Self.heavyInterval } ?? true
        guard isForced || isDue else { return done }
        lastHeavyUpkeep = .now
        do throws(StoreError) {
            let heavy = try await withTransaction { connection -> (made: Int64, dropped: Int64)? in
                guard try await connection.query(.upkeepLock, [.int64(Self.heavyLock)])[0].bool(0) else { return nil }
                _ = try await connection.query(.upkeepCrashes)
                _ = try await connection.query(.upkeepPlugins)
                _ = try await connection.query(.upkeepRollups)
                let partitions = try await connection.query(.upkeepPartitions)[0]
                return (try partitions.int64(0), try partitions.int64(1))
            }
            if let heavy {
                done.partitionsMade = Int(heavy.made)
                done.partitionsDropped = Int(heavy.dropped)
                done.keysExpired = try await self.forgetKeys()
                try await self.forgetLinks()
                try await self.forgetOccurrences()
            }
        } catch {
            // A reader held a partition for longer than we wait. The default partitions take what comes until the next round.
            guard error.isTransient else { throw error }
            logger.info("partitions are busy; the next round makes them", metadata: ["error": "\(error)"])
        }
        return done
    }

    /// A request or a settlement may have been committed while its job was being removed: nobody would ever start its run.
    private func endOrphans(_ isForced: Bool) async throws(StoreError) -> Int64 {
        let began = LoopInstant.now
        if isForced || self.orphans.isDue(now: began) {
            let rows = try await self.query(.upkeepGoneJobs)
            self.orphans.counted(try await self.decoding { try rows.map { try $0.text(0) } }, now: began)
        }
        var ended: Int64 = 0
        while self.orphans.isWalking, isForced || LoopInstant.now - began < Self.orphanTime {
            let rows = try await self.query(
                .upkeepOrphans,
                [.textArray(self.orphans.jobs), .int64(self.orphans.position), .int64(Self.orphanSlice)])
            let (at, some) = try await self.decoding { (try rows[0].int64OrNil(0), try rows[0].int64(1)) }
            ended += some
            self.orphans.walked(to: at, ended: some, now: .now)
        }
        if ended > 0 {
            self.logger.notice("runs of jobs that are gone were cancelled", metadata: ["runs": "\(ended)"])
        }
        return ended
    }

    /// How many differences it folded; nil if another host is at it, or if it is too early.
    ///
    /// What a fold costs depends on how many queues and jobs are active, and little on how many differences there are: where
    /// it is a long one, it is done less often.
    private func fold(isForced: Bool) async throws(StoreError) -> Int64? {
        let began = LoopInstant.now
        guard isForced || began >= nextFold else { return nil }
        let folded = try await withTransaction { connection -> Int64? in
            guard try await connection.query(.upkeepLock, [.int64(Self.foldLock)])[0].bool(0) else { return nil }
            let folded = try await connection.query(.counterFold)[0].int64(0)
            _ = try await connection.query(.rollupUp)
            return folded
        }
        let took = LoopInstant.now - began
        nextFold = took > Self.longFold ? LoopInstant.now.advanced(by: took * 9) : began
        return folded
    }

    /// Each planned time leaves a row, also where a paused schedule's second passed: as many may have to go.
    private func forgetOccurrences() async throws(StoreError) {
        for _ in 0..<Self.occurrenceRounds {
            let gone = try await withTransaction { connection in
                try await connection.query(.upkeepOccurrences, [.int64(Self.occurrencesAtOnce)])[0].int64(0)
            }
            if gone < Self.occurrencesAtOnce { return }
        }
    }

    /// There may be one for each run, so thousands a second may have to go; each part is a transaction of its own.
    private func forgetKeys() async throws(StoreError) -> Int {
        var forgotten = 0
        for _ in 0..<Self.keyRounds {
            let (count, isMore) = try await withTransaction { connection -> (Int, Bool) in
                let row = try await connection.query(.upkeepKeys)[0]
                return (
                    Int(try row.int64(0)), try row.int64(1) >= Self.keysAtOnce || row.int64(2) >= Self.keysAtOnce
                )
            }
            forgotten += count
            if !isMore { break }
        }
        return forgotten
    }

    /// There is one for each follow-up run, so thousands a second may have to go; each part is a transaction of its own.
    private func forgetLinks() async throws(StoreError) {
        for _ in 0..<Self.linkRounds {
            let count = try await withTransaction { try await $0.query(.upkeepFollowUps).affectedRows }
            if count < Self.linksAtOnce { return }
        }
    }
}
