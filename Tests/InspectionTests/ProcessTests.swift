import Glibc
import JobCore
import Testing
import UVLoop

@testable import Inspection

extension InspectionSuite {
    @Suite struct Processes {
        @Test func aBusyLoop() async throws {
            let isInLoop = { @Sendable (process: JSONValue) -> Bool in
                process.at("threads", "0", "frames", "0", "function")?.text == "spin_inside"
            }
            try await self.look("busy", isThere: isInLoop) { process, pid in
                let frames = process.at("threads", "0", "frames")?.elements ?? []
                #expect(frames.first?["function"]?.text == "spin_inside")
                #expect(frames.first?["inlined"] == .boolean(true))
                #expect(frames.dropFirst().first?["function"]?.text == "busy_loop")
                #expect(frames.first?["file"]?.text?.hasSuffix("states.c") == true)
                #expect(frames.first?["line"]?.integer ?? 0 > 0)
                #expect(process["pid"]?.integer == Int64(pid))
                #expect(process["command"]?.text?.hasSuffix("states busy") == true)
                #expect(process["thread_count"]?.integer == 1)
            }
        }

        @Test func aBlockedReadGoesOnWaiting() async throws {
            try await self.look("read") { process, _ in
                let thread = process.at("threads", "0")
                #expect(thread?["syscall"]?.text == "read")
                #expect(thread?["frames"]?.elements?.contains { $0["function"]?.text == "blocked_read" } == true)
                let files = process["files"]?.elements ?? []
                #expect(files.filter { $0["target"]?.text?.hasPrefix("pipe:") == true }.count >= 2)
            }
        }

        @Test func aSocketIsShownWithItsAddress() async throws {
            try await self.look("socket") { process, _ in
                let targets = (process["files"]?.elements ?? []).compactMap { $0["target"]?.text }
                #expect(targets.contains { $0.hasPrefix("tcp 127.0.0.1:") }, "\(targets)")
            }
        }

