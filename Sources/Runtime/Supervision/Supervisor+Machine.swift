internal import CLinux
internal import Glibc
internal import JobCore
internal import Logging
internal import UVLoop

extension Supervisor {
    /// Probes the machine, chooses the profile, and clears what a predecessor left.
    func prepareMachine() async throws(SupervisionError) {
        let probe = try await self.probe()
        var notes = probe.notes
        let error = SmallFiles.makeDirectories(self.scratchRoot, mode: 0o711)
        guard error == 0 else {
            throw SupervisionError("cannot make \(self.scratchRoot): \(String(cString: strerror(error)))")
        }
        let subreaper = linux_set_subreaper(true)
        if subreaper != 0 { notes.append("orphans go to init: errno \(-subreaper)") }
        try self.chooseProfile(&notes)
        self.capabilities = Capabilities(
            profile: self.cgroups == nil ? .none : .cgroup, cgroupRoot: self.cgroups?.path,
            controllers: self.cgroups?.controllers ?? [], features: probe.features, notes: notes)
        await self.killLeftovers()
        self.removeOldScratch()
    }

    private func chooseProfile(_ notes: inout [String]) throws(SupervisionError) {
        guard self.configuration.profile != .none else { return }
        switch CgroupRoot.find(root: self.configuration.cgroupRoot, instance: self.configuration.instance) {
        case .success(let root):
            self.cgroups = root
            if !root.controllers.contains("memory") {
                notes.append("no memory controller: memory is limited per process, not per tree")
            }
        case .failure(let problem):
            if self.configuration.profile == .cgroup { throw problem }
            notes.append("\(problem); every attempt gets a monitor process instead")
        }
    }

    /// Asks `pawl-zygote --probe`, which tries things out in a process that may fail.
    private func probe() async throws(SupervisionError) -> (features: [String: Bool], notes: [String]) {
        let spec = ChildProcess.Spec(executable: self.configuration.zygotePath, arguments: ["--probe"])
        let output: ChildProcess.Output
        do { output = try await ChildProcess.run(spec, timeout: .seconds(10)) } catch {
            throw SupervisionError("cannot run \(self.configuration.zygotePath): \(error)")
        }
        guard output.status.isSuccess else {
            let words = output.stderr.withUnsafeBytes { String(repairing: $0) }
            throw SupervisionError("\(self.configuration.zygotePath) --probe: \(output.status) \(words)")
        }
        let text = output.stdout.withUnsafeBytes { String(repairing: $0) }
        let value: JSONValue
        do { value = try JSONValue(parsing: text) } catch {
            throw SupervisionError("\(self.configuration.zygotePath) --probe printed no JSON: \(error)")
        }
        guard case .object(let members) = value else { return ([:], []) }
        var features: [String: Bool] = [:]
        var notes: [String] = []
        for member in members {
            switch member.value {
            case .boolean(let isThere): features[member.key] = isThere
            case .array(let elements) where member.key == "notes": notes += elements.compactMap(\.text)
            default: break
            }
        }
        return (features, notes)
    }

    /// Kills what hosts of this instance before us left, and waits until it is gone.
    private func killLeftovers() async {
        var leaves = self.cgroups?.strayLeaves() ?? []
        for leaf in leaves { SmallFiles.write("1", to: "\(leaf)/cgroup.kill") }
        var rounds = 0
        var killed = 0
        // Every round kills what has been forked since the last; a tenth of a second is enough for any but D state.
        while rounds < 500 {
            leaves = leaves.filter { leaf in
                CgroupLeaf.removeTree(leaf)
                return access(leaf, F_OK) == 0
            }
            let found = ProcessTable.kill(marked: [self.childEnvironment.instanceMarker])
            killed += found
            if found == 0 && leaves.isEmpty { break }
            rounds += 1
            do { try await LoopClock.sleep(for: .milliseconds(10)) } catch { break }
        }
        if killed > 0 { self.logger.warning("killed \(killed) processes that an earlier host left") }
        for leaf in leaves { self.logger.error("\(leaf) cannot be removed: something in it does not die") }
        self.lookForStrays()
    }

    private func removeOldScratch() {
        for name in SmallFiles.entries(self.scratchRoot) {
            ScratchDirectory(path: "\(self.scratchRoot)/\(name)").remove()
        }
    }
}

extension Attempt {
    /// Looks at the tree's memory once a second, for people, and ends it when it is over its limit: a limit of address
    /// space per process does not see what a tree of them uses together.
    func sampleMemory() {
        guard let pid = self.pid, self.isStarted, !self.hasEnded, self.child.exit == nil else { return }
        let bytes: UInt64
        if let leaf = self.leaf {
            bytes =
                self.supervisor.hasMemoryController
                ? leaf.residentBytes ?? 0
                : leaf.processes.prefix(256).reduce(0) { $0 + (ProcessTable.residentBytes($1) ?? 0) }
        } else {
            bytes = ProcessTable.residentBytes(pid) ?? 0
        }
        self.residentBytes = bytes
        if self.spec.limits.memoryBytes > 0, bytes > UInt64(self.spec.limits.memoryBytes) {
            self.logger.warning("the tree uses \(bytes) bytes; it is killed")
            self.kill(.memory)
        }
    }
}
