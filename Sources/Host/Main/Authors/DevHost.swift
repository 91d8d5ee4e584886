import ArgumentParser
import Glibc
import JobCore
import Logging
import UVLoop

/// `pawl serve` for `pawl dev`: the same host, which ends when whoever started it is gone, however that came about.
struct DevHostCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "internal-dev-host", shouldDisplay: false)

    @OptionGroup var options: ServeOptions

    func run() throws {
        let configuration = try ServeConfiguration(self.options, environment: ProcessEnvironment.current)
        let (format, level) = (configuration.logFormat, configuration.logLevel)
        LoggingSystem.bootstrap { HostLogHandler(label: $0, format: format, logLevel: level) }
        do {
            let directory = try HostDirectory(path: configuration.dataDirectory)
            try LoopActor.runMain {
                // The other end of our standard input is held by our starter alone.
                let starter = try FDWatcher(fd: STDIN_FILENO)
                starter.start([.readable, .disconnect]) { _ in
                    starter.stop()
                    kill(getpid(), SIGTERM)
                }
                defer { starter.close() }
                try await ServeHost(configuration, directory: directory).run()
            }
        } catch {
            LocalOutput.print("pawl: \(error)\n", to: STDERR_FILENO)
            throw ExitCode(78)
        }
    }
}

/// The host of a `pawl dev`, as a process of its own.
@LoopActor
final class DevHost {
    /// Holds everything: token, database, plugins.
    let directory: String
    private let child: ChildProcess
    /// Closed with us: the host then ends.
    private let lifeline: Int32
    private var unread: [UInt8] = []
    private(set) var url: String?
    /// A one-time link that opens the page.
    private(set) var page: String?
    private let onLog: @LoopActor (String) -> Void
    private let onReady: @LoopActor () -> Void

    /// - Parameters:
    ///   - onLog: gets each line of the host's own log.
    ///   - onReady: called once it serves; `url` and `page` are known then.
    ///   - onEnd: called when the process has ended.
    init(
        executable: String, directory: String, options: [String], environment: [String: String],
        onLog: @escaping @LoopActor (String) -> Void, onReady: @escaping @LoopActor () -> Void,
        onEnd: @escaping @LoopActor (ChildProcess.ExitStatus) -> Void
    ) throws(LoopError) {
        self.directory = directory
        self.onLog = onLog
        self.onReady = onReady
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw LoopError(errno, "make a pipe") }
        // Nobody else is to hold the end whose closing is the sign.
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        defer { close(ends[0]) }
        self.lifeline = ends[1]
        var spec = ChildProcess.Spec(
            executable: executable,
            arguments: ["internal-dev-host", "--data-dir", directory, "--plugins", directory + "/plugins"] + options,
            environment: environment, stdin: .descriptor(ends[0]))
        let pipes = HostOutput()
        spec.stdout = .stream { pipes.host?.said($0) }
        spec.stderr = .stream { pipes.host?.logged($0) }
        do {
            self.child = try ChildProcess.spawn(spec)
        } catch {
            close(ends[1])
            throw error
        }
        pipes.host = self
        let child = self.child
        loopTask { onEnd(await child.wait()) }
    }

    /// Tells it to end: what runs at once, then the database; returns when it has ended.
    func stop() async {
        self.child.signal(SIGTERM)
        let timer = LoopTimer()
        // Should its own end take too long, a person at the keyboard must not wait: the group goes with it.
        timer.start(after: .seconds(45)) { self.child.signalGroup(SIGKILL) }
        _ = await self.child.wait()
        timer.stop()
        close(self.lifeline)
    }

    private func said(_ bytes: [UInt8]) {
        self.unread += bytes
        while let end = self.unread.firstIndex(of: UInt8(ascii: "\n")) {
            let line = String(decoding: self.unread[..<end], as: UTF8.self)
            self.unread.removeFirst(end + 1)
            let words = line.split(separator: " ")
            if words.first == "page", words.count > 1 { self.page = String(words[1]) }
            if words.first == "ready", words.count > 1 { self.url = String(words[1]) }
            if self.url != nil, self.page != nil { self.onReady() }
        }
    }

    private var logRest: [UInt8] = []

    private func logged(_ bytes: [UInt8]) {
        self.logRest += bytes
        while let end = self.logRest.firstIndex(of: UInt8(ascii: "\n")) {
            self.onLog(String(decoding: self.logRest[..<end], as: UTF8.self))
            self.logRest.removeFirst(end + 1)
        }
    }
}

/// Where a host's output goes, which begins before there is the object.
@LoopActor
private final class HostOutput {
    weak var host: DevHost?
}

/// What a `pawl dev` has put somewhere, and takes away again.
enum DevPlace {
    /// Removes a temporary host directory, and what its database has outside of it.
    /// - Returns: in words, what is left.
    static func remove(_ directory: String) -> [String] {
        var outside: [String] = []
        var clusters = [directory + "/postgres"]
        // Written where the database's user could not reach the directory.
        if let noted = Self.line(directory + "/postgres-location") {
            clusters.append(noted)
            outside.append(noted)
        }
        for cluster in clusters {
            if let socket = Self.line(cluster + "/socket-directory"), !socket.hasPrefix(cluster + "/") {
                outside.append(socket)
            }
        }
        return (outside + [directory]).compactMap(Folder.remove)
    }

    private static func line(_ path: String) -> String? {
        guard case .success(let bytes) = ClientFiles.read(path) else { return nil }
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n").first.map(String.init)
    }
}
