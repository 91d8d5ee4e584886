internal import Glibc
internal import UVLoop

/// The private directory of one attempt: made empty, removed afterwards.
@LoopActor
struct ScratchDirectory {
    let path: String

    /// Nil where it cannot be made; the attempt runs without one then.
    static func make(parent: String, name: String) -> ScratchDirectory? {
        let directory = ScratchDirectory(path: "\(parent)/\(name)")
        if mkdir(directory.path, 0o700) == 0 { return directory }
        guard errno == EEXIST else { return nil }
        // Of an attempt whose host died. Nobody uses it any more: its processes are gone.
        directory.remove()
        return mkdir(directory.path, 0o700) == 0 ? directory : nil
    }

    /// Removes it with everything in it: at once when it is empty or holds a few files, else by a helper process.
    func remove() {
        if rmdir(self.path) == 0 || errno == ENOENT { return }
        let names = SmallFiles.entries(self.path)
        if names.count <= 32, names.allSatisfy({ unlink("\(self.path)/\($0)") == 0 }), rmdir(self.path) == 0 { return }
        Self.removeTree(self.path)
    }

    /// By rm(1), off the loop. A failure leaves a directory behind, which the next start finds.
    static func removeTree(_ path: String) {
        // Moved out of the way first, so that the name is free at once.
        let doomed = path + ".removed"
        let target = rename(path, doomed) == 0 ? doomed : path
        loopTask {
            let rm = ChildProcess.Spec(
                executable: "/bin/rm", arguments: ["-rf", "--one-file-system", "--", target], stdout: .null,
                stderr: .null)
            do { _ = try await ChildProcess.run(rm, timeout: .seconds(600)) } catch {}
        }
    }
}
