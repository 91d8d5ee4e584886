/// A run as the server answers it, read leniently: an older or newer server may have fewer or more fields.
struct RunRecord {
    let json: JSONValue

    var id: String { self.json["id"]?.string ?? "" }
    var number: Int64? { self.json["number"]?.int64 ?? self.json["number"]?.string.flatMap { Int64($0) } }
    var job: String { self.json["job"]?.string ?? "" }
    var title: String? { self.json["title"]?.string }
    var state: String { self.json["state"]?.string ?? "" }
    var queue: String { self.json["queue"]?.string ?? "" }
    var attempt: Int64 { self.json["attempt"]?.int64 ?? 0 }
    var attemptsUsed: Int64 { self.json["attempts_used"]?.int64 ?? 0 }
    var maxAttempts: Int64? { self.json["max_attempts"]?.int64 }
    var createdAt: String? { self.json["created_at"]?.string }
    var startedAt: String? { self.json["started_at"]?.string }
    var finishedAt: String? { self.json["finished_at"]?.string }
    var runAt: String? { self.json["run_at"]?.string }
    var host: String? { self.json["host"]?.string }
    var outcome: String? { self.json["outcome"]?.string }
    var reason: String? { self.json["reason"]?.string }
    var progress: ProgressRecord? { self.json["progress"]?.present.map(ProgressRecord.init) }
    var isFinished: Bool { ClientExit(runState: self.state) != nil }

    /// "csv.to_jsonl#1234", or the id when the server gives no number.
    var name: String { self.number.map { "\(self.job)#\($0)" } ?? self.id }

    /// The error in a line: "timeout: no answer". Nil when there is none.
    var errorLine: String? {
        guard let error = self.json["error"]?.present else {
            return self.reason.map {
                self.outcome == nil || self.outcome == "succeeded" ? $0 : "\(self.outcome ?? ""): \($0)"
            }
        }
        if let text = error.string { return text }
        let message = error["message"]?.string ?? error["sentence"]?.string ?? ""
        guard let code = error["code"]?.string, !code.isEmpty, code != message else { return message }
        return message.isEmpty ? code : "\(message) (\(code))"
    }
}

/// How far a run is.
struct ProgressRecord {
    let json: JSONValue
    var percent: Double? { self.json["percent"]?.double }
    /// "Processing users (1,250 / 5,000)", rendered by the server.
    var line: String? { self.json["line"]?.string }
    var stage: String? { self.json["stage"]?.string }
    var current: Int64? { self.json["current"]?.int64 }
    var total: Int64? { self.json["total"]?.int64 }
    var unit: String? { self.json["unit"]?.string }
    var message: String? { self.json["message"]?.string }

    /// Counters in the server's order, as ("inserts", 12). Both shapes are read: an object, or a list of kind and count.
    var counters: [(kind: String, count: Int64)] {
        if let members = self.json["counters"]?.object {
            return members.compactMap { member in member.value.int64.map { (member.name, $0) } }
        }
        return (self.json["counters"]?.array ?? []).compactMap { item in
            guard let kind = item["kind"]?.string, let count = (item["count"] ?? item["n"])?.int64 else { return nil }
            return (kind, count)
        }
    }
}
