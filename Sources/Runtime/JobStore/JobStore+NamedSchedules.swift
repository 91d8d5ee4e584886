import JobCore
import Postgres
import UVLoop

/// Schedules by the names that people gave them.
extension JobStore {
    /// Nil: none has this name.
    package func schedule(named name: String) async throws(StoreError) -> ScheduleRow? {
        let id = try await decoding {
            try await self.pool.query(.scheduleNamed, [.text(name.storable)]).first?.int64(0)
        }
        guard let id else { return nil }
        return try await schedule(id)
    }

    static func scheduleExists(_ name: String?) -> StoreError {
        .conflict(
            code: "schedule_exists", detail: "there is a schedule \(name ?? "") already", currentState: nil)
    }

    /// A name that somebody else has taken meanwhile is a conflict, not a fault of the database.
    func namingSchedule<T: Sendable>(
        _ name: String?, _ body: @LoopActor () async throws(StoreError) -> T
    ) async throws(StoreError) -> T {
        do throws(StoreError) {
            return try await body()
        } catch {
            guard error.sqlState == .uniqueViolation else { throw error }
            throw Self.scheduleExists(name)
        }
    }
}

extension ScheduleInput {
    /// Words that paths of the interface have for something else.
    private static let reserved: Set<String> = ["due", "preview", "parse", "import", "export", "calendar"]

    /// Why a schedule may not have this name; nil: it may.
    static func nameFault(_ name: String) -> String? {
        if reserved.contains(name) { return "\(name) is a word of the interface; take another name" }
        let isLikeID = name.hasPrefix("sch_") && name.dropFirst(4).allSatisfy { $0.isASCII && $0.isNumber }
        return isLikeID ? "a name must not look like an id" : nil
    }

    /// What its client left open stays as it is in `present`.
    package func settled(by present: ScheduleInput) -> ScheduleInput {
        var settled = self
        settled.spec = spec.settled(openMembers, by: present.spec)
        settled.openMembers = []
        // Args are kept as they were written; blanks make no other schedule.
        if let mine = try? JSONValue(parsing: args), mine == (try? JSONValue(parsing: present.args)) {
            settled.args = present.args
        }
        return settled
    }
}
