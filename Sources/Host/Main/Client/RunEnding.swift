import ArgumentParser
import JobCore

/// The time of day in UTC for lines of a log.
enum JobClock {
    /// "12:04:05Z" of microseconds since 1970.
    static func timeOfDay(_ micros: Int64) -> String {
        String(Format.clock(WallTime(micros: micros).rfc3339).prefix(8)) + "Z"
    }
}

extension ClientSession {
    /// Follows the run and tells how it ended: the result on standard output, everything else on standard error, and the
    /// outcome as exit code.
    func waitAndReport(_ id: String, timeout: Int64?, quiet: Bool = false) throws {
        switch try RunFollower(session: self, id: id, timeout: timeout, quiet: quiet).follow() {
        case .interrupted:
            self.talk("Let go of the run; it goes on. Come back with: pawl watch \(id)")
            throw ClientExit.interrupted.code
        case .timedOut(let run):
            self.talk("Not finished in time (\(run.state)); the run goes on. Come back with: pawl watch \(id)")
            throw ClientExit.timedOut.code
        case .finished:
            try self.reportEnd(try self.run(id, include: "args,result"))
        }
    }

    private func reportEnd(_ run: RunRecord) throws {
        let stream = self.terminal.talk
        let sign = StateSign(state: run.state)
        var line = stream.paint(sign.text(unicode: self.terminal.isUnicode), sign.ink)
        if let outcome = run.outcome, outcome != run.state { line += " (\(outcome))" }
        if let time = Format.elapsed(run.startedAt, run.finishedAt, now: wallMicroseconds()) {
            line += " after \(Format.span(milliseconds: time))"
        }
        if let max = run.maxAttempts, run.attempt > 1 || run.state == "failed" {
            line += ", attempt \(max >= run.attempt ? "\(run.attempt) of \(max)" : "\(run.attempt)")"
        }
        self.talk(line)
        if run.state != "succeeded" {
            if let error = run.errorLine { self.talk("  " + Table.printable(error)) }
            try self.printLogTail(run.id)
        }
        if self.wantsJSON {
            self.printJSON(run.json)
        } else if run.state == "succeeded", let result = run.json["result"]?.present {
            self.printJSON(result)
        }
        let exit = ClientExit(runState: run.state) ?? .failed
        if exit != .done { throw exit.code }
    }

    /// The last lines of the log, on standard error.
    private func printLogTail(_ id: String) throws(ClientFailure) {
        let lines = try self.get("/api/v1/runs/\(id)/logs", [("tail", "20")])["items"]?.elements ?? []
        guard !lines.isEmpty else { return }
        self.talk(self.terminal.talk.paint("  last lines of the log:", .dim))
        for line in lines { self.talk("  " + PrintedLogLine(json: line).text(self.terminal, self.terminal.talk)) }
    }
}
