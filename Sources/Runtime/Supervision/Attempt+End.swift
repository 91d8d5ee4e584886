internal import CLinux
internal import CWire
internal import Glibc
internal import JobCore
internal import Logging
internal import UVLoop

extension Attempt {
    // MARK: What the keeper says

    /// The child is there, and its descriptors are known.
    func keeperSpawned() {
        if case .fault(let why) = self.child.spawned() { self.logger.error("\(why)") }
        do throws(LoopError) { try self.process?.watchChannels() } catch {
            // Out of kernel memory. A child that nobody hears must not go on.
            self.logger.error("a child cannot be watched: \(error)")
            self.kill(.fault)
        }
        // Killed before it was there: its tree was empty then, and the zygote made it all the same.
        if self.ladder.steps.contains(where: { $0.name == "kill" }) { self.perform([.kill]) }
    }

    func keeperFailed(_ body: pawl_c_spawn_failed) {
        let stages = ["", "fork", "descriptors", "monitor", "refused", "load"]
        let stage = stages.indices.contains(Int(body.stage)) ? stages[Int(body.stage)] : "stage \(body.stage)"
        self.spawnFailure = "\(stage): \(String(cString: strerror(body.error)))"
        // Threads have appeared in it: nothing has been tried, and another zygote can.
        if body.stage == 4, body.error == EAGAIN, self.ladder.cause == nil { return self.goElsewhere() }
        if body.stage != 4, Self.shortageErrors.contains(body.error), self.shortages < Self.shortagesAtMost,
            self.ladder.cause == nil
        {
            return self.waitForRoom()
        }
        let order = self.child.couldNotSpawn()
        if self.child.spawnFailed { self.leavePlace(isEmpty: true) }
        self.conclude(order)
    }

    func keeperExited(_ body: pawl_c_exited) {
        guard !self.hasEnded else {
            // Too late for the report; the zombie still has to go.
            return self.tellKeeper(ControlOrder.plain(PAWL_C_REAP, slot: self.slot))
        }
        if self.pid == nil { self.pid = Int32(clamping: body.pid) }
        self.resources = body.resources
        // A pooled child counts what it used in all its runs.
        if let process { self.resources.subtract(process.usedBefore) }
        // Its last word may be that it could take another run.
        _ = self.process?.life?.unwanted()
        // Whatever it wrote before its death is in the socket now; a survivor may go on writing, hence the bound.
        self.drainData()
        self.noticeSandbox(body.processExit)
        if self.child.exited(body.processExit) == .sweep { return self.sweep() }
        // It was being swept already, and the order to reap came before there was anything to reap.
        if self.monitor >= 0 { self.tellKeeper(ControlOrder.plain(PAWL_C_REAP, slot: self.slot)) }
    }

    /// The zygote died. Nobody (or only a monitor, if there is one) will tell the leader's exit.
    func keeperLost() {
        guard !self.hasEnded, self.launched != nil else { return }
        if self.awaitsZygote { return self.sweepByEnvironment() }
        _ = self.process?.life?.unwanted()
        self.drainData()
        // A leader that has left its cgroup would not be found there.
        if self.leaf != nil, self.pidfd >= 0, self.child.exit == nil { linux_pidfd_send_signal(self.pidfd, SIGKILL) }
        if self.child.keeperLost() == .sweep { self.sweep() } else { self.lookAtTree() }
    }

    /// The monitor reaped the leader, and nothing of the tree is left.
    func keeperEmptied(_ body: pawl_c_empty) {
        guard self.monitor >= 0 else { return }
        self.survivorsKilled += Int(clamping: body.killed)
        self.takeLedger(of: body)
        if body.survivors > 0 {
            _ = self.child.keeperLost()
            return self.unkillable(Int(clamping: body.survivors))
        }
        self.treeIsEmpty()
    }

    /// The monitor died before it could prove anything. Its descendants have come to the zygote or to us.
    func monitorGone() {
        guard self.monitor >= 0 else { return }
        close(self.monitor)
        self.monitor = -1
        guard !self.hasEnded else { return }
        if self.pidfd >= 0, self.child.exit == nil { linux_pidfd_send_signal(self.pidfd, SIGKILL) }
        _ = self.process?.life?.unwanted()
        self.drainData()
        if self.child.keeperLost() == .sweep { _ = self.ladder.leaderExited(.unknown, at: self.now) }
        guard case .sweeping = self.child.life else { return }
        guard self.zygote.keeps(self.slot) else { return self.sweepByEnvironment() }
        // A living zygote kills what came to it, and says when it is gone. One that stands still is not waited for.
        self.awaitsZygote = true
        self.sweepTimer.start(after: .seconds(5)) { [weak self] in self?.sweepByEnvironment() }
    }

