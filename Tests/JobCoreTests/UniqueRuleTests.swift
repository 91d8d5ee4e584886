import JobCore
import Testing

@Suite struct UniqueRuleTests {
    @Test(arguments: [
        ("{}", UniqueRule()),
        ("{\"key\":\"a\"}", UniqueRule(key: "a")),
        (
            "{\"by\":[\"job\",\"args.id\",\"queue\"],\"until\":\"started\",\"policy\":\"return_existing\"}",
            UniqueRule(by: [.job, .member("id"), .queue], window: .started, policy: .returnExisting)
        ),
        (
            "{\"period_ms\":60000,\"policy\":\"replace\",\"if_started\":\"new\"}",
            UniqueRule(window: .period(.seconds(60)), policy: .replace(ifStarted: .new))
        ),
        ("{\"policy\":\"replace\"}", UniqueRule(policy: .replace(ifStarted: .reject))),
        ("{\"key\":\"a\",\"by\":[]}", UniqueRule(key: "a", by: [])),
    ])
    func isReadAndWritten(_ text: String, _ rule: UniqueRule) throws {
        #expect(try UniqueRule(JSONValue(parsing: text)) == rule)
        #expect(try UniqueRule(JSONValue(parsing: rule.json)) == rule)
    }

    @Test(arguments: [
        ("[]", ""), ("{\"key\":\"\"}", "/key"), ("{\"key\":1}", "/key"), ("{\"by\":\"job\"}", "/by"),
        ("{\"by\":[\"job\",\"arg\"]}", "/by/1"), ("{\"by\":[\"args.\"]}", "/by/0"), ("{\"by\":[]}", "/by"),
        ("{\"until\":\"done\"}", "/until"), ("{\"period_ms\":0}", "/period_ms"),
        ("{\"period_ms\":5,\"until\":\"started\"}", "/until"),
        ("{\"until\":\"started\",\"period_ms\":5}", "/period_ms"),
        ("{\"policy\":\"ignore\"}", "/policy"), ("{\"policy\":\"replace\",\"if_started\":\"x\"}", "/if_started"),
        ("{\"if_started\":\"new\"}", "/if_started"), ("{\"keys\":\"a\"}", "/keys"),
    ])
    func whatIsWrongIsSaidWithItsPlace(_ text: String, _ pointer: String) throws {
        let value = try JSONValue(parsing: text)
        do throws(FieldFault) {
            _ = try UniqueRule(value)
            Issue.record("it was taken: \(text)")
        } catch {
            #expect(error.pointer == pointer, "\(text): \(error)")
        }
    }

    @Test(arguments: [
        (UniqueRule(), true), (UniqueRule(key: "a"), false), (UniqueRule(key: "a", by: [.args]), true),
        (UniqueRule(by: [.job, .member("x")]), true), (UniqueRule(by: [.job, .queue]), false),
    ])
    func whetherArgsAreCompared(_ rule: UniqueRule, _ compares: Bool) { #expect(rule.comparesArgs == compares) }

    @Test(arguments: [
        ("{\"a\":\"\\u0041\\ud83d\\ude00\",\"b\":[1,2.5e10,true,false,null,-0.1E-3]}", true),
        ("{\"a\":\"\\u0000\"}", false), ("{\"\\u0000\":1}", false), ("{\"a\":\"\\\\u0000\"}", true),
        ("{\"a\":\"\\ud83d\"}", false), ("{\"a\":\"\\ude00\"}", false), ("{\"a\":\"\\ud83dx\\ude00\"}", false),
        ("{\"a\":1e99999}", false), ("{\"a\":1e9999}", true), ("{\"e\":[1e1,22222,3]}", true),
        ("{\"a\":\"\\\"\"}", true),
    ])
    func whatPostgresCannotCompareIsFound(_ text: String, _ isFine: Bool) throws {
        _ = try JSONText.check(text)
        #expect((JSONText.comparisonFault(text) == nil) == isFine, "\(text)")
    }
}
