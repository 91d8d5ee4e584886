import Glibc
import JobCore
import Logging
import Supervision
import Testing
import UVLoop

@testable import Inspection

/// All suites of this target, one after the other: they share the loop and stop each other's processes.
@Suite(.serialized, .timeLimit(.minutes(5))) struct InspectionSuite {}

/// Where the built programs are: PAWL_TEST_BIN, else the package's release directory.
enum TestBinaries {
    static let directory: String = {
        if let set = getenv("PAWL_TEST_BIN") { return String(cString: set) }
        var path = #filePath.split(separator: "/", omittingEmptySubsequences: false)
        path.removeLast(3)
        return path.joined(separator: "/") + "/.build/release"
    }()
    static var zygote: String { "\(self.directory)/pawl-zygote" }
    static var inspector: String { "\(self.directory)/pawl-inspect" }
}

let quiet = Logger(label: "test") { _ in
    guard getenv("PAWL_TEST_VERBOSE") != nil else { return SwiftLogNoOpLogHandler() }
    return StreamLogHandler.standardError(label: "test")
}

/// A directory of one's own, and what is compiled in it.
@LoopActor
struct Workshop {
    let directory: String

    /// On the loop, with a directory that is gone afterwards.
    nonisolated static func open(_ body: @escaping @LoopActor @Sendable (Workshop) async throws -> Void) async throws {
        LoopActor.bindForTesting()
        let result = await loopTask { () async -> (any Error)? in
            let base = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
            var template = Array("\(base)/pawl-inspect-XXXXXX".utf8CString)
            guard mkdtemp(&template) != nil else { preconditionFailure("mkdtemp: errno \(errno)") }
            let directory = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
            var failure: (any Error)?
            do { try await body(Workshop(directory: directory)) } catch { failure = error }
            do { _ = try await Self.run("/bin/rm", ["-rf", "--", directory]) } catch { failure = failure ?? error }
            return failure
        }.value
        if let result { throw result }
    }

    @discardableResult
    static func run(_ program: String, _ arguments: [String], input: [UInt8] = []) async throws -> ChildProcess.Output {
        try await ChildProcess.run(
            ChildProcess.Spec(
                executable: program, arguments: arguments, environment: ["PATH": "/usr/local/bin:/usr/bin:/bin"],
                stdin: .bytes(input), stdout: .capture(limit: 8 << 20)), timeout: .seconds(60))
    }

    func write(_ text: String, to name: String) throws -> String {
        let path = "\(directory)/\(name)"
        let file = try #require(fopen(path, "w"))
        fputs(text, file)
        #expect(fclose(file) == 0)
        return path
    }

    /// Compiles with `cc`, or `c++`; the product's path.
    func compile(_ source: String, _ name: String, language: String = "c", _ flags: [String] = []) async throws
        -> String
    {
        let file = try self.write(source, to: "\(name).\(language)")
        let product = "\(directory)/\(name)"
        let output = try await Self.run(
            language == "c" ? "/usr/bin/cc" : "/usr/bin/c++", ["-O2", "-g", "-o", product, file, "-pthread"] + flags)
        try #require(output.status.isSuccess, "\(output.stderrText)")
        return product
    }

    func inspector() -> Inspector { Inspector(toolPath: TestBinaries.inspector, logger: quiet) }

    /// Answers of `pawl-inspect symbolize`, one list of frames per request.
    func symbolize(_ requests: [String]) async throws -> [[JSONValue]] {
        let output = try await Self.run(
            TestBinaries.inspector, ["symbolize"], input: Array(requests.map { $0 + "\n" }.joined().utf8))
        try #require(output.status.isSuccess, "\(output.status) \(output.stderrText)")
        return try JSONValue(parsing: output.stdoutText)["places"]?.elements?.map { $0.elements ?? [] } ?? []
    }

    /// Address of a symbol in a file whose segments are loaded where they lie, as `nm` tells it.
    func symbol(_ name: String, in file: String) async throws -> UInt64 {
        let output = try await Self.run("/usr/bin/nm", [file])
        let line = try #require(output.stdoutText.split(separator: "\n").first { $0.hasSuffix(" \(name)") })
        return try #require(UInt64(line.split(separator: " ")[0], radix: 16))
    }
}

extension JSONValue {
    /// Follows members, and elements by their number.
    func at(_ path: String...) -> JSONValue? {
        path.reduce(Optional(self)) { value, step in
            if let number = Int(step), let elements = value?.elements {
                return elements.indices.contains(number) ? elements[number] : nil
            }
            return value?[step]
        }
    }
}
