import JobCore

extension ClientSession {
    /// Turns what a person typed into a run's id: `run_…` as it is, `job#123` by its number, `@last` and `@last-failed` by
    /// asking for the newest.
    func resolve(_ reference: String) throws(ClientFailure) -> String {
        if reference.hasPrefix("@") { return try self.newest(reference) }
        if let hash = reference.lastIndex(of: "#") {
            let job = String(reference[..<hash])
            guard let number = Int64(reference[reference.index(after: hash)...]), number > 0, !job.isEmpty else {
                throw Self.noReference(reference)
            }
            let id = RunID(number).description
            // The number alone names the run; the job's name guards against a slip of the finger.
            let run = try self.run(id)
            guard run.job == job else {
                throw ClientFailure(
                    exit: .notFound, message: "Run \(number) is no run of \(job).",
                    details: ["it belongs to \(run.job): \(run.job)#\(number)"])
            }
            return id
        }
        guard let id = RunID(parsing: reference) else { throw Self.noReference(reference) }
        return id.description
    }

    /// The run as it is now, with what `include` asks for on top.
    func run(_ id: String, include: String? = nil) throws(ClientFailure) -> RunRecord {
        RunRecord(json: try self.get("/api/v1/runs/\(Self.escape(id))", [("include", include)]))
    }

    private func newest(_ reference: String) throws(ClientFailure) -> String {
        var query: [(String, String?)] = [("limit", "1")]
        switch reference {
        case "@last": break
        case "@last-failed": query.append(("state", "failed"))
        default: throw Self.noReference(reference)
        }
        guard let id = try self.get("/api/v1/runs", query)["items"]?.elements?.first?["id"]?.text else {
            throw ClientFailure(exit: .notFound, message: "There is no run yet that \(reference) could mean.")
        }
        return id
    }

    private static func noReference(_ text: String) -> ClientFailure {
        ClientFailure(
            exit: .usage, message: "\"\(text)\" names no run.",
            details: ["expected run_ and 13 characters, JOB#NUMBER, @last or @last-failed"])
    }
}
