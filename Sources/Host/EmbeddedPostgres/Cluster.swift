import Glibc
import Logging
import UVLoop

/// The files of one cluster, and how a server is brought up on them.
@LoopActor
struct Cluster {
    let layout: ClusterLayout
    private let owner: ClusterOwner
    private let binaries: PostgresBinaries
    private let settings: [String: String]
    private let logger: Logger
    private var socketDirectory: String

    var connectionString: String { configuration.connectionString }

    private var configuration: ClusterConfiguration {
        ClusterConfiguration(
            layout: layout, socketDirectory: socketDirectory, overrides: settings,
            hasLocalConfig: Files.exists(layout.localConfig))
    }

    /// Finds user, place and programs, and makes the cluster if there is none.
    static func prepare(
        dataDirectory: String, standIn: String, settings: [String: String], logger: Logger
    ) async throws(EmbeddedPostgresError) -> Cluster {
        let owner = try ClusterOwner.current(standIn: standIn)
        let layout = try await ClusterLayout.find(dataDirectory: dataDirectory, owner: owner)
        let major = try existingMajor(layout)
        let binaries = try await PostgresBinaries.find(major: major)
        try Files.makeDirectory(layout.log, mode: 0o700, owner: (owner.uid, owner.gid))
        let cluster = Cluster(
            layout: layout, owner: owner, binaries: binaries, settings: settings, logger: logger,
            socketDirectory: try SocketDirectory.find(layout, owner: owner))
        await cluster.removeLeftovers()
        if major == nil { try await cluster.create() }
        return cluster
    }

    /// The version whose programs fit the cluster; nil if there is no cluster.
    private static func existingMajor(_ layout: ClusterLayout) throws(EmbeddedPostgresError) -> Int? {
        guard Files.exists(layout.data) else { return nil }
        guard let text = try Files.read(layout.data + "/PG_VERSION"), let major = Int(text.prefix { $0.isNumber })
        else {
            throw .damaged(path: layout.data, reason: "PG_VERSION is missing or not readable")
        }
        return major
    }

    // MARK: Making

    private static let unfinishedPrefix = "data.unfinished-"

    /// initdb works beside the final place: an interrupted one is never taken for a cluster.
    private func create() async throws(EmbeddedPostgresError) {
        logger.info("making the private database", metadata: ["directory": "\(layout.base)"])
        let place = "\(layout.base)/\(Self.unfinishedPrefix)\(getpid())"
        try Files.makeDirectory(place, mode: 0o700, owner: (owner.uid, owner.gid))
        let output = try await owner.run(
            binaries.path("initdb"),
            [
                "--pgdata=\(place)", "--username=\(ClusterConfiguration.user)", "--encoding=UTF8", "--locale=C.UTF-8",
                "--auth=trust", "--data-checksums",
            ], timeout: .seconds(300))
        guard output.status.isSuccess else {
            let said = output.stderrText + output.stdoutText
            throw meansDiskFull(said) ? .diskFull(path: layout.base) : .initFailed(oneLine(said))
        }
        try Files.rename(place, to: layout.data)
        try Files.syncDirectory(layout.base)
    }

    /// Clears away what interrupted starts have left. Not being able to is no reason not to run.
    private func removeLeftovers() async {
        do {
            for name in try Files.names(in: layout.base) where name.hasPrefix(Self.unfinishedPrefix) {
                let path = layout.base + "/" + name
                // As their owner: it could have put links there.
                _ = try await owner.run("/usr/bin/find", [path, "-mindepth", "1", "-delete"], timeout: .seconds(60))
                if rmdir(path) != 0 { logger.warning("\(LoopError.last("remove \(path)"))") }
            }
        } catch {
            logger.warning("\(error)")
        }
    }

    // MARK: Running

    /// Returns a server that takes connections.
    /// - Parameter isWanted: asked while waiting; false ends the wait with `.stopped`, after stopping the server.
    mutating func adoptOrStart(
        while isWanted: @LoopActor () -> Bool
    ) async throws(EmbeddedPostgresError) -> (Postmaster, wasRunning: Bool) {
        if let postmaster = try await adopt(isWanted) { return (postmaster, true) }
        socketDirectory = try SocketDirectory.find(layout, owner: owner)
        try Files.write(configuration.server, to: layout.config, mode: 0o644)
        try Files.write(configuration.accessRules, to: layout.accessRules, mode: 0o644)
        try Files.write("", to: layout.userMap, mode: 0o644)
        let postmaster = try spawn()
        guard try await becomesReady(postmaster, isWanted) else {
            let said = lastWords()
            throw meansDiskFull(said) ? EmbeddedPostgresError.diskFull(path: layout.base) : .startFailed(said)
        }
        return (postmaster, false)
    }

