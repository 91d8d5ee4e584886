internal import JobCore
internal import Supervision

/// What people see of a plugin.
extension PluginEntry {
    var status: PluginStatus {
        PluginStatus(
            file: self.file, kind: self.kind, name: self.active?.manifest?.name ?? self.title,
            version: self.active?.manifest?.version, sha256: self.active?.sha256 ?? self.machine.candidate.hash,
            state: self.state, error: self.machine.rejection, handlers: self.active?.manifest?.handlers ?? [],
            loadedAt: self.active?.loadedAt, notes: (self.active?.notes ?? []) + self.oldEndingNotes)
    }

    /// What serves comes first: a broken newer file shows as the error of an active plugin.
    private var state: PluginStatus.State {
        if self.machine.isDisabled { return .disabled }
        if self.machine.active != nil { return self.machine.isCrashLooping ? .crashLoop : .active }
        switch self.machine.candidate {
        case .verifying: return .verifying
        case .warming, .asking: return .warming
        case .none: break
        }
        if self.machine.held != nil { return .held }
        if self.machine.rejection != nil { return .rejected }
        if self.machine.isRemoved { return self.machine.draining.isEmpty ? .retired : .draining }
        return .staged
    }

    var report: PluginReport {
        PluginReport(
            name: self.title, file: self.hasFile ? self.file : nil, kind: self.kind, state: self.state,
            error: self.machine.rejection, isDisabled: self.machine.isDisabled, active: self.machine.active,
            previous: self.machine.previous, canary: self.canaryReport,
            held: self.machine.held.map {
                HeldReport(sha256: $0, problems: self.held.problems, words: self.held.words)
            }, versions: self.order.reversed().compactMap { self.versions[$0].map(self.report) })
    }

    private var canaryReport: CanaryReport? {
        guard let trial, trial.sha256 == self.machine.canary else { return nil }
        let machine = trial.machine
        return CanaryReport(
            sha256: trial.sha256, policy: machine.policy, deadline: trial.beganAt.advanced(by: machine.policy.limit),
            started: machine.started, ended: machine.ended, failed: machine.failed, crashed: machine.crashed)
    }

    private func report(_ version: PluginVersion) -> PluginVersionReport {
        PluginVersionReport(
            sha256: version.sha256, label: version.manifest?.version, state: self.state(of: version),
            problem: version.problem, bytes: version.image.bytes, signedBy: version.image.signedBy,
            loadedAt: version.loadedAt, steps: version.steps, manifest: version.manifest, started: version.started,
            ended: version.ended, failed: version.failed, crashed: version.crashed, notes: version.notes,
            declarations: version.declarations)
    }

    private func state(of version: PluginVersion) -> VersionState {
        let hash = version.sha256
        if hash == self.machine.active { return self.machine.isCrashLooping ? .crashLoop : .active }
        if hash == self.machine.canary { return .canary }
        if hash == self.machine.held { return .held }
        if hash == self.machine.candidate.hash { return .warming }
        if version.rest == .retired, self.machine.draining.contains(hash), version.started > version.ended {
            return .draining
        }
        return version.rest
    }
}
