import ArgumentParser
import JobCore

/// How results are told: for people, for programs, for CI systems.
enum TestFormat: String, CaseIterable, ExpressibleByArgument {
    case text, json, junit
}

struct TestReport {
    let out: Terminal.Stream
    let isUnicode: Bool
    /// The plugin's file.
    let subject: String

    // MARK: For people

    func line(_ result: TestResult, isUpdated: Bool) -> String {
        let ink: Terminal.Ink = result.isPassed ? .green : isUpdated ? .yellow : .red
        let word = result.isPassed ? "passed " : isUpdated ? "updated" : "FAILED "
        let sign = self.isUnicode ? (result.isPassed ? "✓ " : isUpdated ? "↻ " : "✗ ") : ""
        var text = self.out.paint(sign + word, ink) + " \(Table.printable(result.test.name))"
        text += self.out.paint("  \(result.test.handler), \(Self.time(result.time))", .dim)
        guard !result.isPassed, !isUpdated else { return text }
        text += self.out.paint("  \(result.test.file)", .dim)
        if let fault = result.fault { text += "\n    \(Table.printable(fault))" }
        for difference in result.differences { text += "\n" + self.words(difference) }
        text += self.logTail(result)
        return text
    }

    private func words(_ difference: TestDifference) -> String {
        var text = "    \(Table.printable(difference.place))"
        text += "\n      " + self.out.paint("- \(Self.clip(difference.expected ?? "nothing"))", .green)
        text += "\n      " + self.out.paint("+ \(Self.clip(difference.actual ?? "nothing"))", .red)
        return text
    }

    /// What the attempt said; most failures are explained there.
    private func logTail(_ result: TestResult) -> String {
        guard let lines = result.actual?.lines, !lines.isEmpty else { return "" }
        var text = "\n    " + self.out.paint("its log\(lines.count > 10 ? ", the last 10 lines" : ""):", .dim)
        for line in lines.suffix(10) {
            text += "\n      \(line.level.name.padded(to: 7)) [\(line.stream.name)] \(Table.printable(line.message))"
        }
        return text
    }

    func summary(_ results: [TestResult], updated: Int) -> String {
        let failed = results.count { !$0.isPassed } - updated
        let time = results.reduce(Duration.zero) { $0 + $1.time }
        var parts = ["\(results.count { $0.isPassed }) passed"]
        if updated > 0 { parts.append("\(updated) updated") }
        if failed > 0 { parts.append("\(failed) failed") }
        return self.out.paint(
            "\(results.count) \(results.count == 1 ? "case" : "cases"): \(parts.joined(separator: ", ")) "
                + "(\(Self.time(time)))", failed > 0 ? .red : .green)
    }

    private static func clip(_ text: String) -> String {
        let line = Table.printable(text)
        return line.count > 2000 ? String(line.prefix(2000)) + "…" : line
    }

    static func time(_ time: Duration) -> String { Format.span(milliseconds: time.wholeMilliseconds) }

    // MARK: For programs

    func json(_ results: [TestResult]) -> JSONValue {
        .members([
            "plugin": .string(self.subject),
            "cases": .int(results.count), "failed": .int(results.count { !$0.isPassed }),
            "results": .array(results.map(Self.json)),
        ])
    }

    private static func json(_ result: TestResult) -> JSONValue {
        .members([
            "name": .string(result.test.name), "file": .string(result.test.file),
            "index": result.test.index.map { .int($0) }, "handler": .string(result.test.handler),
            "passed": .boolean(result.isPassed), "time_ms": .int(result.time.wholeMilliseconds),
            "outcome": result.actual.map { .string($0.report.outcome.rawValue) },
            "result": result.actual?.result, "error": result.actual?.error,
            "fault": result.fault.map { .string($0) },
            "differences": .array(
                result.differences.map { difference in
                    .members([
                        "place": .string(difference.place), "expected": difference.expected.map { .string($0) },
                        "actual": difference.actual.map { .string($0) },
                    ])
                }),
        ])
    }

    /// The format that CI systems read.
    func junit(_ results: [TestResult]) -> String {
        let (failed, broken) = (results.count { $0.fault == nil && !$0.isPassed }, results.count { $0.fault != nil })
        let time = results.reduce(Duration.zero) { $0 + $1.time }
        var text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        let counts =
            "tests=\"\(results.count)\" failures=\"\(failed)\" errors=\"\(broken)\" time=\"\(Self.seconds(time))\""
        text += "<testsuites \(counts)>\n"
        text += "  <testsuite name=\(Self.attribute(self.subject)) \(counts)>\n"
        for result in results {
            let (name, group) = (Self.attribute(result.test.name), Self.attribute(result.test.handler))
            text += "    <testcase name=\(name) classname=\(group) file=\(Self.attribute(result.test.file)) "
            text += "time=\"\(Self.seconds(result.time))\""
            if let fault = result.fault {
                text += ">\n      <error message=\(Self.attribute(fault))/>\n    </testcase>\n"
            } else if !result.isPassed {
                let words = result.differences.map {
                    "\($0.place): expected \($0.expected ?? "nothing"), got \($0.actual ?? "nothing")"
                }
                text += ">\n      <failure message=\(Self.attribute(words.first ?? ""))>"
                text += Self.escaped(words.joined(separator: "\n")) + "</failure>\n    </testcase>\n"
            } else {
                text += "/>\n"
            }
        }
        return text + "  </testsuite>\n</testsuites>\n"
    }

    private static func seconds(_ time: Duration) -> String {
        let milliseconds = time.wholeMilliseconds
        let fraction = String(milliseconds % 1000)
        return "\(milliseconds / 1000)." + String(repeating: "0", count: 3 - fraction.count) + fraction
    }

    private static func attribute(_ text: String) -> String { "\"\(Self.escaped(text))\"" }

    /// XML 1.0 knows no other control characters than tab and line ends, not even escaped.
    private static func escaped(_ text: String) -> String {
        var out = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": out += "&amp;"
            case "<": out += "&lt;"
            case ">": out += "&gt;"
            case "\"": out += "&quot;"
            case "\t", "\n": out.unicodeScalars.append(scalar)
            case _ where scalar.value < 0x20 || scalar.value == 0xFFFE || scalar.value == 0xFFFF: out += "\u{FFFD}"
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out
    }
}