    private mutating func adopt(_ isWanted: @LoopActor () -> Bool) async throws(EmbeddedPostgresError) -> Postmaster? {
        guard let file = try Files.read(layout.postmasterFile).flatMap(PostmasterFile.init(parsing:)) else {
            return nil
        }
        guard let postmaster = try await Postmaster.adopt(file, layout: layout, owner: owner) else {
            // The server refuses to start while any process has the number in its file, also one that got it after a reboot.
            // What might be left of a dead server it finds out by other means (shared memory), so the file may go.
            if kill(file.pid, 0) == 0 || errno == EPERM { unlink(layout.postmasterFile) }
            return nil
        }
        guard try await becomesReady(postmaster, isWanted) else { return nil }
        if !file.socketDirectory.isEmpty { socketDirectory = file.socketDirectory }
        // It says that it is ready; a server that hangs, or whose socket was removed, would say so too.
        let test = try await owner.run(
            binaries.path("pg_isready"), ["--host=\(socketDirectory)", "--port=5432", "--timeout=10"],
            timeout: .seconds(20))
        if test.status.isSuccess { return postmaster }
        logger.warning("the running private PostgreSQL does not answer: it is stopped and started again")
        await postmaster.stop(.immediate, steps: (.seconds(10), .seconds(10)))
        return nil
    }

    private func spawn() throws(EmbeddedPostgresError) -> Postmaster {
        // A file, not a pipe: the server must not depend on who started it.
        let output = open(layout.startLog, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard output >= 0 else { throw Files.failure("write \(layout.startLog)") }
        defer { close(output) }
        var spec = owner.spec(binaries.path("postgres"), ["-D", layout.data, "-c", "config_file=\(layout.config)"])
        spec.stdout = .descriptor(output)
        spec.stderr = .descriptor(output)
        spec.newSession = true  // A terminal's Ctrl-C is for the host, which drains before it stops the server.
        do {
            return Postmaster(try ChildProcess.spawn(spec))
        } catch {
            throw .helper(error)
        }
    }

    /// False if the server ended instead.
    ///
    /// The server tells its state in a line of `postmaster.pid`, written in place; `pg_ctl` reads it in the same way.
    private func becomesReady(
        _ postmaster: Postmaster, _ isWanted: @LoopActor () -> Bool
    ) async throws(EmbeddedPostgresError) -> Bool {
        while postmaster.end == nil {
            if let file = try Files.read(layout.postmasterFile).flatMap(PostmasterFile.init(parsing:)),
                file.pid == postmaster.pid, file.status == "ready"
            {
                return true
            }
            do {
                guard isWanted() else { throw CancellationError() }
                try await LoopClock.sleep(for: .milliseconds(20))
            } catch {
                await postmaster.stop(.immediate, steps: (.seconds(10), .seconds(10)))
                throw EmbeddedPostgresError.stopped
            }
        }
        return false
    }

    /// The end of what the server has written, in one line.
    func lastWords() -> String {
        do {
            var texts = [try Files.tail(layout.startLog, limit: 2000) ?? ""]
            let logs = try Files.names(in: layout.log).filter { $0.hasPrefix(ServerLog.prefix) }
            if let newest = logs.max() { texts.append(try Files.tail(layout.log + "/" + newest, limit: 2000) ?? "") }
            let said = texts.joined(separator: "\n")
            return said.isEmpty ? "It said nothing." : "It said: \(oneLine(said))"
        } catch {
            return "Its log cannot be read: \(error)"
        }
    }

    /// The programs run with LC_ALL=C.UTF-8, so the words are these.
    private func meansDiskFull(_ text: String) -> Bool { text.contains("No space left on device") }

    private func oneLine(_ text: String) -> String {
        text.split(whereSeparator: \.isNewline).suffix(12).joined(separator: " | ")
    }
}
