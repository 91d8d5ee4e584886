import JobCore
import Postgres
import UVLoop

extension JobStore {
    /// Changes an operator's settings of a job: all of the patch or nothing.
    ///
    /// Throws `.invalid` with a pointer into the patch. Runs that are there already keep their queue, priority, attempts,
    /// retention and queue time; limits and execution hold from the next claim on.
    /// - Parameters:
    ///   - ifRevision: what the caller has seen; nil: whatever is there.
    ///   - actor: who wants it, for the record.
    package func patchJob(
        _ name: String, _ patch: JobPatch, ifRevision: Int64?, actor: String? = nil
    ) async throws(StoreError) -> PatchAnswer {
        do throws(FieldFault) { try patch.check() } catch { throw .invalid(error) }
        let limits = !patch.concurrency.isEmpty
        let revision =
            limits
            ? try await changingRules { try await self.change(name, patch, ifRevision, actor, $0) }
            : try await withTransaction { try await self.change(name, patch, ifRevision, actor, $0) }
        if limits { noteRules(.job(name)) }
        guard let revision else { return .notFound }
        guard revision.isChanged else { return .mismatch(revision.now) }
        return .changed(try await job(name))
    }

    /// Nil: there is no such job.
    private func change(
        _ name: String, _ patch: JobPatch, _ ifRevision: Int64?, _ actor: String?, _ connection: PostgresConnection
    ) async throws -> (isChanged: Bool, now: Int64)? {
        guard let row = try await connection.query(.jobLock, [.text(name.storable)]).first else { return nil }
        var reader = RowReader(row)
        let now = try reader.int64()
        if let ifRevision, ifRevision != now { return (false, now) }
        try await apply(patch, to: name, try reader.limits(), try reader.execution(), connection)
        _ = try await connection.query(
            .auditNote, Self.auditNote(actor, "job.settings", name, patch.summary))
        return (true, now + 1)
    }

    /// Merges a patch that was checked over what is there, within somebody's transaction. Throws `StoreError.invalid`.
    func apply(
        _ patch: JobPatch, to name: String, _ limits: Limits, _ execution: ExecutionSettings,
        _ connection: PostgresConnection
    ) async throws {
        let settings: (limits: Limits, execution: ExecutionSettings)
        do throws(FieldFault) {
            settings = (try patch.merged(limits), try patch.merged(execution))
        } catch {
            throw StoreError.invalid(error)
        }
        _ = try await connection.query(.jobPatch, Self.parameters(name, patch, settings.limits, settings.execution))
        if !patch.concurrency.isEmpty { try await Self.limitJob(connection, name, patch.concurrency) }
    }

    private static func parameters(
        _ name: String, _ patch: JobPatch, _ limits: Limits, _ execution: ExecutionSettings
    ) -> [PGParameter] {
        [
            .text(name.storable), .json(limits.json), .json(execution.json), .bool(patch.attempts != nil),
            .int32(orNull: (patch.attempts ?? nil).map { Int32(clamping: $0) }), .bool(patch.backoff != nil),
            .json(orNull: (patch.backoff ?? nil)?.json), .int32(orNull: patch.priority), .text(orNull: patch.queue),
            .int32(orNull: patch.retentionDays.map { Int32(clamping: $0) }),
            .bool(patch.failedRetentionDays != nil),
            .int32(orNull: (patch.failedRetentionDays ?? nil).map { Int32(clamping: $0) }),
        ]
    }
}

extension JobPatch {
    /// For the audit.
    fileprivate var summary: String {
        var members: [JSONMember] = []
        func number(_ value: (some BinaryInteger)?) -> JSONValue { value.map { .number(String($0)) } ?? .null }
        if !limits.isEmpty {
            let sorted = limits.sorted { $0.key < $1.key }
            members.append(JSONMember("limits", .object(sorted.map { JSONMember($0.key, number($0.value)) })))
        }
        if let execution { members.append(JSONMember("execution", execution)) }
        if let attempts { members.append(JSONMember("attempts", number(attempts))) }
        if let backoff { members.append(JSONMember("backoff", backoff.map { .string($0.kind.rawValue) } ?? .null)) }
        if let priority { members.append(JSONMember("priority", number(priority))) }
        if let queue { members.append(JSONMember("queue", .string(queue))) }
        if let retentionDays { members.append(JSONMember("retention_days", number(retentionDays))) }
        if let failedRetentionDays {
            members.append(JSONMember("failed_retention_days", number(failedRetentionDays)))
        }
        members += concurrency.members
        return JSONValue.object(members).json
    }
}
