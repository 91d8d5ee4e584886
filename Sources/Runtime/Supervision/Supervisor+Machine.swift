internal import CLinux
internal import Glibc
internal import JobCore
internal import Logging
internal import UVLoop

extension Supervisor {
    /// Probes the machine, chooses the profile, and clears what a predecessor left.
    func prepareMachine() async throws(SupervisionError) {
        let error = SmallFiles.makeDirectories(self.scratch.parent, mode: 0o711)
        guard error == 0 else {
            throw SupervisionError("cannot make \(self.scratch.parent): \(String(cString: strerror(error)))")
        }
        var notes: [String] = []
        let subreaper = linux_set_subreaper(true)
        if subreaper != 0 { notes.append("orphans go to init: errno \(-subreaper)") }
        self.raiseDescriptorLimit(&notes)
        try self.findCgroups(&notes)
        let features = try await self.probe(&notes)
        try self.checkCgroups(features, &notes)
        self.capabilities = Capabilities(
            profile: self.cgroups == nil ? .none : .cgroup, cgroupRoot: self.cgroups?.path,
            controllers: self.cgroups?.controllers ?? [], features: features, notes: notes)
        await self.killLeftovers()
        self.scratch.clear()
    }

    /// An attempt needs about ten descriptors here; the usual soft limit of 1024 would end at a hundred attempts.
    private func raiseDescriptorLimit(_ notes: inout [String]) {
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        var limit = rlimit()
        guard getrlimit(resource, &limit) == 0 else { return }
        limit.rlim_cur = limit.rlim_max
        setrlimit(resource, &limit)
        let needed = rlim_t(self.configuration.slots * 10 + 200)
        if limit.rlim_max < needed {
            notes.append(
                "\(limit.rlim_max) open files are allowed; \(self.configuration.slots) slots may need \(needed)")
        }
    }

    private func findCgroups(_ notes: inout [String]) throws(SupervisionError) {
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

    /// A directory is not enough: a child must be born in it, and killed with it.
    private func checkCgroups(_ features: [String: Bool], _ notes: inout [String]) throws(SupervisionError) {
        guard let root = self.cgroups, features["into_cgroup"] != true || features["cgroup_kill"] != true else {
            return
        }
        let problem = "children cannot be born into or killed by \(root.path)"
        if self.configuration.profile == .cgroup { throw SupervisionError(problem) }
        notes.append("\(problem); every attempt gets a monitor process instead")
        root.remove()
        self.cgroups = nil
    }

    /// Asks `pawl-zygote --probe`, which tries things out in a process that may fail.
    private func probe(_ notes: inout [String]) async throws(SupervisionError) -> [String: Bool] {
        let path = self.configuration.zygotePath
        let arguments = ["--probe"] + (self.cgroups.map { [$0.path] } ?? [])
        let output: ChildProcess.Output
        do {
            output = try await ChildProcess.run(.init(executable: path, arguments: arguments), timeout: .seconds(10))
        } catch { throw SupervisionError("cannot run \(path): \(error)") }
        guard output.status.isSuccess else {
            let words = output.stderr.withUnsafeBytes { String(repairing: $0) }
            throw SupervisionError("\(path) --probe: \(output.status) \(words)")
        }
        let text = output.stdout.withUnsafeBytes { String(repairing: $0) }
        let value: JSONValue
        do { value = try JSONValue(parsing: text) } catch {
            throw SupervisionError("\(path) --probe printed no JSON: \(error)")
        }
        guard case .object(let members) = value else { throw SupervisionError("\(path) --probe printed no object") }
        var features: [String: Bool] = [:]
        for member in members {
            if case .boolean(let isThere) = member.value { features[member.key] = isThere }
        }
        if case .object(let reasons)? = value["why"] {
            // Without a cgroup directory there was nothing to try out.
            let moot = self.cgroups == nil ? ["cgroup_writable", "into_cgroup", "cgroup_kill"] : []
            notes += reasons.filter { !moot.contains($0.key) }.map { "\($0.key): \($0.value.text ?? "")" }
        }
        return features
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
            killed += found.count
            if found.isEmpty && leaves.isEmpty { break }
            rounds += 1
            do { try await LoopClock.sleep(for: .milliseconds(10)) } catch { break }
        }
        if killed > 0 { self.logger.warning("killed \(killed) processes that an earlier host left") }
        for leaf in leaves { self.logger.error("\(leaf) cannot be removed: something in it does not die") }
        self.lookForStrays()
    }
}
