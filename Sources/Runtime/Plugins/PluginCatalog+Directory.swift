internal import Glibc
internal import JobCore
internal import Logging
internal import UVLoop

/// The plugin directory: what is there, what comes and what goes.
extension PluginCatalog {
    /// A file that is written in place may be opened again: it is looked at when it has been left alone for so long.
    private static let settleTime = Duration.milliseconds(200)

    func watch() throws(LoopError) {
        guard let directory else { return }
        self.watcher = try DirectoryWatcher(path: directory) { [weak self] event in self?.noticed(event) }
    }

    private func noticed(_ event: DirectoryEvent) {
        switch event {
        case .movedIn(let file): if !self.isIndirect(file) { self.appeared(file) }
        case .linked(let file): if !self.isIndirect(file) { self.appeared(file) }
        case .closedAfterWrite(let file): self.written(file)
        case .movedOut(let file), .deleted(let file): self.vanished(file)
        case .overflow: self.look()
        case .gone:
            self.logger.error("the plugin directory \(self.directory ?? "") is gone; what serves goes on serving")
            self.rewatch()
        }
    }

    /// A link may stand for other names (a `..data` that all of them go through): then the whole directory is looked at.
    private func isIndirect(_ file: String) -> Bool {
        guard let directory, PluginEntry.kind(of: file) == nil else { return false }
        var status = stat()
        guard lstat("\(directory)/\(file)", &status) == 0, status.st_mode & S_IFMT == S_IFLNK else { return false }
        self.look()
        return true
    }

    /// A file was open for writing and is closed.
    private func written(_ file: String) {
        if file.hasSuffix(".sig") { return self.signed(String(file.dropLast(4))) }
        guard let entry = self.entries[file], entry.hasFile, let known = entry.fingerprint,
            let seen = self.fingerprint(file), known.inode == seen.inode, known.device == seen.device
        else { return self.appeared(file) }
        // Written over in place, and perhaps not for the last time.
        entry.settleTimer.start(after: Self.settleTime) { [weak self] in self?.appeared(file) }
    }

    /// A signature came after its file, or while that is being looked at.
    private func signed(_ file: String) {
        guard let entry = self.entries[file], entry.hasFile else { return }
        if case .verifying = entry.machine.candidate { return self.appeared(file) }
        if entry.machine.rejection != nil { self.appeared(file) }
    }

    /// Until the directory is there again.
    private func rewatch() {
        self.rewatchTimer.start(after: .seconds(1)) { [weak self] in
            guard let self, !self.isStopped else { return }
            do {
                try self.watch()
                self.look()
            } catch { self.rewatch() }
        }
    }

    /// Compares the directory with what is known of it.
    func look() {
        guard let directory else { return }
        guard let names = Self.entries(directory) else {
            self.logger.error("the plugin directory \(directory) cannot be read: \(String(cString: strerror(errno)))")
            return
        }
        for entry in self.entries.values.sorted(by: { $0.file < $1.file })
        where entry.hasFile && !names.contains(entry.file) { self.vanished(entry.file) }
        for file in names.sorted() {
            guard let fingerprint = self.fingerprint(file) else { continue }
            if let entry = self.entries[file], entry.hasFile, entry.fingerprint == fingerprint,
                entry.machine.rejection == nil
            {
                continue
            }
            self.appeared(file)
        }
    }

    func appeared(_ file: String) {
        if file.hasSuffix(".sig") { return self.signed(String(file.dropLast(4))) }
        guard let kind = PluginEntry.kind(of: file), !self.isStopped else { return }
        let entry = self.entries[file] ?? PluginEntry(file: file, kind: kind)
        self.entries[file] = entry
        entry.settleTimer.stop()
        entry.againTimer.stop()
        entry.hasFile = true
        entry.fingerprint = self.fingerprint(file)
        self.want(
            entry, .file,
            .init(
                source: .file(file, isFirstLook: self.isFirstLook), wish: .activate(force: false), image: nil,
                waiter: nil))
    }

    /// What stood in the way of a file may pass (a full disk, no memory for a process, no right to read it): nobody has to touch the
    /// file for that.
    func lookAgain(_ entry: PluginEntry, after fault: ReloadFault) {
        guard fault.code == .unavailable, entry.hasFile, !self.isStopped, self.entries[entry.file] === entry else {
            return
        }
        entry.againTimer.start(after: entry.pause) { [weak self, weak entry] in
            guard let self, let entry, entry.hasFile else { return }
            guard entry.machine.isIdle else { return self.lookAgain(entry, after: fault) }
            self.appeared(entry.file)
        }
        entry.pause = min(entry.pause * 2, PluginEntry.longestPause)
    }

    private func vanished(_ file: String) {
        // A rename over the file reports the old one's end after the new one's beginning, or not at all.
        guard let entry = self.entries[file], entry.hasFile, self.fingerprint(file) == nil else { return }
        self.fileGone(entry)
        self.forgetIfGone(entry)
        // What had to stand back behind it may serve now.
        for other in self.entries.values where other.isConflict { self.appeared(other.file) }
    }

    func fileGone(_ entry: PluginEntry) {
        guard entry.hasFile else { return }
        let goesOn = entry.outlivesItsFile
        entry.hasFile = false
        entry.fingerprint = nil
        entry.fileHash = nil
        entry.settleTimer.stop()
        entry.againTimer.stop()
        if goesOn {
            self.logger.notice(
                "\(entry.file) was removed; what serves did not come from it and goes on",
                metadata: ["plugin": "\(entry.title)", "sha256": "\(entry.machine.active?.prefix(12) ?? "")"])
            let held = entry.machine.held.flatMap { entry.versions[$0] }
            self.perform(entry.machine.fileRemoved(dropsHeld: held.map { $0.isFile && !$0.isSent } ?? false), entry)
            return self.publish(entry)
        }
        // What rests while the plugin is disabled is what would serve.
        let served = entry.machine.active ?? entry.machine.resting
        let orders = entry.machine.removed()
        if served != nil { self.tell(entry, .withdrawn, served, words: "\(entry.file) was removed") }
        self.stopServing(entry, orders)
    }

    func fingerprint(_ file: String) -> PluginEntry.Fingerprint? {
        guard let directory else { return nil }
        var status = stat()
        guard stat("\(directory)/\(file)", &status) == 0 else { return nil }
        return PluginEntry.Fingerprint(
            device: UInt64(status.st_dev), inode: UInt64(status.st_ino), size: Int64(status.st_size),
            modifiedSeconds: status.st_mtim.tv_sec, modifiedNanos: status.st_mtim.tv_nsec)
    }

    private static func entries(_ path: String) -> Set<String>? {
        guard let directory = opendir(path) else { return nil }
        defer { closedir(directory) }
        var names: Set<String> = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if PluginEntry.kind(of: name) != nil { names.insert(name) }
        }
        return names
    }
}
