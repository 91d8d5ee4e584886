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
            its result on standard output. The handler may be left out where the file has only one.

            Exit codes: 0 succeeded; 1 failed, crashed or timed out; 3 cancelled; 64 several handlers, and none named; 65 bad \
            --args; 66 no such file; 70 the plugin was refused, and the message says why.

            Examples:
              pawl run-local hello.so
              pawl run-local csv.so csv.to_jsonl --args '{"input": "/data/a.csv", "output": "/tmp/a.jsonl"}'
              pawl run-local mischief.so mischief.spin --timeout 2
              pawl run-local etl.so etl.load --mode spawn --sandbox strict --set limits.memory=256M
            """)

    @Argument(help: ArgumentHelp("The plugin's file.", valueName: "file.so"))
    var file: String

    @Argument(help: ArgumentHelp("The handler's name; `pawl check` lists them.", valueName: "handler"))
    var handler: String?

    @Option(help: ArgumentHelp("Arguments: a JSON object, @FILE, or - for standard input.", valueName: "json"))
    var args = "{}"

    @OptionGroup var local: LocalOptions

    func run() throws {
        let args = try self.readArgs()
        guard access(self.file, R_OK) == 0 else {
            throw LocalOutput.failure(66, "\(self.file): \(String(cString: strerror(errno)))")
        }
        let (file, handler) = (self.file, self.handler)
        let how = try self.local.resolved()
        let report: AttemptReport
        do {
            let installation = try Installation()
            report = try LoopActor.runMain {
                try await LocalRun.execute(
                    imagePath: file, handler: handler, args: args, limits: how.limits, execution: how.execution,
                    zygotePath: installation.zygote, inspectorPath: installation.inspector, profile: how.profile,
                    sink: LocalSink())
            }
        } catch let unknown as LocalRun.UnknownHandler where unknown.handler == nil {
            throw LocalOutput.failure(64, "\(unknown)")
        } catch {
            throw LocalOutput.failure(70, "\(error)")
        }
        try LocalOutput.finish(report)
    }

    private func readArgs() throws -> [UInt8] {
        let bytes: [UInt8]
        do {
            if self.args == "-" {
                bytes = try Self.readAll(STDIN_FILENO, "standard input")
            } else if self.args.hasPrefix("@") {
                let path = String(self.args.dropFirst())
                let fd = open(path, O_RDONLY | O_CLOEXEC)
                guard fd >= 0 else { throw LocalOutput.failure(66, "\(path): \(String(cString: strerror(errno)))") }
                defer { close(fd) }
                bytes = try Self.readAll(fd, path)
            } else {
                bytes = Array(self.args.utf8)
            }
            guard try JSONText.check(bytes) == .object else {
                throw LocalOutput.failure(65, "--args must be a JSON object")
            }
        } catch let fault as JSONFault {
            throw LocalOutput.failure(65, "--args is no JSON: \(fault)")
        }
        return bytes
    }

    private static func readAll(_ fd: Int32, _ name: String) throws -> [UInt8] {
        var all: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = read(fd, &buffer, buffer.count)
            guard count >= 0 else { throw LocalOutput.failure(66, "\(name): \(String(cString: strerror(errno)))") }
            if count == 0 { return all }
            all += buffer[..<count]
            guard all.count <= 64 << 20 else { throw LocalOutput.failure(65, "\(name) is larger than 64 MiB") }
        }
    }
}
