import JobCore

/// Writes into files of cases what came, in place of what was expected.
enum TestRecording {
    /// - Returns: the file's text with the cases' new expectations, in the order of the file.
    static func text(_ file: TestCaseFile, _ results: [TestResult]) -> String {
        var json = file.json
        for result in results {
            guard let actual = result.actual, !result.differences.isEmpty || !Self.hasExpectation(result.test, json)
            else { continue }
            if let index = result.test.index, var list = json["cases"]?.elements {
                list[index] = list[index].setting("expect", to: Self.expectation(result.test, actual, result))
                json = json.setting("cases", to: .array(list))
            } else {
                json = json.setting("expect", to: Self.expectation(result.test, actual, result))
            }
        }
        return json.pretty + "\n"
    }

    private static func hasExpectation(_ test: TestCase, _ json: JSONValue) -> Bool {
        let own = test.index.flatMap { json["cases"]?.elements?[$0] } ?? json
        return own["expect"] != nil
    }

    private static func expectation(_ test: TestCase, _ actual: TestActual, _ result: TestResult) -> JSONValue {
        let outcome = actual.report.outcome
        var members: [JSONMember] = []
        if outcome != .succeeded || test.expect.outcome != nil {
            members.append(JSONMember("outcome", .string(outcome.rawValue)))
        }
        if let value = actual.result { members.append(JSONMember("result", value.mappingStrings(result.unplace))) }
        if let error = actual.report.error, outcome != .succeeded {
            members.append(JSONMember("error", .members(["code": .string(error.code)])))
        }
        if !actual.report.followUps.isEmpty || test.expect.followUps != nil {
            members.append(JSONMember("follow_ups", actual.followUps.mappingStrings(result.unplace)))
        }
        // A log is compared only where somebody asked for that.
        if test.expect.log != nil {
            let own = actual.log.filter { $0["stream"]?.text != "host" }
            let lines = own.map { JSONValue.members(["level": $0["level"], "message": $0["message"]]) }
            members.append(JSONMember("log", JSONValue.array(lines).mappingStrings(result.unplace)))
        }
        return .object(members)
    }
}
