internal import JobCore
internal import Logging
internal import UVLoop

/// Why it is stuck: a look at an attempt's processes from outside, with what is known of it here.
extension Attempt {
    /// More processes than this are not looked at: the first ones of a tree tell.
    private static let inspectedProcesses = 16

    /// What its processes are doing now, as a JSON object; nil where nothing can look.
    func look() async -> String? {
        guard let inspect = self.supervisor.inspect else { return nil }
        let pids = Array(self.treePIDs(limit: Self.inspectedProcesses).prefix(Self.inspectedProcesses))
        guard !pids.isEmpty else { return nil }
        // Its supervising thread answers while the look is taken, unless it is held still itself.
        if let process, self.data >= 0 { process.write(process.frames.ping(self.spec.wireID)) }
        // Before the look, which takes a while.
        var known = self.known
        let found = await inspect(pids, EscalationStateMachine.diagnoseLimit)
        if let position {
            let place = [
                JSONMember("file", .string(position.file)), JSONMember("line", .number(String(position.line))),
            ]
            known.append(JSONMember("position", .object(place)))
        }
        let text = JSONValue.object(known).json
        do { return try JSONText.merging(text, over: found) } catch {
            self.logger.error("the inspector printed no JSON object: \(error)")
            return text
        }
    }

    /// The ladder waits for it, for a while.
    func diagnoseBeforeTheEnd() {
        guard self.pid != nil, self.child.exit == nil, self.supervisor.inspect != nil else {
            self.diagnosis = JSONValue.object(self.known).json
            return self.perform(self.ladder.diagnosed(at: self.now))
        }
        loopTask { [weak self] in
            guard let found = await self?.look(), let self, !self.hasEnded else { return }
            self.diagnosis = found
            self.perform(self.ladder.diagnosed(at: self.now))
        }
    }

    /// What the host itself knows of it.
    private var known: [JSONMember] {
        var members: [JSONMember] = [JSONMember("at", .string(WallTime.now.rfc3339))]
        members.append(JSONMember("cause", self.ladder.cause.map { .string($0.word) } ?? .null))
        members.append(JSONMember("last_progress", self.progress.isEmpty ? .null : .string(self.progress.line)))
        if let line = self.lastLines.last {
            members.append(
                JSONMember(
                    "last_line",
                    .object([
                        JSONMember("at", .string(line.time.rfc3339)), JSONMember("stream", .string(line.stream.name)),
                        JSONMember("message", .string(line.message)),
                    ])))
        }
        if let sample = self.ledger.samples.latest {
            let numbers: [(String, Int64)] = [
                ("at_ms", sample.atMillis), ("cpu_ms", sample.cpuMillis), ("rss_bytes", sample.rssBytes),
                ("processes", Int64(sample.processes)), ("threads", Int64(sample.threads)),
                ("descriptors", Int64(sample.descriptors)),
            ]
            members.append(JSONMember("sample", .object(numbers.map { JSONMember($0.0, .number(String($0.1))) })))
        }
        return members
    }
}

extension StopCause {
    /// As in the reasons of attempts.
    fileprivate var word: String {
        switch self {
        case .noProgress: "no_progress"
        case .cancel, .terminate, .wall, .cpu, .output, .start, .shutdown, .memory, .processes, .fault: "\(self)"
        }
    }
}
