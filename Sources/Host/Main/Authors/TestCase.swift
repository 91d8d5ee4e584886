import JobCore

/// A case of `pawl test`: what to call, and what must come of it.
struct TestCase: Sendable {
    /// As it was named on the command line.
    var file: String
    /// Where it is in the file's list of cases; nil for a file that is one case.
    var index: Int?
    var name: String
    var handler: String
    var args: JSONValue
    /// Wall time, in milliseconds.
    var timeout: Int64?
    /// What is not expected must not be there.
    var isExact: Bool
    var expect: Expectation

    struct Expectation: Sendable {
        /// An outcome of an attempt; nil: `error` where an error is expected, else `succeeded`.
        var outcome: String?
        var result: JSONValue?
        var error: JSONValue?
        /// Lines that come in this order: each a part of a message, or an object.
        var log: [JSONValue]?
        /// Runs that it asks for: all of them, in order.
        var followUps: JSONValue?

        var wantedOutcome: String { self.outcome ?? (self.error == nil ? "succeeded" : "error") }
    }

    /// Handlers of one file of cases; used to find a first call of a handler.
    static func read(_ path: String) throws(ClientFailure) -> [TestCase] {
        try TestCaseFile(path).cases
    }
}

/// A file of cases: one object, or `{"cases": […]}`.
struct TestCaseFile {
    let path: String
    let json: JSONValue
    private(set) var cases: [TestCase] = []

    init(_ path: String) throws(ClientFailure) {
        self.path = path
        let text = try Folder.text(path)
        do {
            self.json = try JSONValue(parsing: text)
        } catch {
            throw Self.fault(path, "", "is no JSON: \(error)")
        }
        if let list = self.json["cases"] {
            try Self.check(self.json, ["cases", "description"], path, "")
            guard let elements = list.elements else { throw Self.fault(path, "/cases", "must be a list") }
            for (index, element) in elements.enumerated() { self.cases.append(try self.read(element, index)) }
        } else {
            self.cases = [try self.read(self.json, nil)]
        }
    }

    private func read(_ json: JSONValue, _ index: Int?) throws(ClientFailure) -> TestCase {
        let place = index.map { "/cases/\($0)" } ?? ""
        try Self.check(
            json, ["name", "description", "handler", "args", "timeout", "match", "expect"], self.path, place)
        guard let handler = json["handler"]?.text else {
            throw Self.fault(self.path, place + "/handler", "must be the name of a handler")
        }
        let args = json["args"] ?? .object([])
        guard args.object != nil else { throw Self.fault(self.path, place + "/args", "must be an object") }
        var timeout: Int64?
        if let given = json["timeout"] {
            guard let parsed = given.text.flatMap(Format.parseDuration), parsed > 0 else {
                throw Self.fault(self.path, place + "/timeout", "must be a duration such as \"500ms\" or \"10s\"")
            }
            timeout = parsed
        }
        let match = json["match"]?.text ?? "subset"
        guard match == "subset" || match == "exact" else {
            throw Self.fault(self.path, place + "/match", "must be \"subset\" or \"exact\"")
        }
        return TestCase(
            file: self.path, index: index, name: json["name"]?.text ?? Self.name(self.path, index), handler: handler,
            args: args, timeout: timeout, isExact: match == "exact",
            expect: try self.expectation(json["expect"], place + "/expect"))
    }

    private func expectation(_ json: JSONValue?, _ place: String) throws(ClientFailure) -> TestCase.Expectation {
        guard let json else { return TestCase.Expectation() }
        try Self.check(json, ["outcome", "result", "error", "log", "follow_ups"], self.path, place)
        var expect = TestCase.Expectation(outcome: json["outcome"]?.text, result: json["result"], error: json["error"])
        if let outcome = json["outcome"], AttemptOutcome(rawValue: outcome.text ?? "") == nil {
            throw Self.fault(
                self.path, place + "/outcome",
                "must be one of " + AttemptOutcome.allCases.map(\.rawValue).joined(separator: ", "))
        }
        if let error = json["error"] {
            try Self.check(error, ["code", "message", "details"], self.path, place + "/error")
        }
        if let log = json["log"] {
            guard let lines = log.elements else { throw Self.fault(self.path, place + "/log", "must be a list") }
            for (index, line) in lines.enumerated() where line.text == nil {
                try Self.check(
                    line, ["level", "stream", "stage", "message", "fields"], self.path, "\(place)/log/\(index)")
            }
            expect.log = lines
        }
        if let runs = json["follow_ups"] {
            guard let items = runs.elements else {
                throw Self.fault(self.path, place + "/follow_ups", "must be a list")
            }
            let names = ["job", "args", "delay_ms", "priority", "attempts", "queue", "title", "labels"]
            for (index, run) in items.enumerated() {
                try Self.check(run, names, self.path, "\(place)/follow_ups/\(index)")
            }
            expect.followUps = runs
        }
        return expect
    }

    private static func name(_ path: String, _ index: Int?) -> String {
        Folder.stem(of: path) + (index.map { " \($0 + 1)" } ?? "")
    }

    /// A slip in a member's name must not make a case that checks nothing.
    private static func check(
        _ json: JSONValue, _ allowed: [String], _ path: String, _ place: String
    ) throws(ClientFailure) {
        guard let members = json.object else { throw self.fault(path, place, "must be an object") }
        for member in members where !allowed.contains(member.key) {
            throw self.fault(
                path, "\(place)/\(member.key)", "is unknown here; allowed: \(allowed.joined(separator: ", "))")
        }
    }

    static func fault(_ path: String, _ place: String, _ words: String) -> ClientFailure {
        ClientFailure(exit: .invalidInput, message: "\(path)\(place.isEmpty ? "" : ": " + place) \(words).")
    }

    /// Files of cases: of a directory, all its *.json.
    static func find(_ paths: [String]) throws(ClientFailure) -> [String] {
        var found: [String] = []
        for path in paths {
            if Folder.isDirectory(path) {
                let names = Folder.entries(path).filter { !$0.isDirectory && $0.name.hasSuffix(".json") }.map(\.name)
                found += names.filter { !$0.hasPrefix(".") }.map { "\(path)/\($0)" }
            } else {
                found.append(path)
            }
        }
        return found
    }
}

extension JSONValue {
    /// With every string replaced, at all depths; names of members stay.
    func mappingStrings(_ change: (String) -> String) -> JSONValue {
        switch self {
        case .string(let text): .string(change(text))
        case .array(let items): .array(items.map { $0.mappingStrings(change) })
        case .object(let members): .object(members.map { JSONMember($0.key, $0.value.mappingStrings(change)) })
        default: self
        }
    }
}

extension String {
    /// With every occurrence replaced.
    func replacing(_ part: String, by other: String) -> String {
        guard !part.isEmpty else { return self }
        var out = ""
        var rest = self[...]
        while let range = rest.firstRange(of: part) {
            out += rest[..<range.lowerBound] + other
            rest = rest[range.upperBound...]
        }
        return out + rest
    }
}
