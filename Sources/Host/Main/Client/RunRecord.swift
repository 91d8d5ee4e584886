import JobCore

/// A run as the server answers it, read leniently: an older or newer server may have fewer or more fields.
struct RunRecord {
    let json: JSONValue

    var id: String { self.json["id"]?.text ?? "" }
    var number: Int64? { self.json["number"]?.integer ?? self.json["number"]?.text.flatMap { Int64($0) } }
    var job: String { self.json["job"]?.text ?? "" }
    var title: String? { self.json["title"]?.text }
    var state: String { self.json["state"]?.text ?? "" }
    var queue: String { self.json["queue"]?.text ?? "" }
    var attempt: Int64 { self.json["attempt"]?.integer ?? 0 }
    var attemptsUsed: Int64 { self.json["attempts_used"]?.integer ?? 0 }
    var maxAttempts: Int64? { self.json["max_attempts"]?.integer }
    var createdAt: String? { self.json["created_at"]?.text }
    var startedAt: String? { self.json["started_at"]?.text }
    var finishedAt: String? { self.json["finished_at"]?.text }
    var runAt: String? { self.json["run_at"]?.text }
    var host: String? { self.json["host"]?.text }
    var outcome: String? { self.json["outcome"]?.text }
    var reason: String? { self.json["reason"]?.text }
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
        if let text = error.text { return text }
        let message = error["message"]?.text ?? error["sentence"]?.text ?? ""
        // The outcome stands beside it already; other codes are the handler's own.
        guard let code = error["code"]?.text, !code.isEmpty, ![message, self.outcome, self.reason].contains(code) else {
            return message
        }
        return message.isEmpty ? code : "\(message) (\(code))"
    }
}

/// How far a run is.
struct ProgressRecord {
    let json: JSONValue
    var percent: Double? { self.json["percent"]?.double }
    /// "Processing users (1,250 / 5,000)", rendered by the server.
    var line: String? { self.json["line"]?.text }
    var stage: String? { self.json["stage"]?.text }
    var current: Int64? { self.json["current"]?.integer }
    var total: Int64? { self.json["total"]?.integer }
    var unit: String? { self.json["unit"]?.text }
    var message: String? { self.json["message"]?.text }

    /// Counters in the server's order, as ("inserts", 12). Both shapes are read: an object, or a list of kind and count.
    var counters: [(kind: String, count: Int64)] {
        if let members = self.json["counters"]?.object {
            return members.compactMap { member in member.value.integer.map { (member.key, $0) } }
        }
        return (self.json["counters"]?.elements ?? []).compactMap { item in
            guard let kind = item["kind"]?.text, let count = (item["count"] ?? item["n"])?.integer else { return nil }
            return (kind, count)
        }
    }
}
