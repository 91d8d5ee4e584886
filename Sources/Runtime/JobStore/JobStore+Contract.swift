import JobCore
import Postgres

/// What waits for a job: what a new version of its handler must be able to take.
package struct WaitingWork: Sendable, Hashable {
    package var handler: String
    package var job: String
    /// Runs that are queued, scheduled, retrying or blocked.
    package var runs: Int64
    /// Schedules that will fire.
    package var schedules: Int64

    package init(handler: String, job: String, runs: Int64, schedules: Int64) {
        self.handler = handler
        self.job = job
        self.runs = runs
        self.schedules = schedules
    }
}

/// The args of a run or a schedule that waits.
package struct WaitingArgs: Sendable, Hashable {
    /// The run's number, or the schedule's.
    package var id: Int64
    package var job: String
    /// Of a schedule that has one.
    package var name: String?
    /// JSON text.
    package var args: String
}

extension JobStore {
    /// What waits for handlers, by job; from counters, so that nothing is walked.
    package func waitingWork(handlers: [String]) async throws(StoreError) -> [WaitingWork] {
        try await decoding {
            try await self.pool.query(.contractCounts, [.textArray(handlers.map(\.storable))]).map { row in
                var reader = RowReader(row)
                return WaitingWork(
                    handler: try reader.text(), job: try reader.text(), runs: try reader.int64(),
                    schedules: try reader.int64())
            }
        }
    }

    /// Runs that wait, in the order of their numbers.
    package func waitingRuns(
        jobs: [String], after: Int64, limit: Int
    ) async throws(StoreError) -> [WaitingArgs] {
        try await decoding {
            try await self.pool.query(
                .contractRuns, [.textArray(jobs.map(\.storable)), .int64(after), .int64(Int64(limit))]
            ).map { row in
                WaitingArgs(id: try row.int64(0), job: try row.text(1), args: try row.text(2))
            }
        }
    }

    /// Schedules that will fire, in the order of their numbers.
    package func waitingSchedules(
        jobs: [String], after: Int64, limit: Int
    ) async throws(StoreError) -> [WaitingArgs] {
        try await decoding {
            try await self.pool.query(
                .contractSchedules, [.textArray(jobs.map(\.storable)), .int64(after), .int64(Int64(limit))]
            ).map { row in
                WaitingArgs(
                    id: try row.int64(0), job: try row.text(1), name: try row.textOrNil(2), args: try row.text(3))
            }
        }
    }
}
