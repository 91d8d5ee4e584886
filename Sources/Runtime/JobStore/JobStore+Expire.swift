package import JobCore
import Postgres

extension JobStore {
    /// Ends runs that were not started within their queue time: `failed`, reason `expired`, no attempt. Any number of hosts
    /// may do so at once; a run ends once, and none that is claimed is touched.
    /// - Parameter limit: at most this many now; if as many come back, call again.
    package func expireQueued(limit: Int = 1000) async throws(StoreError) -> [RunID] {
        try await decoding {
            try await self.pool.query(.runExpire, [.int64(Int64(limit))]).map { RunID(try $0.int64(0)) }
        }
    }
}
