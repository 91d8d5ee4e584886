internal import Glibc
internal import UVLoop

/// The cgroup v2 directory of one host instance, under which each attempt has a leaf.
///
/// Layout: `<root>/pawl-<instance>/slot-<n>`. Leaves are reused: making and removing one costs more than an attempt's
/// other file work together.
@LoopActor
final class CgroupRoot {
    let path: String
    /// Switched on for the leaves.
    let controllers: [String]
    private var nextNumber = 1
    private var free: [CgroupLeaf] = []
    /// Taken and not back yet, by path.
    private var lent: [String: CgroupLeaf] = [:]

    private init(path: String, controllers: [String]) {
        self.path = path
        self.controllers = controllers
    }

    /// Finds a place, or says why there is none. `root`: use this one.
    static func find(root: String?, instance: String) -> Result<CgroupRoot, SupervisionError> {
        var problems: [String] = []
        for candidate in root.map({ [$0] }) ?? self.candidates() {
            let path = "\(candidate)/pawl-\(instance)"
            if mkdir(path, 0o755) != 0 && errno != EEXIST {
                problems.append("\(path): \(String(cString: strerror(errno)))")
                continue
            }
            guard access("\(path)/cgroup.kill", W_OK) == 0 else {
                problems.append("\(path) has no writable cgroup.kill (Linux 5.14)")
                rmdir(path)
                continue
            }
            return .success(CgroupRoot(path: path, controllers: self.enable(under: candidate, path)))
        }
        let reasons = problems.isEmpty ? "no cgroup v2 hierarchy is mounted" : problems.joined(separator: "; ")
        return .failure(SupervisionError("no usable cgroup v2 directory: \(reasons)"))
    }

    /// Own cgroup first (delegated by systemd), then the root of each hierarchy.
    private static func candidates() -> [String] {
        let mountinfo = SmallFiles.text("/proc/self/mountinfo") ?? ""
        let own = self.ownDirectories(cgroup: SmallFiles.text("/proc/self/cgroup") ?? "", mountinfo: mountinfo)
        let mounts = mountinfo.split(separator: "\n").compactMap(Self.cgroup2Mount)
        return own + mounts.filter { !own.contains($0) }
    }

    /// Where this process lives in each v2 hierarchy that is mounted, from the texts of /proc/self/cgroup and mountinfo.
    nonisolated static func ownDirectories(cgroup: String, mountinfo: String) -> [String] {
        let own = cgroup.split(separator: "\n").first { $0.hasPrefix("0::") }.map { String($0.dropFirst(3)) } ?? "/"
        return mountinfo.split(separator: "\n").compactMap(Self.cgroup2Mount).map { own == "/" ? $0 : $0 + own }
    }

    /// The mount point in a line of mountinfo (proc(5)): `id parent major:minor root point options … - type source …`.
    nonisolated static func cgroup2Mount(_ line: Substring) -> String? {
        let fields = line.split(separator: " ")
        guard let dash = fields.firstIndex(of: "-"), dash + 1 < fields.count, fields[dash + 1] == "cgroup2",
            fields.count > 4
        else { return nil }
        // The kernel writes space, tab, newline and backslash as octal escapes.
        return fields[4].replacingOctalEscapes
    }

    /// Switches on what is there and useful; whatever fails is simply not there.
    private static func enable(under parent: String, _ path: String) -> [String] {
        let wanted = ["memory", "pids"]
        let there = (SmallFiles.text("\(parent)/cgroup.controllers") ?? "").split(whereSeparator: \.isWhitespace)
        return wanted.filter { name in
            guard there.contains(Substring(name)) else { return false }
            // Refused while processes are in the parent itself (EBUSY): then there are no controllers for us.
            guard SmallFiles.write("+\(name)", to: "\(parent)/cgroup.subtree_control") == 0 else { return false }
            return SmallFiles.write("+\(name)", to: "\(path)/cgroup.subtree_control") == 0
        }
    }

    /// A leaf with nothing in it. Fails with the errno's words.
    func take() throws(SupervisionError) -> CgroupLeaf {
        let leaf: CgroupLeaf
        if let known = self.free.popLast() {
            leaf = known
        } else {
            leaf = try CgroupLeaf(path: "\(self.path)/slot-\(self.nextNumber)")
            self.nextNumber += 1
        }
        self.lent[leaf.path] = leaf
        return leaf
    }

    /// Back from an attempt, with nothing in it. One that had to be killed is not used again.
    func giveBack(_ leaf: CgroupLeaf) {
        self.lent[leaf.path] = nil
        // A child born into a frozen one would not begin.
        let isUsable = !leaf.wasKilled && (!leaf.isFrozen || leaf.freeze(false) == 0)
        if isUsable { self.free.append(leaf) } else { leaf.remove() }
    }

    /// Whether a path is a leaf that this host uses, or keeps for the next attempt.
    func knows(_ path: String) -> Bool { self.lent[path] != nil || self.free.contains { $0.path == path } }

    var processesOfLent: [Int32] { self.lent.values.flatMap(\.processes) }

    /// Leaves that are there: before the first attempt, of a predecessor.
    func strayLeaves() -> [String] {
        SmallFiles.entries(self.path).filter { $0.hasPrefix("slot-") }.map { "\(self.path)/\($0)" }
    }

    /// Removes what is empty. Afterwards nothing of us is left on the machine.
    func remove() {
        for leaf in self.free { leaf.remove() }
        self.free = []
        CgroupLeaf.removeTree(self.path)
    }
}

extension Substring {
    fileprivate var replacingOctalEscapes: String {
        var bytes: [UInt8] = []
        var rest = Array(self.utf8)[...]
        while let byte = rest.popFirst() {
            let digits = rest.prefix(3)
            if byte == UInt8(ascii: "\\"), digits.count == 3, digits.allSatisfy({ (0x30...0x37).contains($0) }) {
                bytes.append(digits.reduce(0) { $0 &* 8 &+ ($1 - 0x30) })
                rest = rest.dropFirst(3)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