    /// The zygote has nothing of the slot any more.
    func zygoteEmptied() { if self.awaitsZygote { self.sweepByEnvironment() } }

    // MARK: Proving the tree empty

    /// The leader is gone. What it left is killed, in success as well.
    private func sweep() {
        if self.monitor >= 0 {
            self.perform(self.ladder.leaderExited(.unknown, at: self.now))
            self.tellKeeper(ControlOrder.plain(PAWL_C_REAP, slot: self.slot))
            return
        }
        // Before the order to reap: the zygote would kill survivors then, and the leaf would look clean.
        let isPopulated = self.leaf?.isPopulated ?? false
        if !isPopulated && !self.child.isKeeperLost {
            self.tellKeeper(ControlOrder.plain(PAWL_C_REAP, slot: self.slot))
        }
        guard let leaf = self.leaf, isPopulated else {
            _ = self.ladder.leaderExited(.empty, at: self.now)
            return self.treeIsEmpty()
        }
        // With a lost keeper the leader itself may be among them.
        self.survivorsKilled += leaf.processes.count { $0 != self.pid || self.child.exit != nil }
        self.perform(self.ladder.leaderExited(.populated, at: self.now))
        if !self.child.isKeeperLost { self.tellKeeper(ControlOrder.plain(PAWL_C_REAP, slot: self.slot)) }
        self.lookAtTree()
    }

    /// Has the tree become empty?
    func lookAtTree() {
        guard case .sweeping = self.child.life, let leaf = self.leaf, !leaf.isPopulated else { return }
        self.treeIsEmpty()
    }

    /// Without cgroup and monitor only the marker in their environment tells whose processes they are; what has dropped it
    /// has come to the zygote, or to us.
    private func sweepByEnvironment() {
        self.awaitsZygote = false
        self.sweepTimer.stop()
        var rounds = 0
        var emptyRounds = 0
        var seen: Set<Int32> = []
        func round() {
            var found = ProcessTable.kill(marked: [self.supervisor.marker(of: self)])
            found.formUnion(self.supervisor.killStrays())
            let killed = found.count
            self.survivorsKilled += found.subtracting(seen).count { $0 != self.pid }
            seen.formUnion(found)
            rounds += 1
            // What was killed in this round may have forked meanwhile, and a list of processes that is read while others end
            // may leave one out: two rounds in a row that find nothing are the proof we have.
            emptyRounds = killed == 0 ? emptyRounds + 1 : 0
            if emptyRounds == 2 { return self.treeIsEmpty() }
            // As long as a cgroup gets.
            if rounds > 400 { return self.unkillable(killed) }
            self.sweepTimer.start(after: .milliseconds(5)) { [weak self] in if self != nil { round() } }
        }
        round()
    }

    private func treeIsEmpty() {
        guard case .sweeping = self.child.life else { return }
        // To the end of its socket, which nobody holds open any more.
        if let process, !process.ahead.isEmpty { process.drainData() }
        self.ladder.treeEmptied(at: self.now)
        if let leaf = self.leaf { self.takeLedger(of: leaf) }
        self.leavePlace(isEmpty: true)
        self.conclude(self.child.emptied())
    }

    /// The time for the kill is over.
    func giveUp() {
        if case .sweeping = self.child.life { return self.unkillable(self.leaf?.processes.count ?? 1) }
        // The tree is dead, only its keeper does not say so; should it stand still, its missing answers end it.
        if let leaf = self.leaf, !leaf.isPopulated {
            if self.child.keeperLost() == .sweep { self.treeIsEmpty() }
            return
        }
        if self.monitor >= 0 {
            // Its end is a fact that comes back as `monitorGone`.
            guard self.monitorPidfd >= 0 else { return self.monitorGone() }
            linux_pidfd_send_signal(self.monitorPidfd, SIGKILL)
            return
        }
        if self.child.keeperLost() == .sweep { self.unkillable(self.leaf?.processes.count ?? 1) }
    }

