package import JobCore
import Postgres

extension JobStore {
    /// How many queued runs of its queue are started before this one, as things stand. Walks the line up to a thousand.
    /// - Returns: nil if it is not queued; `isBound`: there are at least so many.
    package func queuedAhead(of id: RunID) async throws(StoreError) -> (count: Int, isBound: Bool)? {
        let limit: Int64 = 1000
        return try await decoding {
            try await self.pool.query(.runPosition, [.int64(id.rawValue), .int64(limit)]).first.map { row in
                var reader = RowReader(row)
                let count = try reader.int64()
                return (Int(count), count >= limit)
            }
        }
    }
}
