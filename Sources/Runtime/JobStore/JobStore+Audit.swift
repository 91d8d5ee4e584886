package import JobCore
import Postgres

/// Who did what to what, and what came of it.
package struct AuditRow: Sendable, Equatable {
    package var id: Int64
    package var time: WallTime
    /// Nil: a host by itself.
    package var actor: String?
    /// `run.cancel`, `queue.pause`, …
    package var action: String
    package var target: String
    package var reason: String?
    /// `ok`, or the code of the problem that it was answered with.
    package var result: String
    package var request: String?
    package var address: String?
    package var detail: JSONValue?
}

/// Which rows of the audit; what is nil does not narrow.
package struct AuditFilter: Sendable, Equatable {
    package var actor: String?
    /// An action, or the beginning of one and a star.
    package var action: String?
    package var target: String?
    package var result: String?
    package var since: WallTime?
    package var until: WallTime?
    /// Only older ones than this.
    package var before: Int64?

    package init() {}
}

extension JobStore {
    /// Notes who did what to what.
    package func audit(
        actor: String?, action: String, target: String, detail: String? = nil, result: String = "ok"
    ) async throws(StoreError) {
        _ = try await query(.auditNote, Self.auditNote(actor, action, target, detail, result: result))
    }

    /// Parameters of `audit_note`, with what the request at hand adds. Use it at once: the row counts as written.
    /// - Parameter detail: JSON text.
    static func auditNote(
        _ actor: String?, _ action: String, _ target: String, _ detail: String? = nil, result: String = "ok"
    ) -> [PGParameter] {
        let context = AuditContext.current
        context?.note()
        return [
            .text(orNull: actor), .text(action), .text(target.storable), .json(orNull: detail),
            .text(orNull: context?.reason), .text(result), .text(orNull: context?.request),
            .text(orNull: context?.address),
        ]
    }

    /// The newest first.
    package func auditRows(_ filter: AuditFilter, limit: Int) async throws(StoreError) -> [AuditRow] {
        let action = filter.action.map { $0.hasSuffix("*") ? String($0.dropLast()) : $0 }
        let parameters: [PGParameter] = [
            .text(orNull: filter.actor), .text(orNull: action), .bool(filter.action?.hasSuffix("*") ?? false),
            .text(orNull: filter.target), .text(orNull: filter.result), .time(orNull: filter.since),
            .time(orNull: filter.until), .int64(orNull: filter.before), .int64(Int64(limit)),
        ]
        return try await decoding {
            try await self.pool.query(.auditList, parameters).map { row in
                var reader = RowReader(row)
                return AuditRow(
                    id: try reader.int64(), time: try reader.time(), actor: try reader.textOrNil(),
                    action: try reader.text(), target: try reader.text(), reason: try reader.textOrNil(),
                    result: try reader.text(), request: try reader.textOrNil(), address: try reader.textOrNil(),
                    detail: try reader.jsonOrNil())
            }
        }
    }
}
