import JobCore
import Logging
import Postgres

extension JobStore {
    private static let passStep: Int64 = 5000
    /// Should the host that makes a pass die, another makes it after this time.
    private static let passTime: Duration = .seconds(60)
    /// A pass that moved something has another soon behind it: a request that read the rules before the change may have been
    /// committed behind it.
    private static let passSoon: Duration = .seconds(5)
    private static let passLater: Duration = .seconds(600)

    /// Queued runs of jobs with rules of their own that wait among others go to lanes of their own, if a look through them is
    /// due. Until then the claim passes over them. Some thousand rows at a time; call it every second or so on any number of
    /// hosts.
    /// - Returns: how many were moved.
    package func sortLanes() async throws(StoreError) -> Int {
        let isNeeded = try await query(.lanePassTake, [.int64(Self.passTime.wholeMilliseconds)]).first
        guard let isNeeded else { return 0 }
        guard try await decoding({ () throws in try isNeeded.bool(0) }) else {
            _ = try await query(.lanePassDone, [.null])
            return 0
        }
        let common = try await decoding {
            try await self.pool.query(.runLanes).map { try Self.lane($0, job: 2) }.filter(\.job.isEmpty)
        }
        var moved = 0
        for lane in common {
            let here = try await sort(lane)
            moved += here
            // Their positions are older than where hosts have read to in their new lanes.
            if here > 0 { _ = try await query(.rulesWake, [.textArray([lane.queue])]) }
        }
        let pause = moved > 0 ? Self.passSoon : Self.passLater
        _ = try await query(.lanePassDone, [.int64(pause.wholeMilliseconds)])
        if moved > 0 { lanes.forget() }
        return moved
    }

    private func sort(_ lane: Lane) async throws(StoreError) -> Int {
        var moved = 0
        var position: Int64 = 0
        while true {
            let from = position
            let answer = try await withTransaction { connection -> (last: Int64, looked: Int64, moved: Int64)? in
                _ = try await connection.query(.rulesPlan)
                let row = try await connection.query(
                    .lanePassStep,
                    [.text(lane.queue), .int32(lane.rank), .int64(from), .int64(Self.passStep)])[0]
                guard try !row.isNull(0) else { return nil }
                return (try row.int64(0), try row.int64(1), try row.int64(2))
            }
            guard let answer else { return moved }
            moved += Int(answer.moved)
            position = answer.last
            if answer.looked < Self.passStep { return moved }
        }
    }
}
