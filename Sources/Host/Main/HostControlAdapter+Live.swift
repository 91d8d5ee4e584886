import ControlPlane
import Glibc
import JobCore
import Supervision
import UVLoop

/// What can be done with an attempt while it runs here.
extension HostControlAdapter {
    func freeze(runID: RunID, attempt: Int) -> Bool { false }
    func thaw(runID: RunID, attempt: Int) -> Bool { false }
    func extend(runID: RunID, attempt: Int, by extra: Duration) -> WallTime? { nil }
    func setNiceness(runID: RunID, attempt: Int, _ niceness: Int32) -> Bool { false }
    func diagnose(runID: RunID, attempt: Int) async -> String? { nil }

    func quarantineLifted(handler: String, version: String) {}

    func storedPlugin(version: String) -> StoredPlugin? {
        // A hash and nothing else: a name from a request never leaves the store's directory.
        guard version.utf8.count == 64, version.utf8.allSatisfy({ Self.hexadecimal.contains($0) }) else { return nil }
        let path = self.storeDirectory + "/\(version).so"
        return access(path, R_OK) == 0 ? StoredPlugin(path: path) : nil
    }

    private static let hexadecimal = Set("0123456789abcdef".utf8)
}
