internal import CLinux
internal import CWire
internal import Glibc
internal import JobCore
internal import UVLoop

/// Where a child lives: its descriptors, its cgroup or its monitor's socket, its scratch directory and its user.
extension RunChild {
    /// What a child is made after.
    struct Order {
        var runID: UInt64 = 0
        var attempt = 0
        var limits: ResolvedLimits
        var execution: ResolvedExecution
        /// Nil: what all children of the host have; the rest comes with RUN.
        var environment: ((RunChild) -> [UInt8])?
        var isPooled: Bool
        /// No run will come.
        var isTrial = false

        /// For a child that only has to come up.
        init(trialWith limits: ResolvedLimits) {
            self.limits = limits
            self.execution = ExecutionSettings().resolved
            self.isPooled = false
            self.isTrial = true
        }

        /// For a child without an attempt.
        init(make: ChildMake, limits: ResolvedLimits) {
            self.limits = limits
            self.execution = make.execution
            self.isPooled = make.kind == .pooled
        }

        init(_ spec: AttemptSpec, isPooled: Bool) {
            self.runID = UInt64(bitPattern: spec.runID.rawValue)
            self.attempt = spec.attempt
            self.limits = spec.limits
            self.execution = spec.execution
            self.isPooled = isPooled
            // The kernel cannot forget what earlier runs used: its limit comes with each.
            if isPooled { self.limits.cpu = nil }
        }
    }

    /// Makes everything that the child needs here, and orders it. After a failure `abandon` takes everything back.
    ///
    /// `prepared` is called before the child is ordered, so that its first frames are there when it looks.
    func order(_ order: Order, prepared: () -> Void = {}) throws(LoopError) {
        var theirs: [Int32] = []
        do throws(LoopError) {
            try self.openChannels(&theirs)
            try self.takePlace(order.limits, &theirs)
        } catch {
            ControlChannel.close(theirs)
            throw error
        }
        self.scratch = self.supervisor.scratch.take()
        let sandbox: [UInt8]
        do throws(LoopError) { sandbox = try self.takeSandbox(order.execution) } catch {
            ControlChannel.close(theirs)
            throw error
        }
        self.supervisor.watch(self)
        prepared()
        let configuration = self.supervisor.configuration
        var flags = self.leaf == nil ? PAWL_SPAWN_HAS_MONITOR : PAWL_SPAWN_HAS_CGROUP
        if order.isPooled { flags |= PAWL_SPAWN_POOLED }
        if order.isTrial { flags |= PAWL_SPAWN_TRIAL }
        let message = ControlOrder.spawn(
            order, slot: self.slot, flags: flags, niceness: order.execution.niceness ?? configuration.niceness,
            environment: order.environment?(self) ?? self.supervisor.childEnvironment.ofWaiting(self),
            directory: Array((self.scratch?.path ?? "").utf8), sandbox: sandbox)
        guard message.count <= Int(PAWL_CONTROL_MAX) else {
            ControlChannel.close(theirs)
            throw LoopError(E2BIG, "order a child with so long an environment or so long paths")
        }
        self.zygote.spawn(self, message, fds: theirs, lent: self.leaf?.directory)
    }

    /// Nothing of it was ever started.
    func abandon() {
        self.supervisor.unwatch(self)
        self.closeAll()
        self.leavePlace(isEmpty: true)
        self.leaveScratch()
    }

    private func openChannels(_ theirs: inout [Int32]) throws(LoopError) {
        var ends: [Int32] = [-1, -1]
        guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &ends) == 0 else {
            throw .last("make a data socket")
        }
        self.data = ends[0]
        theirs.append(ends[1])
        self.stdout = try Self.pipe(&theirs)
        self.stderr = try Self.pipe(&theirs)
        self.crashPipe = try Self.pipe(&theirs)
    }

    /// Returns the reading end; the writing one goes to `theirs`.
    private static func pipe(_ theirs: inout [Int32]) throws(LoopError) -> Int32 {
        var ends: [Int32] = [-1, -1]
        let result = linux_pipe(&ends, true)
        guard result == 0 else { throw LoopError(result, "make a pipe") }
        theirs.append(ends[1])
        return ends[0]
    }

    /// Its cgroup or its monitor's socket.
    private func takePlace(_ limits: ResolvedLimits, _ theirs: inout [Int32]) throws(LoopError) {
        if let root = self.supervisor.cgroups {
            do {
                let leaf = try root.take()
                leaf.limit(limits, controllers: root.controllers)
                self.leaf = leaf
            } catch { throw LoopError(EAGAIN, error.description) }
            return
        }
        var ends: [Int32] = [-1, -1]
        let result = linux_seqpacket_pair(&ends)
        guard result == 0 else { throw LoopError(result, "make a monitor's socket") }
        self.monitor = ends[0]
        theirs.append(ends[1])
        try self.supervisor.readiness.add(self.monitor, .readable, token: self.token(.monitor))
    }

    /// `isEmpty`: nothing was ever in it, or it is proven to be empty.
    func leavePlace(isEmpty: Bool) {
        guard let leaf = self.leaf else { return }
        self.leaf = nil
        leaf.stopWatching()
        if isEmpty { self.zygote.park(leaf, slot: self.slot) } else { self.supervisor.quarantine(leaf) }
    }

    func leaveScratch() {
        self.leaveSandbox()
        guard let scratch = self.scratch else { return }
        self.scratch = nil
        self.supervisor.scratch.giveBack(scratch)
    }

    func closeAll() {
        for fd in [self.data, self.stdout, self.stderr, self.crashPipe, self.monitor, self.pidfd, self.monitorPidfd]
        where fd >= 0 {
            close(fd)
        }
        self.data = -1
        self.stdout = -1
        self.stderr = -1
        self.crashPipe = -1
        self.monitor = -1
        self.pidfd = -1
        self.monitorPidfd = -1
        self.isWatched = false
        self.unsent = []
    }
}
