import Glibc
import JobCore
import Testing
import UVLoop

@testable import Inspection

extension InspectionSuite {
    @Suite struct Processes {
        @Test func aBusyLoop() async throws {
            try await self.look("busy") { process, pid in
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