    private func unkillable(_ count: Int) {
        guard case .sweeping = self.child.life else { return }
        self.isUnkillable = true
        self.logger.critical("\(count) processes of the attempt cannot be killed; their place is not used again")
        self.leavePlace(isEmpty: false)
        self.conclude(self.child.emptied())
    }

    // MARK: The report

    private func conclude(_ order: ChildStateMachine.Order) {
        switch order {
        case .redispatch: self.redispatch()
        case .report: self.report()
        case .nothing, .announceStart, .sweep, .fault: break
        }
    }

    /// Nothing that counts has happened: the same attempt gets another child.
    private func redispatch() {
        self.silentDeaths += 1
        self.drainOutput()
        self.say(.warning, "its process ended before the handler began (\(self.exitWords)); another one is started")
        self.forgetChild()
        self.child.redispatched()
        self.renew()
        if self.zygote.isReady { self.launchNow() } else { self.supervisor.requeue(self) }
    }

    private static let shortageErrors: Set<Int32> = [EAGAIN, ENOMEM, EMFILE, ENFILE]
    /// About 9 s of pauses; then the attempt is lost, and its run queued again.
    private static let shortagesAtMost = 9

    /// The machine has no room for a process, which passes. The attempt waits without a place; its time until the start
    /// goes on.
    private func waitForRoom() {
        self.say(.warning, "no process could be made for it (\(self.spawnFailure ?? "")); it is tried again")
        self.leavePlace(isEmpty: true)
        self.forgetChild()
        self.renew()
        let pause = Duration.milliseconds(min(50 << self.shortages, 2000))
        self.shortages += 1
        self.sweepTimer.start(after: pause) { [weak self] in
            guard let self, !self.hasEnded, self.launched == nil else { return }
            if self.zygote.isReady && !self.zygote.isRetired {
                self.launchNow()
            } else {
                self.supervisor.requeue(self)
            }
        }
        self.armTimer()
    }

    /// The zygote cannot fork any more.
    private func goElsewhere() {
        self.leavePlace(isEmpty: true)
        self.forgetChild()
        self.renew()
        guard !self.zygote.isRetired else { return self.endUnstarted("its plugin version was retired") }
        self.zygote.wasDemoted()
        self.zygote = self.supervisor.spawnZygote(for: self.zygote)
        if self.zygote.isReady { self.launchNow() } else { self.supervisor.requeue(self) }
    }

    /// As before its dispatch, but for what is known of it and what has been said.
    private func renew() {
        self.ladder = self.newLadder()
        self.result = ResultAssembler()
        self.launched = nil
        self.owedCredit = 0
        self.spawnFailure = nil
        self.crash = nil
        self.ledger = AttemptLedger()
    }

    private var exitWords: String {
        switch self.child.exit {
        case nil: self.spawnFailure ?? "no status"
        case .code(let code): "exit code \(code)"
        case .signal(let signal): OutcomeClassifier.signalName(signal)
        }
    }

    /// Lets go of everything of the present child.
    private func forgetChild() {
        self.timer.stop()
        self.sweepTimer.stop()
        self.awaitsZygote = false
        guard let process else { return }
        self.process = nil
        process.loseAhead()
        if case .waiting = process.life?.state, case .alive = self.child.life {
            process.attempt = nil
            // Nobody else would: what this run could not tell the observer has just been read.
            process.resume()
            return self.supervisor.pool.giveBack(process)
        }
        process.forget(isKeeperLost: self.child.isKeeperLost)
    }

