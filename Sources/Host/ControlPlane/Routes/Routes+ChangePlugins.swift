import HTTPTypes
import JobCore
import JobStore
import UVLoop

/// Which version of a plugin serves, and changing that.
extension Backend {
    var pluginOrderRoutes: [Route] {
        func verb(_ word: String, _ read: @escaping Reading) -> Route {
            Route(.post, "/api/v1/plugins/{plugin}/\(word)", body: .json) { [self] in try await order($0, read) }
        }
        return [
            verb("activate") { [self] (reader, record) throws(Problem) in
                .activate(version: try wantedVersion(&reader, record), force: reader.bool("force") ?? false)
            },
            verb("rollback") { _, _ in .rollback },
            verb("canary") { [self] (reader, record) throws(Problem) in
                .canary(version: try wantedVersion(&reader, record), CanaryInput.read(&reader))
            },
            verb("disable") { _, _ in .disable },
            verb("enable") { _, _ in .enable },
            verb("unquarantine") { _, _ in .unquarantine },
            verb("pin") { _, _ in .pin(true) },
            verb("unpin") { _, _ in .pin(false) },
            Route(.delete, "/api/v1/plugins/{plugin}/versions/{version}") { [self] in
                try await removeVersion($0)
            },
        ]
    }

    /// Reads from the body what is to be done.
    private typealias Reading =
        @LoopActor @Sendable (inout ObjectReader, PluginRecord) throws(Problem) -> PluginOrder.Action

    private func order(_ call: Call, _ read: Reading) async throws -> Answer {
        try refuseWhileDraining()
        let revision = try EntityTag.revision(call.headers, isRequired: true)
        var reader = try ObjectReader(body: call.body)
        let record = try await pluginRecord(call.parameter("plugin"))
        let action = try read(&reader, record)
        let reason = reader.string("reason", limit: 1000)
        try reader.finish()
        try await match(revision, record)
        let hasChanged = try await perform(
            PluginOrder(
                plugin: record.name, action: action, actor: call.principal.name, reason: reason, revision: revision),
            record)
        let after = try await pluginRecord(record.name)
        let shown = try await pluginObject(after)
        var object = JSONObject()
        object.bool("changed", hasChanged)
        object.object("plugin", shown)
        return Answer.json(object).with(.eTag, EntityTag.of(shown.text.utf8, revision: after.revision))
    }

    private func removeVersion(_ call: Call) async throws -> Answer {
        let revision = try EntityTag.revision(call.headers, isRequired: true)
        let record = try await pluginRecord(call.parameter("plugin"))
        let version = try version(call.parameter("version"), of: record)
        try await match(revision, record)
        _ = try await perform(
            PluginOrder(
                plugin: record.name, action: .remove(version: version), actor: call.principal.name, revision: revision),
            record)
        return Answer(.noContent)
    }

    private func perform(_ order: PluginOrder, _ record: PluginRecord) async throws -> Bool {
        do throws(PluginFault) {
            return try await host.order(order)
        } catch {
            if error.kind == .changed { throw try await mismatch(try await pluginRecord(record.name)) }
            throw Problem(error)
        }
    }

    /// Before anything is done: whoever saw another plugin shall look again.
    private func match(_ revision: Int64?, _ record: PluginRecord) async throws {
        if let revision, revision != record.revision { throw try await mismatch(record) }
    }

    private func mismatch(_ record: PluginRecord) async throws -> Problem {
        var problem = Problem(
            .preconditionFailed, "etag_mismatch", "The plugin was changed meanwhile. Look at it again.",
            fields: [.init(.header("If-Match"), "etag_mismatch", "is not the present ETag")])
        problem.headers[.eTag] = EntityTag.of(try await pluginObject(record).text.utf8, revision: record.revision)
        return problem
    }

    private func wantedVersion(_ reader: inout ObjectReader, _ record: PluginRecord) throws(Problem) -> String {
        reader.require("version")
        guard let text = reader.string("version", limit: 64, isEmptyAllowed: false) else {
            // `finish` throws for what is missing, or no string.
            return ""
        }
        return try version(text, of: record)
    }
}

/// How a version is to be tried, as clients say it.
enum CanaryInput {
    /// A year: whoever wants more means no limit.
    private static let longest: Int64 = 31_536_000_000

    static func read(_ reader: inout ObjectReader) -> CanaryWish {
        var wish = CanaryWish()
        wish.percent = reader.int("percent", in: 1...100).map { Int($0) }
        wish.runs = reader.int("runs", in: 1...1_000_000).map { Int($0) }
        wish.minimumRuns = reader.int("minimum_runs", in: 1...1_000_000).map { Int($0) }
        if let bound = reader.value("crash_percent_bound") {
            if let number = bound.double, (0...100).contains(number) {
                wish.crashPercentBound = number
            } else {
                reader.fault("crash_percent_bound", "out_of_range", "must be a number from 0 to 100")
            }
        }
        wish.limit = reader.milliseconds("deadline_ms", from: 1, to: longest)
        if reader.has("percent"), reader.has("runs") {
            reader.fault("runs", "exclusive", "cannot stand beside percent")
        }
        if !reader.has("percent"), !reader.has("runs") { reader.require("percent") }
        return wish
    }
}

extension Problem {
    init(_ fault: PluginFault) {
        let status: HTTPResponse.Status =
            switch fault.kind {
            case .notFound: .notFound
            case .refused: .unprocessableContent
            case .conflict: .conflict
            case .changed: .preconditionFailed
            case .unavailable: .serviceUnavailable
            }
        self.init(status, fault.code, fault.words)
        problems = PluginJSON.problems(fault.problems)
        guard fault.kind == .unavailable else { return }
        isRetryable = true
        retryAfter = 1
    }
}
