import FoundationEssentials
import Glibc

/// An attempt's private directory, for the length of a test's attempt.
enum Scratch {
    static func make() throws -> String {
        let parent = getenv("TMPDIR").map { String(cString: $0) } ?? P_tmpdir
        var template = Array("\(parent)/pawl-test-XXXXXX".utf8CString)
        guard let made = mkdtemp(&template) else { throw TestFault(operation: "mkdtemp in \(parent)", number: errno) }
        return String(cString: made)
    }

    /// With all that is in it. What cannot be removed stays behind in the directory for temporary files.
    static func remove(_ path: String) {
        do { try FileManager.default.removeItem(atPath: path) } catch {}
    }
}
