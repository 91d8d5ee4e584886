internal import Glibc
package import JobCore

/// Files in the content store that are nobody's.
extension PluginCatalog {
    /// - Parameter isKnown: which of these hashes are of versions that anybody knows; nil: it cannot be told now.
    package func orphans(isKnown: (Set<String>) async -> Set<String>?) async -> [Orphan] {
        await self.content.orphans(keeping: self.neededPaths, isKnown: isKnown)
    }

    /// Removes those that still are what they were, and still nobody's.
    /// - Returns: those that were removed.
    package func clean(_ orphans: [Orphan], isKnown: (Set<String>) async -> Set<String>?) async -> Set<Orphan.Key> {
        guard !orphans.isEmpty else { return [] }
        let wanted = Set(orphans.map(\.key))
        let present = await self.orphans(isKnown: isKnown).map(\.key)
        let needed = self.neededPaths
        return Set(present.filter { wanted.contains($0) && !needed.contains($0.name) && unlink($0.name) == 0 })
    }
}
