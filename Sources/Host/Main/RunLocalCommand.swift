import ArgumentParser
import Glibc
import JobCore
import JobRunner
import Supervision
import UVLoop

/// One attempt without host or database: for authors of handlers.
struct RunLocal: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run-local",
        abstract: "Run one handler of a plugin file once, without any server.",
        discussion: """
            Loads the file into a zygote as a host does, executes one supervised attempt, prints its log on standard error and \
            its result on standard output.

            Exit codes: 0 succeeded; 1 failed, crashed or timed out; 3 cancelled; 65 bad --args; 66 no such file; 70 the plugin \
            was refused, and the message says why.

            Examples:
              pawl run-local hello.so hello.world
              pawl run-local csv.so csv.to_jsonl --args '{"input": "/data/a.csv", "output": "/tmp/a.jsonl"}'
              pawl run-local mischief.so mischief.spin --timeout 2
            """)

    @Argument(help: ArgumentHelp("The plugin's file.", valueName: "file.so"))
    var file: String

    @Argument(help: ArgumentHelp("The handler's name; may be left out where there is one only.", valueName: "handler"))
    var handler: String

    @Option(help: ArgumentHelp("Arguments: a JSON object, @FILE, or - for standard input.", valueName: "json"))
    var args = "{}"

    @Option(
        help: ArgumentHelp(
            "Wall time of the attempt in seconds. Default: the handler's own, else an hour.", valueName: "seconds"))
    var timeout: Double?

    @Option(help: ArgumentHelp("auto, cgroup or none, as for serve.", valueName: "way"))
    var isolation = "auto"

    func run() throws {
        let args = try self.readArgs()
        guard access(self.file, R_OK) == 0 else {
            throw Self.failure(66, "\(self.file): \(String(cString: strerror(errno)))")
        }
        guard let isolation = ServeConfiguration.Isolation(rawValue: self.isolation) else {
            throw ValidationError("--isolation is \"\(self.isolation)\"; allowed: auto, cgroup, none")
        }
        let profile: SupervisorConfiguration.Profile =
            switch isolation {
            case .auto: .automatic
            case .cgroup: .cgroup
            case .none: .none
            }
        let limits = Limits(wall: self.timeout.map { .milliseconds(Int64(max(1, $0 * 1000))) })
        let (file, handler) = (self.file, self.handler)
        let report: AttemptReport
        do {
            let installation = try Installation()
            report = try LoopActor.runMain {
                let sink = LocalSink()
                return try await LocalRun.execute(
                    imagePath: file, handler: handler, args: args, limits: limits, zygotePath: installation.zygote,
                    profile: profile, sink: sink)
            }
        } catch {
            throw Self.failure(70, "\(error)")
        }
        try self.finish(report)
    }

    private func finish(_ report: AttemptReport) throws {
        switch report.result {
        case .json(let text): Self.print(text + "\n", to: STDOUT_FILENO)
        case .bytes(let bytes, _): bytes.withUnsafeBytes { _ = write(STDOUT_FILENO, $0.baseAddress, $0.count) }
        case .none: break
        }
        let cpu = report.resources.userCPU + report.resources.systemCPU
        let summary =
            "\(report.outcome.rawValue)\(report.sentence.isEmpty ? "" : ": \(report.sentence)") "
            + "(cpu \(cpu.formatted), peak \(report.resources.maxRSSBytes >> 10) KiB)"
        Self.print(summary + "\n", to: STDERR_FILENO)
        if let crash = report.crash {
            Self.print(
                "  signal \(crash.signal) at 0x\(String(crash.address, radix: 16)), thread \(crash.threadName)\n",
                to: STDERR_FILENO)
        }
        switch report.outcome {
        case .succeeded, .snoozed: return
        case .cancelled, .terminated: throw ExitCode(3)
        case .error, .crashed, .timedOut, .outOfMemory, .lost: throw ExitCode(1)
        }
    }

    private func readArgs() throws -> [UInt8] {
        let bytes: [UInt8]
        do {
            if self.args == "-" {
                bytes = try Self.readAll(STDIN_FILENO, "standard input")
            } else if self.args.hasPrefix("@") {
                let path = String(self.args.dropFirst())
                let fd = open(path, O_RDONLY | O_CLOEXEC)
                guard fd >= 0 else { throw Self.failure(66, "\(path): \(String(cString: strerror(errno)))") }
                defer { close(fd) }
                bytes = try Self.readAll(fd, path)
            } else {
                bytes = Array(self.args.utf8)
            }
            guard try JSONText.check(bytes) == .object else { throw Self.failure(65, "--args must be a JSON object") }
        } catch let fault as JSONFault {
            throw Self.failure(65, "--args is no JSON: \(fault)")
        }
        return bytes
    }

    private static func readAll(_ fd: Int32, _ name: String) throws -> [UInt8] {
        var all: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = read(fd, &buffer, buffer.count)
            guard count >= 0 else { throw Self.failure(66, "\(name): \(String(cString: strerror(errno)))") }
            if count == 0 { return all }
            all += buffer[..<count]
            guard all.count <= 64 << 20 else { throw Self.failure(65, "\(name) is larger than 64 MiB") }
        }
    }

    private static func failure(_ code: Int32, _ why: String) -> ExitCode {
        Self.print("pawl: \(why)\n", to: STDERR_FILENO)
        return ExitCode(code)
    }

    fileprivate static func print(_ text: String, to fd: Int32) {
        var text = text
        text.withUTF8 { _ = write(fd, $0.baseAddress, $0.count) }
    }
}

/// Prints what an attempt says while it runs.
private final class LocalSink: AttemptObserver {
    var acceptsLogs: Bool { true }
    private var lastProgress = ""

    func attemptStarted(_ runID: RunID, _ attempt: Int, at time: WallTime, pid: Int32) {}

    func attemptLogged(_ runID: RunID, _ attempt: Int, lines: [LogLine]) {
        for line in lines {
            let fields = line.fields.map { " \($0)" } ?? ""
            RunLocal.print(
                "\(line.time.rfc3339) \(line.level.name) [\(line.stream.name)] \(line.message)\(fields)\n",
                to: STDERR_FILENO)
        }
    }

    func attemptProgressed(_ runID: RunID, _ attempt: Int, progress: Progress) {
        guard progress.line != self.lastProgress else { return }
        self.lastProgress = progress.line
        let percent = progress.percent.map { " \(Int($0)) %" } ?? ""
        RunLocal.print("\(WallTime.current.rfc3339) progress \(progress.line)\(percent)\n", to: STDERR_FILENO)
    }

    func attemptEnded(_ report: AttemptReport) {}
}

extension Duration {
    fileprivate var formatted: String {
        let micros = self.components.seconds * 1_000_000 + self.components.attoseconds / 1_000_000_000_000
        return micros < 1000
            ? "\(micros) µs" : micros < 1_000_000 ? "\(micros / 1000) ms" : "\(Double(micros / 1000) / 1000) s"
    }
}
