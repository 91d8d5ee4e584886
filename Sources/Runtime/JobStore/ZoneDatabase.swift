package import JobCore
package import UVLoop

/// Time zones by IANA name, each read from its compiled file once.
@LoopActor
package final class ZoneDatabase {
    package let files: ZoneFiles
    private var known: [String: any ZoneRules] = [:]

    package init(directory: String = ZoneFiles.systemDirectory) { files = ZoneFiles(directory: directory) }

    /// Nil if there is no such zone. Reads a small file on first use.
    package func rules(_ name: String) -> (any ZoneRules)? {
        if let rules = known[name] { return rules }
        let rules = files.rules(name)
        known[name] = rules
        return rules
    }

    /// The files have changed: each is read anew.
    package func forget() { known = [:] }
}
