package import JobCore
package import Logging
package import UVLoop

/// Names places in code and looks at live processes, through `pawl-inspect`: reading debug information takes long and may go
/// wrong, so it happens in a process that may.
@LoopActor
package final class Inspector {
    private let toolPath: String
    private let logger: Logger
    private static let outputLimit = 8 << 20
    /// A library with all of Swift's runtime in it takes about a second to read on a slow machine.
    private static let namingLimit = Duration.seconds(30)
    private static let answersKept = 64
    /// What the tool has said of places, by the question, the oldest question first.
    private var answers: [String: JSONValue] = [:]
    private var questions: [String] = []

    /// - Parameter toolPath: of `pawl-inspect`. Where it is missing, nothing is named and nothing is looked at, which is logged.
    package init(toolPath: String, logger: Logger) {
        self.toolPath = toolPath
        self.logger = logger
    }

    // MARK: Crashes

    /// The frames of a crash, innermost first, functions that were inlined as frames of their own. Frames that cannot be named
    /// keep their address, and module and offset as far as these are known. Never fails; takes up to half a minute.
    package func symbolize(_ crash: CrashInfo) async -> [StackFrame] {
        let raw = Self.rawFrames(crash)
        var request = ""
        var asked: [Int] = []
        for (index, frame) in raw.enumerated() {
            guard let module = frame.module, let offset = frame.offset, !module.utf8.contains(0x0a) else { continue }
            // A return address is the one behind the call, which may belong to another line already.
            let code = index == 0 ? offset : offset &- 1
            request += "\(module)\t\(frame.buildID ?? "-")\t\(String(code, radix: 16))\n"
            asked.append(index)
        }
        // Without a build id another file may stand under the same name by now.
        let isLasting = asked.allSatisfy { raw[$0].buildID != nil }
        guard !asked.isEmpty, let answer = await self.places(request, isLasting: isLasting) else { return raw }
        let places = answer["places"]?.elements ?? []
        let builds = answer["modules"]
        var named: [Int: [StackFrame]] = [:]
        for (index, place) in zip(asked, places) {
            let found = Self.frames(place, at: raw[index], buildID: raw[index].module.flatMap { builds?[$0]?.text })
            if !found.isEmpty { named[index] = found }
        }
        return raw.indices.flatMap { named[$0] ?? [raw[$0]] }
    }

    /// The tool's answer, asked for once: reading debug information takes it a tenth of a second, and a handler that crashes at
    /// all mostly crashes at the same place again.
    private func places(_ request: String, isLasting: Bool) async -> JSONValue? {
        if let answer = self.answers[request] { return answer }
        guard let answer = await self.ask(["symbolize"], input: request, limit: Self.namingLimit) else { return nil }
        // A file that is missing now may be there the next time.
        guard isLasting, answer["places"]?.elements?.allSatisfy({ $0.elements?.isEmpty == false }) == true else {
            return answer
        }
        if self.answers.updateValue(answer, forKey: request) == nil { self.questions.append(request) }
        if self.questions.count > Self.answersKept { self.answers[self.questions.removeFirst()] = nil }
        return answer
    }

    /// What is known without the tool.
    package static func rawFrames(_ crash: CrashInfo) -> [StackFrame] {
        let addresses = crash.frames.first == crash.pc ? crash.frames : [crash.pc] + crash.frames
        return addresses.map { address in
            let module = crash.modules.first { $0.start <= address && address < $0.end }
            return StackFrame(
                address: address, module: module?.path, buildID: module?.buildID,
                offset: module.map { address - $0.start + $0.fileOffset })
        }
    }

    private static func frames(_ place: JSONValue, at raw: StackFrame, buildID: String?) -> [StackFrame] {
        let names = Self.qualified((place.elements ?? []).map { $0["function"]?.text.map(Demangling.plain) })
        return zip(place.elements ?? [], names).map { found, name in
            var frame = raw
            frame.buildID = frame.buildID ?? buildID
            frame.function = name
            // Code that nobody wrote has no place.
            guard let file = found["file"]?.text, !file.hasSuffix("<compiler-generated>") else {
                return frame.inlined(found)
            }
            frame.file = file
            frame.line = found["line"]?.integer.map { Int(clamping: $0) }
            return frame.inlined(found)
        }
    }

    /// With line tables alone an inlined function has only its base name. Where it lies in a thunk of its own, as a witness of
    /// a protocol does, that one tells the whole.
    nonisolated static func qualified(_ names: [String?]) -> [String?] {
        names.indices.map { index in
            guard let name = names[index], names.indices.contains(index + 1), let outer = names[index + 1],
                !name.contains("."), outer.contains(".\(name)(") || outer.hasSuffix(".\(name)")
            else { return names[index] }
            return outer
        }
    }

    // MARK: Live processes

    /// What the processes are doing: threads with their stacks, open files, children, processor time. A JSON object as text,
    /// `{"processes": […]}`, names demangled; with `problem` where nothing could be found out. They are held still for a few
    /// milliseconds; no signal is sent. Takes little more than `limit`.
    package func processes(_ pids: [Int32], limit: Duration) async -> String {
        let pids = pids.filter { $0 > 0 }.prefix(64)
        guard !pids.isEmpty else { return #"{"problem":"there is no process to look at"}"# }
        let milliseconds = max(10, min(600_000, limit.wholeMilliseconds))
        let arguments = ["process", "--limit-ms", String(milliseconds)] + pids.map { String($0) }
        // Unwinding keeps to the limit by itself; names may take a little longer.
        guard let answer = await self.ask(arguments, input: "", limit: limit + .seconds(1)) else {
            return #"{"problem":"the processes could not be looked at; the host's log says why"}"#
        }
        return Self.demangled(answer).json
    }

    /// Every member called `function`, demangled.
    private static func demangled(_ value: JSONValue) -> JSONValue {
        switch value {
        case .object(let members):
            .object(
                members.map { member in
                    if member.key == "function", let name = member.value.text {
                        return JSONMember("function", .string(Demangling.plain(name)))
                    }
                    return JSONMember(member.key, demangled(member.value))
                })
        case .array(let elements): .array(elements.map(demangled))
        default: value
        }
    }

    // MARK: The tool

    private func ask(_ arguments: [String], input: String, limit: Duration) async -> JSONValue? {
        let output: ChildProcess.Output
        do {
            output = try await ChildProcess.run(
                ChildProcess.Spec(
                    executable: self.toolPath, arguments: arguments, stdin: .bytes(Array(input.utf8)),
                    stdout: .capture(limit: Self.outputLimit)), timeout: limit)
        } catch {
            self.logger.warning("\(self.toolPath) \(arguments.first ?? ""): \(error)")
            return nil
        }
        guard output.status.isSuccess, !output.isTruncated else {
            self.logger.warning(
                "\(self.toolPath) \(arguments.first ?? ""): \(output.isTruncated ? "too much output" : "\(output.status)") \(output.stderrText)"
            )
            return nil
        }
        do { return try JSONValue(parsing: output.stdoutText) } catch {
            self.logger.warning("\(self.toolPath) \(arguments.first ?? "") printed no JSON: \(error)")
            return nil
        }
    }
}

extension StackFrame {
    fileprivate func inlined(_ found: JSONValue) -> StackFrame {
        var frame = self
        frame.isInlined = found["inlined"] == .boolean(true)
        return frame
    }
}
