import JobCore
import UVLoop

/// Shows what else runs on the host of a `pawl dev`: runs that were made from another terminal, follow-ups, retries, schedules.
@LoopActor
final class DevVisitors {
    private struct Followed {
        let run: RunRecord
        var nextLine: Int64 = 1
    }

    private let session: ClientSession
    private let screen: DevScreen
    /// The newest run that was seen.
    private var newest: Int64
    /// Made, and shown, by the session itself.
    private var own: Set<String> = []
    private var followed: [Followed] = []
    private let timer = LoopTimer()

    private static let interval = Duration.milliseconds(300)
    /// More at a time would be read by nobody.
    private static let followedAtMost = 8
    private static let page = 50

    /// What there is by now is old.
    init(_ session: ClientSession, screen: DevScreen) throws(ClientFailure) {
        self.session = session
        self.screen = screen
        self.newest = try Self.runs(session, limit: 1).first?.number ?? 0
    }

    func start() {
        self.timer.start(after: Self.interval, repeating: Self.interval) { [weak self] in self?.look() }
    }

    func stop() { self.timer.stop() }

    /// Somebody else shows this one.
    func isOwn(_ id: String) { self.own.insert(id) }

    private static func runs(_ session: ClientSession, limit: Int) throws(ClientFailure) -> [RunRecord] {
        let answer = try session.get("/api/v1/runs", [("limit", "\(limit)")])
        return (answer["items"]?.elements ?? []).map { RunRecord(json: $0) }
    }

    private func look() {
        do throws(ClientFailure) {
            try self.welcome()
            for index in self.followed.indices.reversed() {
                if try self.isOver(&self.followed[index]) { self.followed.remove(at: index) }
            }
        } catch {
            // The host is on its way down, or busy: the next look tells.
        }
    }

    private func welcome() throws(ClientFailure) {
        let fresh = try Self.runs(self.session, limit: Self.page).filter { ($0.number ?? 0) > self.newest }
        self.newest = fresh.first?.number ?? self.newest
        var unseen = 0
        for run in fresh.reversed() where self.own.remove(run.id) == nil {
            guard self.followed.count < Self.followedAtMost else {
                unseen += 1
                continue
            }
            let args = try self.session.run(run.id, include: "args").json["args"]?.present ?? .object([])
            self.screen.run(.init(handler: run.job, args: args, source: "\(run.name), \(Self.origin(run))"), run.id)
            self.followed.append(Followed(run: run))
        }
        if unseen > 0 {
            self.screen.note("\(unseen)\(fresh.count < Self.page ? "" : " or more") other runs: pawl runs")
        }
    }

    private static func origin(_ run: RunRecord) -> String {
        if run.json["parent"]?.text != nil { return "a follow-up" }
        if run.json["retry_of"]?.text != nil { return "a retry" }
        return run.json["schedule_id"]?.text == nil ? "from elsewhere" : "by a schedule"
    }

    private func isOver(_ followed: inout Followed) throws(ClientFailure) -> Bool {
        let isFinished = try self.session.run(followed.run.id).isFinished
        followed.nextLine = try self.screen.log(of: followed.run.id, from: followed.nextLine, self.session)
        guard isFinished else { return false }
        self.screen.end(try self.session.run(followed.run.id, include: "result"), isNamed: true)
        return true
    }
}