    /// `hasPassedOn`: its child has gone on with another attempt, whose it is now.
    func report(hasPassedOn: Bool = false) {
        guard !self.hasEnded else { return }
        if self.isFarewell {
            self.hasEnded = true
            self.forgetChild()
            return self.supervisor.buried(self)
        }
        if self.ladder.thawed(at: self.now) { self.letGoOn() }
        if hasPassedOn {
            self.finishOutput()
        } else {
            self.drainOutput()
            self.readCrash()
            self.auditScratch()
        }
        if let leaf = self.leaf { self.takeLedger(of: leaf) }
        self.resources = self.ledger.total(self.resources)
        if self.child.stage < .started, self.launched != nil { self.silentDeaths += 1 }
        var classifier = OutcomeClassifier()
        classifier.ending = self.ending
        classifier.cause = self.ladder.cause
        classifier.wasForced = self.ladder.isForced
        classifier.hasStarted = self.isStarted
        // What ended the leader after its keeper had died was the host's own kill.
        classifier.exit = self.child.isKeeperLost ? nil : self.child.exit
        classifier.crash = self.crash
        classifier.cpuUsed = self.resources.userCPU + self.resources.systemCPU
        classifier.cpuLimit = self.spec.limits.cpu
        classifier.memoryLimit = self.spec.limits.memoryBytes
        classifier.memory = self.memoryEvidence
        classifier.processLimit = self.spec.limits.processes
        classifier.outputLimit = self.spec.limits.outputBytes
        classifier.spawnFailure = self.spawnFailure
        classifier.sandboxFault = self.sandboxFault
        classifier.violation = SandboxRequest.violation(self.crash)
        classifier.protocolFault = self.protocolFault
        classifier.silentDeaths = self.silentDeaths
        let verdict = classifier.verdict
        let report = self.report(verdict)
        self.hasEnded = true
        if hasPassedOn {
            self.timer.stop()
            self.process = nil
        } else {
            self.forgetChild()
        }
        self.supervisor.ended(self, report)
    }

    private func report(_ verdict: OutcomeClassifier.Verdict) -> AttemptReport {
        var exitCode: Int32?
        var signal: Int32?
        switch self.child.exit {
        case .code(let code): exitCode = code
        case .signal(let number): signal = number
        case nil: break
        }
        var result = RunResult.none
        var said: AttemptError?
        var snoozeUntil: WallTime?
        switch self.ending {
        case .result(let value): result = value
        case .failure(let error, _): said = error
        case .snooze(let until): snoozeUntil = until
        case nil: break
        }
        var sentence = verdict.sentence
        if self.isUnkillable { sentence += " Some of its processes cannot be killed." }
        if self.survivorsKilled > 0 && verdict.outcome == .succeeded {
            let processes = self.survivorsKilled == 1 ? "one process" : "\(self.survivorsKilled) processes"
            sentence += " It left \(processes) behind, which the host killed."
        }
        var report = AttemptReport(
            runID: self.spec.runID, attempt: self.spec.attempt, outcome: verdict.outcome, reason: verdict.reason,
            started: self.startedAt, ended: .now, exitCode: exitCode, signal: signal, result: result,
            error: verdict.error(said: said), snoozeUntil: snoozeUntil, resources: self.resources, crash: self.crash,
            ladder: self.ladder.steps,
            progress: self.progress, outputHead: self.kept.head, outputTail: self.kept.tail,
            droppedLogLines: self.droppedLogLines, droppedOutputBytes: self.droppedOutputBytes,
            survivorsKilled: self.survivorsKilled, pid: self.pid, version: self.spec.version, sentence: sentence)
        report.mode = self.mode
        report.leaks = self.leaks
        report.leaks.processes = max(report.leaks.processes, self.survivorsKilled)
        report.samples = self.ledger.samples.all
        report.diagnosis = self.diagnosis
        if verdict.outcome == .succeeded { report.followUps = self.followUps }
        if verdict.outcome != .succeeded { report.lastLines = self.lastLines }
        return report
    }

    /// Before it is emptied.
    func auditScratch() {
        guard let scratch = self.scratch, self.leaks.scratchFiles == 0 else { return }
        (self.leaks.scratchFiles, self.leaks.scratchBytes) = self.supervisor.scratch.audit(scratch)
    }

    /// There is a record only after a fatal signal.
    private func readCrash() {
        // A pooled child that lives has not crashed.
        if case .alive = self.child.life { return }
        guard self.crashPipe >= 0, self.child.exit != .code(0) else { return }
        let buffer = self.supervisor.readBuffer
        let length = read(self.crashPipe, buffer.baseAddress, buffer.count)
        guard length > 0 else { return }
        let bytes = UnsafeRawBufferPointer(rebasing: buffer[..<length])
        guard var record = CrashInfo(record: bytes) else { return }
        // A call of exit() may crash on its way: that comes behind the note of the call.
        if record.signal == 0, let later = CrashInfo(recordAfterNote: bytes) { record = later }
        if record.signal != 0 {
            self.crash = record
        } else {
            // It called exit().
            self.ledger.exitError = record.error
            self.ledger.largestAddressSpace = max(self.ledger.largestAddressSpace, record.addressSpaceBytes)
        }
    }
}
