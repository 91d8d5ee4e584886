import Glibc
import UVLoop

/// The places of one cluster. Everything here but `data` and `log` belongs to the host's user, so that the server's user
/// cannot make a privileged host follow its links.
struct ClusterLayout: Equatable {
    /// Holds everything else.
    let base: String
    var data: String { base + "/data" }
    var log: String { base + "/log" }
    var config: String { base + "/postgresql.conf" }
    /// For the operator: read after ours, never written by us.
    var localConfig: String { base + "/local.conf" }
    var accessRules: String { base + "/pg_hba.conf" }
    var userMap: String { base + "/pg_ident.conf" }
    /// What the server says before it opens its log.
    var startLog: String { base + "/start.log" }
    /// Remembers where the socket is.
    var socketNote: String { base + "/socket-directory" }
    var postmasterFile: String { data + "/postmaster.pid" }

    /// The place for clusters of root's hosts whose data directory the server's user cannot reach.
    static let sharedRoot = "/var/lib/pawl-embedded"

    /// Finds or makes the place of a data directory's cluster.
    ///
    /// It is `postgres` in the data directory. A host of root's cannot put it there if the server's user may not pass a
    /// directory above (`/root` is such a place): then it is `/var/lib/pawl-embedded/HASH`, HASH naming the data directory, and
    /// the file `postgres-location` in the data directory says so. What was chosen once stays.
    @LoopActor
    static func find(dataDirectory: String, owner: ClusterOwner) async throws(EmbeddedPostgresError) -> ClusterLayout {
        let inside = ClusterLayout(base: dataDirectory + "/postgres")
        let note = dataDirectory + "/postgres-location"
        if owner.name == nil || Files.exists(inside.data) {
            try Files.makeDirectory(inside.base, mode: owner.name == nil ? 0o700 : 0o711)
            return inside
        }
        if let noted = try Files.read(note)?.split(separator: "\n").first {
            return try ClusterLayout(base: String(noted)).claimed(for: dataDirectory)
        }
        // The kernel's own answer, access lists included.
        let mayPass = try await owner.run("/usr/bin/test", ["-x", dataDirectory], timeout: .seconds(10))
        if mayPass.status.isSuccess {
            try Files.makeDirectory(inside.base, mode: 0o711)
            return inside
        }
        let outside = ClusterLayout(base: sharedRoot + "/" + shortHash(dataDirectory))
        try Files.makeDirectories(sharedRoot, mode: 0o711)
        let layout = try outside.claimed(for: dataDirectory)
        try Files.write(outside.base + "\n", to: note, mode: 0o600)
        return layout
    }

    /// Makes the place, and refuses one that belongs to another data directory.
    private func claimed(for dataDirectory: String) throws(EmbeddedPostgresError) -> ClusterLayout {
        try Files.makeDirectory(base, mode: 0o711)
        let tag = base + "/data-directory"
        if let other = try Files.read(tag)?.split(separator: "\n").first, other != dataDirectory {
            throw .damaged(path: base, reason: "it belongs to the data directory \(other), not to \(dataDirectory)")
        }
        try Files.write(dataDirectory + "\n", to: tag, mode: 0o600)
        return self
    }
}

/// The directory of the server's Unix socket.
enum SocketDirectory {
    /// `sockaddr_un.sun_path` holds 108 bytes with its final zero; the server adds `/.s.PGSQL.5432`.
    static let longestPath = 107 - "/.s.PGSQL.5432".utf8.count

    /// The remembered one if it is still ours, else `run` beside the cluster, else a short one in a runtime or temporary
    /// directory.
    static func find(_ layout: ClusterLayout, owner: ClusterOwner) throws(EmbeddedPostgresError) -> String {
        if let noted = try Files.read(layout.socketNote)?.split(separator: "\n").first.map(String.init),
            isUsable(noted, owner)
        {
            return noted
        }
        let directory = try make(layout, owner)
        try Files.write(directory + "\n", to: layout.socketNote, mode: 0o600)
        return directory
    }

    private static func make(_ layout: ClusterLayout, _ owner: ClusterOwner) throws(EmbeddedPostgresError) -> String {
        let beside = layout.base + "/run"
        let unique = "/pawl-" + shortHash(layout.base)
        let runtime = owner.name == nil ? getenv("XDG_RUNTIME_DIR").map { String(cString: $0) } : "/run"
        for candidate in [beside, runtime.map { $0 + unique }].compactMap(\.self) where fits(candidate) {
            do {
                try Files.makeDirectory(candidate, mode: 0o700, owner: (owner.uid, owner.gid))
                return candidate
            } catch {
                if candidate == beside { throw error }
            }
        }
        let temporary = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array("\(temporary)\(unique)-XXXXXX".utf8CString)
        guard fits(String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)),
            mkdtemp(&template) != nil
        else {
            throw .noSocketDirectory(tried: [beside, (runtime ?? "XDG_RUNTIME_DIR") + unique, temporary + unique])
        }
        let made = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        try Files.makeDirectory(made, mode: 0o700, owner: (owner.uid, owner.gid))
        return made
    }

    private static func fits(_ path: String) -> Bool { path.utf8.count <= longestPath }

    private static func isUsable(_ path: String, _ owner: ClusterOwner) -> Bool {
        var info = stat()
        return fits(path) && lstat(path, &info) == 0 && info.st_mode & S_IFMT == S_IFDIR && info.st_uid == owner.uid
            && info.st_mode & 0o777 == 0o700
    }
}
