internal import JobCore
internal import UVLoop

extension Attempt {
    /// Gets a child, made or kept, and gives it the run. Has done nothing when it throws.
    func launch() throws(DispatchError) {
        let pool = self.supervisor.pool
        self.mode = self.zygote.mode(for: self.spec.execution.mode)
        switch self.mode {
        case .fork, .spawn: try self.order(nil)
        case .spare:
            let make = ChildMake(self.spec, .spare)
            let found = pool.take(make)
            if let found { self.take(found) } else { try self.order(nil) }
            pool.refill(make, for: self, missed: found == nil)
        case .pool:
            let make = ChildMake(self.spec, .pooled)
            if let found = pool.take(make) { self.take(found) } else { try self.order(make) }
        }
    }

    /// Orders a child of its own, one that will come back where there is a make.
    private func order(_ make: ChildMake?) throws(DispatchError) {
        let child = RunChild(
            zygote: self.zygote, supervisor: self.supervisor, limits: self.spec.limits)
        child.attempt = self
        if let make { self.supervisor.pool.adopt(child, make) }
        var order = RunChild.Order(self.spec, isPooled: make != nil)
        let environment = self.supervisor.childEnvironment
        if make == nil { order.environment = { environment.of(self, $0) } }
        do throws(LoopError) {
            try child.order(order) {
                self.process = child
                self.launched = .now
                child.begin(self.spec, environment: make == nil ? [] : environment.over(self.spec))
            }
        } catch {
            self.process = nil
            self.launched = nil
            child.attempt = nil
            child.abandon()
            // Those that wait have what is missing.
            self.supervisor.pool.dismissAll()
            throw .resources("\(error)")
        }
        self.rememberOOMKills()
    }

    /// Takes a child that is there and listens.
    private func take(_ child: RunChild) {
        child.attempt = self
        self.zygote = child.zygote
        self.process = child
        self.launched = .now
        _ = self.child.spawned()
        _ = self.child.up()
        self.rememberOOMKills()
        child.begin(self.spec, environment: self.supervisor.childEnvironment.over(self.spec))
    }

    private func rememberOOMKills() {
        if self.supervisor.hasMemoryController { self.ledger.oomKillsBefore = self.leaf?.oomKills ?? 0 }
    }

    /// As above, for an attempt that was accepted before.
    func launchNow() {
        guard !self.hasEnded else { return }
        do { try self.launch() } catch { self.endUnstarted("\(error)") }
    }

    /// Nothing of it runs: straight to the report.
    func endUnstarted(_ why: String?, cause: StopCause? = nil) {
        guard !self.hasEnded else { return }
        if let cause { _ = self.ladder.cancelRequested(cause: cause, at: self.now) }
        self.zygote.dequeue(self)
        self.spawnFailure = why
        self.report()
    }
}
