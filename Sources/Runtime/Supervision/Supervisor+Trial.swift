internal import JobCore
internal import UVLoop

/// The first child of a version, which gets no run: that it comes up shows that others will.
extension Supervisor {
    /// Makes a child of a loaded version, lets it do all that comes before a handler (`child_start` included), and ends it.
    /// - Throws: it crashed, ended, or was not done in time.
    package func tryOut(_ sha256: String, timeout: Duration = .seconds(10)) async throws(PluginRefusal) {
        guard self.phase == .running, let zygote = self.zygotes[sha256], zygote.isReady else {
            throw PluginRefusal(reason: .unavailable, message: "it is not loaded")
        }
        let limits = Limits().resolved
        let child = RunChild(zygote: zygote, supervisor: self, limits: limits)
        let timer = LoopTimer()
        let result: Result<Void, PluginRefusal> = await withCheckedContinuation { continuation in
            child.trial = { continuation.resume(returning: $0) }
            do throws(LoopError) { try child.order(.init(trialWith: limits)) } catch {
                child.abandon()
                return child.tried(
                    .failure(PluginRefusal(reason: .unavailable, message: "no process can be made: \(error)")))
            }
            timer.start(after: timeout) {
                child.tried(
                    .failure(PluginRefusal(reason: .timedOut, message: "its first process did not come up in time")))
                guard !child.isForgotten else { return }
                self.bury(child).kill(.fault)
            }
        }
        timer.stop()
        if case .success = result, !child.isForgotten { self.bury(child).sayBye() }
        try result.get()
    }
}
