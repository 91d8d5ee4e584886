import UVLoop

/// Watches a source tree: one watcher per directory, those that are made later included.
@LoopActor
final class SourceWatcher {
    private let root: String
    private let isRecursive: Bool
    /// A directory in the tree that is not a part of it.
    private let excluded: String?
    private let handler: @LoopActor (String) -> Void
    private var watchers: [String: DirectoryWatcher] = [:]

    /// - Parameter handler: gets the path, below `root`, of each file that may have changed; "" when events were lost and any
    ///   may have.
    init(
        root: String, isRecursive: Bool, excluding excluded: String?, handler: @escaping @LoopActor (String) -> Void
    ) throws(LoopError) {
        self.root = root
        self.isRecursive = isRecursive
        self.excluded = excluded
        self.handler = handler
        try self.add("")
    }

    func close() {
        for watcher in self.watchers.values { watcher.close() }
        self.watchers = [:]
    }

    private func absolute(_ path: String) -> String { path.isEmpty ? self.root : self.root + "/" + path }

    private func add(_ directory: String) throws(LoopError) {
        guard self.watchers[directory] == nil, self.absolute(directory) != self.excluded else { return }
        var onDirectory: (@LoopActor (String) -> Void)?
        if self.isRecursive { onDirectory = { [weak self] name in self?.made(name, in: directory) } }
        self.watchers[directory] = try DirectoryWatcher(path: self.absolute(directory), onDirectory: onDirectory) {
            [weak self] event in self?.noticed(event, in: directory)
        }
        guard self.isRecursive else { return }
        for entry in Folder.entries(self.absolute(directory)) where entry.isDirectory {
            if SourceFilter.isWatched(directory: entry.name) { self.follow(Self.join(directory, entry.name)) }
        }
    }

    /// A directory that is gone again, or that we may not read, is none of the sources.
    private func follow(_ directory: String) {
        do { try self.add(directory) } catch {}
    }

    private func made(_ name: String, in directory: String) {
        let path = Self.join(directory, name)
        guard SourceFilter.isWatched(directory: name), Folder.isDirectory(self.absolute(path)) else { return }
        self.follow(path)
        // What was put there before the watch began.
        for entry in Folder.entries(self.absolute(path)) where !entry.isDirectory { self.changed(entry.name, path) }
    }

    private func noticed(_ event: DirectoryEvent, in directory: String) {
        switch event {
        case .movedIn(let name):
            if self.isRecursive, Folder.isDirectory(self.absolute(Self.join(directory, name))) {
                self.made(name, in: directory)
            } else {
                self.changed(name, directory)
            }
        case .closedAfterWrite(let name), .linked(let name), .movedOut(let name), .deleted(let name):
            self.changed(name, directory)
        case .overflow: self.handler("")
        case .gone: self.watchers[directory] = nil
        }
    }

    private func changed(_ name: String, _ directory: String) {
        if SourceFilter.matters(file: name) { self.handler(Self.join(directory, name)) }
    }

    private static func join(_ directory: String, _ name: String) -> String {
        directory.isEmpty ? name : directory + "/" + name
    }
}