        @Test func aDeadlockShowsBothThreads() async throws {
            let bothWait = { @Sendable (process: JSONValue) -> Bool in
                let threads = process["threads"]?.elements ?? []
                return threads.count == 2 && threads.allSatisfy { $0["syscall"]?.text == "futex" }
            }
            try await self.look("deadlock", isThere: bothWait) { process, _ in
                let threads = process["threads"]?.elements ?? []
                #expect(threads.count == 2)
                let functions = threads.flatMap { ($0["frames"]?.elements ?? []).compactMap { $0["function"]?.text } }
                #expect(functions.contains("take_first"))
                #expect(functions.contains("take_second"))
                for thread in threads { #expect(thread["syscall"]?.text == "futex") }
            }
        }

        @Test func aStoppedProcessStaysStopped() async throws {
            try await self.look(
                "busy",
                prepare: { child in
                    #expect(child.signal(SIGSTOP))
                    try await Self.until(child.pid, "T")
                }
            ) { process, pid in
                let functions = (process.at("threads", "0", "frames")?.elements ?? []).compactMap {
                    $0["function"]?.text
                }
                #expect(functions.contains("main"))
                try await Self.until(pid, "T")
            }
        }

        /// It does not stand still for a tracer before it thaws: nothing waits for that.
        @Test(.enabled(if: Freezer.isHere, "no cgroup v2 hierarchy that can be written to"))
        func aFrozenProcessIsDescribedAndStaysFrozen() async throws {
            let freezer = try #require(Freezer())
            try await self.look(
                "busy",
                prepare: { child in
                    try freezer.freeze(child.pid)
                }
            ) { process, pid in
                #expect(process["pid"]?.integer == Int64(pid))
                #expect(process["state"]?.text != nil)
                let thread = try #require(process.at("threads", "0"))
                let frames = thread["frames"]?.elements ?? []
                #expect(thread["error"]?.text?.contains("frozen") == true || !frames.isEmpty)
                #expect(freezer.isFrozen)
            }
            freezer.remove()
        }

        @Test func whatIsGoneIsSaid() async throws {
            try await Workshop.open { shop in
                let gone = try ChildProcess.spawn(ChildProcess.Spec(executable: "/bin/true"))
                _ = await gone.wait()
                let text = await shop.inspector().processes([gone.pid], limit: .seconds(2))
                let process = try #require(try JSONValue(parsing: text).at("processes", "0"))
                #expect(process["error"]?.text == "the process is gone")
                let none = await Inspector(toolPath: "/nowhere", logger: quiet).processes([1], limit: .seconds(1))
                #expect(try JSONValue(parsing: none)["problem"] != nil)
            }
        }

        // MARK: -

        /// - Parameter isThere: whether it has reached the state that it said it goes to; it is looked at again until then.
        private func look(
            _ state: String, prepare: @escaping @LoopActor @Sendable (ChildProcess) async throws -> Void = { _ in },
            isThere: @escaping @Sendable (JSONValue) -> Bool = { _ in true },
            _ check: @escaping @LoopActor @Sendable (JSONValue, Int32) async throws -> Void
        ) async throws {
            try await Workshop.open { shop in
                let program = try await shop.compile(Programs.states, "states")
                // Its word comes over a pipe that only it writes to.
                var pipes: [Int32] = [-1, -1]
                try #require(pipe(&pipes) == 0)
                for end in pipes { #expect(fcntl(end, F_SETFD, FD_CLOEXEC) == 0) }
                let child = try ChildProcess.spawn(
                    ChildProcess.Spec(executable: program, arguments: [state], stdout: .descriptor(pipes[1])))
                close(pipes[1])
                var byte: UInt8 = 0
                #expect(read(pipes[0], &byte, 1) == 1)
                close(pipes[0])
                do {
                    try await prepare(child)
                    // It is in its call when it does not run any more.
                    if state != "busy" { try await Self.until(child.pid, "S") }
                    let deadline = LoopInstant.now.advanced(by: .seconds(10))
                    var process = JSONValue.null
                    repeat {
                        let text = await shop.inspector().processes([child.pid], limit: .seconds(10))
                        process = try #require(try JSONValue(parsing: text).at("processes", "0"), "\(text)")
                    } while !isThere(process) && LoopInstant.now < deadline
                    try await check(process, child.pid)
                    #expect(child.status == nil, "it lives on")
                    #expect(Self.tracer(child.pid) == 0)
                } catch { Issue.record(error) }
                #expect(child.signal(SIGKILL))
                _ = await child.wait()
            }
        }

        /// Waits for a state of proc(5).
        @LoopActor
        private static func until(_ pid: Int32, _ state: Character) async throws {
            let deadline = LoopInstant.now.advanced(by: .seconds(10))
            while Self.status(pid, "State:").first != state {
                try #require(LoopInstant.now < deadline, "state \(Self.status(pid, "State:"))")
                try await LoopClock.sleep(for: .milliseconds(2))
            }
        }

        private static func tracer(_ pid: Int32) -> Int { Int(self.status(pid, "TracerPid:")) ?? -1 }

        private static func status(_ pid: Int32, _ key: String) -> String {
            guard let file = fopen("/proc/\(pid)/status", "re") else { return "" }
            defer { fclose(file) }
            var line = [CChar](repeating: 0, count: 256)
            while fgets(&line, 256, file) != nil {
                let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
                if text.hasPrefix(key) {
                    return String(text.dropFirst(key.count).drop { $0 == "\t" }.prefix { $0 != "\n" })
                }
            }
            return ""
        }
    }
}

/// A cgroup of one's own.
struct Freezer {
    let path: String

    static let root: String? = {
        guard let file = fopen("/proc/self/mountinfo", "re") else { return nil }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 4096)
        while fgets(&line, 4096, file) != nil {
            let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            let fields = text.split(separator: " ")
            if text.contains(" - cgroup2 "), fields.count > 4, access(String(fields[4]), W_OK) == 0 {
                return String(fields[4])
            }
        }
        return nil
    }()
    static var isHere: Bool { root != nil }

    init?() {
        guard let root = Self.root else { return nil }
        self.path = "\(root)/pawl-inspection-test-\(getpid())"
        guard mkdir(self.path, 0o755) == 0 else { return nil }
    }

    func freeze(_ pid: Int32) throws {
        try self.write("\(pid)", "cgroup.procs")
        try self.write("1", "cgroup.freeze")
        for _ in 0..<5000 where !self.isFrozen { usleep(1000) }
        try #require(self.isFrozen)
    }

    var isFrozen: Bool {
        guard let file = fopen("\(self.path)/cgroup.events", "re") else { return false }
        defer { fclose(file) }
        var bytes = [CChar](repeating: 0, count: 256)
        let count = fread(&bytes, 1, 255, file)
        return String(decoding: bytes.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self).contains("frozen 1")
    }

    /// After its processes have ended.
    func remove() {
        for _ in 0..<1000 where rmdir(self.path) != 0 { usleep(1000) }
    }

    private func write(_ text: String, _ file: String) throws {
        let stream = try #require(fopen("\(self.path)/\(file)", "we"))
        fputs(text, stream)
        try #require(fclose(stream) == 0)
    }
}
