import JobCore

/// One thing that is not as a case expects it.
struct TestDifference: Sendable, Equatable {
    /// `outcome`, `result/greetings`, `log/2`
    var place: String
    /// Nil: nothing was expected there.
    var expected: String?
    /// Nil: there is nothing.
    var actual: String?
}

/// What came of a case.
struct TestActual: Sendable {
    var report: AttemptReport
    var lines: [LogLine]

    /// Bytes are shown by their size, and as text where they are text.
    var result: JSONValue? {
        switch self.report.result {
        case .none: return nil
        case .json(let text):
            do {
                return try JSONValue(parsing: text)
            } catch {
                return .string(text)
            }
        case .bytes(let bytes, let mediaType):
            var members = [JSONMember("media_type", .string(mediaType)), JSONMember("size_bytes", .int(bytes.count))]
            if let text = String(validating: bytes, as: UTF8.self), bytes.count <= 65_536 {
                members.append(JSONMember("text", .string(text)))
            }
            return .object(members)
        }
    }

    var error: JSONValue? {
        guard let error = self.report.error else { return nil }
        var details: JSONValue?
        if let text = error.detailsJSON {
            do { details = try JSONValue(parsing: text) } catch { details = .string(text) }
        }
        return .members(["code": .string(error.code), "message": .string(error.message), "details": details])
    }

    /// With what differs from the jobs' settings.
    var followUps: JSONValue {
        .array(
            self.report.followUps.map { run in
                let args: JSONValue
                do { args = try JSONValue(parsing: run.args) } catch { args = .string(run.args) }
                return .members([
                    "job": .string(run.job), "args": args,
                    "delay_ms": run.delay.map { .int(Int($0.wholeMilliseconds)) },
                    "priority": run.priority.map { .int(Int($0)) }, "attempts": run.attempts.map { .int($0) },
                    "queue": run.queue.map { .string($0) }, "title": run.title.map { .string($0) },
                    "labels": run.labels.isEmpty
                        ? nil
                        : .object(
                            run.labels.sorted { $0.key < $1.key }.map { JSONMember($0.key, .string($0.value)) }),
                ])
            })
    }

    var log: [JSONValue] {
        self.lines.map { line in
            var fields: JSONValue?
            if let text = line.fields {
                do { fields = try JSONValue(parsing: text) } catch { fields = .string(text) }
            }
            return .members([
                "level": .string(line.level.name), "stream": .string(line.stream.name),
                "stage": line.stage.map { .string($0) }, "message": .string(line.message), "fields": fields,
            ])
        }
    }
}

/// Compares what came with what was expected.
enum TestComparison {
    /// Stands for any value.
    static let wildcard = "${any}"

    static func differences(_ expect: TestCase.Expectation, isExact: Bool, _ actual: TestActual) -> [TestDifference] {
        var found: [TestDifference] = []
        let outcome = actual.report.outcome.rawValue
        if outcome != expect.wantedOutcome {
            let words = actual.report.sentence
            found.append(
                TestDifference(
                    place: "outcome", expected: expect.wantedOutcome,
                    actual: words.isEmpty ? outcome : "\(outcome): \(words)"))
        }
        if let result = expect.result {
            // A case may say that there is no result: null.
            if result == .null, actual.result == nil {
            } else {
                Self.compare(result, actual.result, "result", isExact, &found)
            }
        } else if isExact, let result = actual.result {
            found.append(TestDifference(place: "result", expected: nil, actual: result.json))
        }
        if let error = expect.error { Self.compare(error, actual.error, "error", false, &found) }
        if let runs = expect.followUps {
            Self.compare(runs, actual.followUps, "follow_ups", isExact, &found)
        } else if isExact, !actual.report.followUps.isEmpty {
            found.append(TestDifference(place: "follow_ups", expected: nil, actual: actual.followUps.json))
        }
        if let log = expect.log { Self.compareLog(log, actual.log, isExact, &found) }
        return found
    }

    private static func compare(
        _ expected: JSONValue, _ actual: JSONValue?, _ place: String, _ isExact: Bool, _ found: inout [TestDifference]
    ) {
        if case .string(Self.wildcard) = expected, actual != nil { return }
        switch (expected, actual) {
        case (.object(let wanted), .some(.object(let members))):
            for member in wanted {
                Self.compare(
                    member.value, members.last { $0.key == member.key }?.value, "\(place)/\(member.key)", isExact,
                    &found)
            }
            guard isExact else { return }
            for member in members where !wanted.contains(where: { $0.key == member.key }) {
                found.append(
                    TestDifference(place: "\(place)/\(member.key)", expected: nil, actual: member.value.json))
            }
        case (.array(let wanted), .some(.array(let items))):
            for index in 0..<max(wanted.count, items.count) {
                if index >= wanted.count {
                    found.append(TestDifference(place: "\(place)/\(index)", expected: nil, actual: items[index].json))
                } else {
                    Self.compare(
                        wanted[index], index < items.count ? items[index] : nil, "\(place)/\(index)", isExact, &found)
                }
            }
        case (.number(let wanted), .some(.number(let digits))):
            // Whole numbers by their digits: no rounding makes two of them equal.
            if wanted == digits { return }
            if Int64(wanted) == nil || Int64(digits) == nil, let one = Double(wanted), one == Double(digits) { return }
            found.append(TestDifference(place: place, expected: wanted, actual: digits))
        default:
            if expected != actual {
                found.append(TestDifference(place: place, expected: expected.json, actual: actual?.json))
            }
        }
    }

    /// Exact: line by line. Otherwise each expected line has to come, in this order, with any others between.
    private static func compareLog(
        _ expected: [JSONValue], _ actual: [JSONValue], _ isExact: Bool, _ found: inout [TestDifference]
    ) {
        if isExact {
            let own = actual.filter { $0["stream"]?.text != "host" }
            for index in 0..<max(expected.count, own.count) {
                let (wanted, line) = (
                    index < expected.count ? expected[index] : nil, index < own.count ? own[index] : nil
                )
                if let wanted, let line, Self.matches(line, wanted, isExact: true) { continue }
                found.append(
                    TestDifference(place: "log/\(index)", expected: wanted?.json, actual: line.map(Self.short)))
            }
            return
        }
        var rest = actual[...]
        for (index, wanted) in expected.enumerated() {
            guard let at = rest.firstIndex(where: { Self.matches($0, wanted, isExact: false) }) else {
                found.append(TestDifference(place: "log/\(index)", expected: wanted.json, actual: nil))
                continue
            }
            rest = rest[(at + 1)...]
        }
    }

    private static func matches(_ line: JSONValue, _ wanted: JSONValue, isExact: Bool) -> Bool {
        if let text = wanted.text {
            let message = line["message"]?.text ?? ""
            return text == Self.wildcard || (isExact ? message == text : message.contains(text))
        }
        var differences: [TestDifference] = []
        Self.compare(wanted, line, "", false, &differences)
        return differences.isEmpty
    }

    private static func short(_ line: JSONValue) -> String {
        JSONValue.members(["level": line["level"], "message": line["message"]]).json
    }
}
