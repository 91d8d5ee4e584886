internal import CLinux
internal import CWire
internal import Glibc
internal import JobCore
internal import Logging
internal import UVLoop

extension Attempt {
    typealias Channel = RunChild.Channel

    /// One of its descriptors is ready.
    func ready(_ channel: Channel, _ events: ReadinessSet.Events) {
        switch channel {
        case .data:
            if events.contains(.writable) { self.process?.flush() }
            if !events.isDisjoint(with: [.readable, .hangUp]) { self.readData() }
        case .stdout, .stderr:
            // The credit for log lines and the pipes stop together.
            guard self.acceptsLogs else { return self.pause() }
            self.readOutput(channel)
        case .monitor: break
        }
    }

    // MARK: Frames

    /// One read of at most 64 KiB; what is left makes the descriptor ready again. False: nothing (more) to read.
    @discardableResult
    func readData() -> Bool {
        guard let process, self.data >= 0 else { return false }
        let buffer = self.supervisor.readBuffer
        let length = recv(self.data, buffer.baseAddress, buffer.count, Int32(MSG_DONTWAIT))
        if length < 0 && (errno == EAGAIN || errno == EINTR) { return false }
        guard length > 0 else {
            process.aheadState.heard(toTheEnd: length == 0)
            // The child's end is closed; how it ended comes from its keeper.
            self.closeData()
            return false
        }
        process.isReading = true
        defer { process.isReading = false }
        do throws(WireFault) {
            try process.parser.consume(UnsafeRawBufferPointer(rebasing: buffer[..<length])) {
                (header, payload) throws(WireFault) in
                try process.attempt?.hear(header, payload)
            }
        } catch {
            let present = process.attempt ?? self
            present.deliverLines()
            present.broke(error.description)
            return false
        }
        // Its child may have gone on with another one meanwhile.
        guard let present = process.attempt else { return false }
        present.deliverLines()
        if let audit = present.audit {
            present.audit = nil
            present.childWaits(audit)
            return false
        }
        if !present.wishes.isEmpty {
            process.isReading = false
            present.heedWishes()
        }
        present.giveCredit()
        return process.data >= 0
    }

    private func hear(_ header: FrameParser.Header, _ payload: UnsafeRawBufferPointer) throws(WireFault) {
        guard header.runID == self.spec.wireID || self.isFarewell else {
            // It is being killed, and has gone on before it died.
            guard let process, self.ladder.isForced, process.has(header.runID) else {
                throw WireFault("a frame of another run")
            }
            process.aheadState.ignored()
            return
        }
        try self.handle(try ChildMessage(header, payload), size: payload.count)
        guard let audit = self.audit, !self.ladder.isForced, self.process?.goesOn(after: audit) ?? false else { return }
        self.audit = nil
        try self.passOn(audit)
    }

    /// What is in the socket now; a survivor may go on writing, hence the bound.
    func drainData() {
        for _ in 0..<16 { if !self.readData() { break } }
    }

    /// Together, as many as one read brought, and the newest progress.
    private func deliverLines() {
        if !self.collected.isEmpty || self.newProgress != nil { self.ladder.progressed(at: self.now) }
        self.deliverCollected()
        guard let progress = self.newProgress else { return }
        self.newProgress = nil
        self.supervisor.observer?.attemptProgressed(self.spec.runID, self.spec.attempt, progress: progress)
    }

    private func deliverCollected() {
        if self.collected.isEmpty { return }
        let lines = self.collected
        self.collected.removeAll(keepingCapacity: true)
        self.logged(lines)
    }

    private func closeData() {
        if self.data >= 0 { close(self.data) }
        self.data = -1
        self.process?.unsent = []
    }

    /// It is not understood any more: nothing further is read, and it is killed.
    private func broke(_ why: String) {
        if self.protocolFault == nil { self.protocolFault = why }
        self.logger.warning("the child broke the protocol: \(why)")
        self.closeData()
        self.kill(.fault)
    }

    private func handle(_ message: ChildMessage, size: Int) throws(WireFault) {
        switch message {
        case .up:
            try self.obey(self.child.up())
            // RUN, which it reads now, renews its credit.
            self.owedCredit = 0
        case .started(let at):
            self.startedAt = at
            try self.obey(self.child.started())
        case .log(let line):
            self.owedCredit &+= UInt32(size)
            guard self.owedCredit <= PAWL_CREDIT_DEFAULT else { throw WireFault("log lines beyond its credit") }
            self.collected.append(line)
        case .progress(let progress):
            // One read may bring hundreds: the observer gets the last of them.
            self.progress = progress
            self.newProgress = progress
        case .resultPiece(let bytes, let hasMore):
            if let result = try self.result.take(bytes, hasMore: hasMore) { try self.finish(.result(result)) }
        case .failure(let error, let status): try self.finish(.failure(error, status: status))
        case .snooze(let until): try self.finish(.snooze(until))
        case .followUp(let wanted): try self.take(wanted, size: size)
        case .idle(let body):
            // Acted on when everything read is worked off: it may be the last that this attempt hears.
            guard self.child.stage == .finished, self.audit == nil else { throw WireFault("IDLE within a run") }
            self.audit = body
        case .dropped(let lines): self.droppedLogLines = max(self.droppedLogLines, lines)
        case .position(let position): self.position = position
        case .pong, .unknown: break
        }
    }

    /// The child keeps to the bounds, but its memory is the handler's to break.
    private func take(_ wanted: FollowUp, size: Int) throws(WireFault) {
        guard self.child.stage == .started else { throw WireFault("a follow-up run outside of a run") }
        self.followUpBytes += size
        guard self.followUps.count < Self.followUpLimit, self.followUpBytes <= Self.followUpBytesLimit else {
            throw WireFault("more follow-up runs than an attempt may ask for")
        }
        self.followUps.append(wanted)
    }

    /// As pawl.h has them.
    private static let followUpLimit = Int(PAWL_WIRE_FOLLOW_UPS_MAX)
    private static let followUpBytesLimit =
        // Absent args are sent as {}, which the child does not count.
        Int(PAWL_WIRE_FOLLOW_UP_BYTES_MAX) + followUpLimit * (MemoryLayout<pawl_f_follow_up>.size + 2)

    private func finish(_ ending: AttemptEnding) throws(WireFault) {
        try self.obey(self.child.finished())
        // Whoever hears the end has heard everything before it.
        self.deliverLines()
        self.finishedAt = .now
        self.ending = ending
    }

    private func obey(_ order: ChildStateMachine.Order) throws(WireFault) {
        switch order {
        case .announceStart: self.announceStart()
        case .fault(let why): throw WireFault(why)
        case .nothing: break
        case .sweep, .redispatch, .report: preconditionFailure("a frame ends no process")
        }
    }

    private func announceStart() {
        self.startedInstant = .now
        self.process?.aheadState.started()
        self.ladder.started(deadline: self.now + self.spec.limits.wall, at: self.now)
        self.armTimer()
        self.supervisor.observer?.attemptStarted(
            self.spec.runID, self.spec.attempt, at: self.startedAt ?? .now, pid: self.pid)
    }

    /// In larger pieces, so that a chatty child costs one frame per 64 KiB.
    func giveCredit() {
        guard self.owedCredit >= 64 << 10, self.data >= 0 else { return }
        guard self.acceptsLogs else { return self.pause() }
        if let process { process.write(process.frames.credit(self.spec.wireID, self.owedCredit)) }
        self.owedCredit = 0
    }

    // MARK: stdout and stderr

    /// False: nothing (more) to read.
    @discardableResult
    func readOutput(_ channel: Channel) -> Bool {
        let fd = channel == .stdout ? self.stdout : self.stderr
        guard fd >= 0 else { return false }
        let buffer = self.supervisor.readBuffer
        let length = read(fd, buffer.baseAddress, buffer.count)
        if length < 0 && (errno == EAGAIN || errno == EINTR) { return false }
        guard length > 0 else {
            close(fd)
            if channel == .stdout { self.stdout = -1 } else { self.stderr = -1 }
            return false
        }
        self.took(UnsafeRawBufferPointer(rebasing: buffer[..<length]), channel)
        return true
    }

    private func took(_ bytes: UnsafeRawBufferPointer, _ channel: Channel) {
        let room = max(0, self.spec.limits.outputBytes - self.outputBytes)
        let taken = Int(min(room, Int64(bytes.count)))
        self.kept.append(bytes)
        self.outputBytes += Int64(taken)
        self.ladder.progressed(at: self.now)
        if taken > 0 { self.split(UnsafeRawBufferPointer(rebasing: bytes[..<taken]), channel) }
        if taken < bytes.count {
            let isFirst = self.droppedOutputBytes == 0
            self.droppedOutputBytes += UInt64(bytes.count - taken)
            if isFirst { self.outputIsOver() }
        }
    }

    private func outputIsOver() {
        let limit = self.spec.limits.outputBytes
        guard self.spec.execution.outputPolicy == .kill, !self.isFarewell else {
            return self.say(.warning, "output is over the limit of \(limit) bytes; the rest is dropped")
        }
        self.say(.error, "output is over the limit of \(limit) bytes; it is killed")
        self.kill(.output)
    }

    private func split(_ bytes: UnsafeRawBufferPointer, _ channel: Channel) {
        var lines: [LogLine] = []
        let collect = self.collector(channel)
        if channel == .stdout {
            self.stdoutLines.consume(bytes) { lines.append(collect($0)) }
        } else {
            self.stderrLines.consume(bytes) { lines.append(collect($0)) }
        }
        self.logged(lines)
    }

    private func collector(_ channel: Channel) -> (String) -> LogLine {
        let stream: LogStream = channel == .stdout ? .stdout : .stderr
        let level: LogLevel = channel == .stdout ? .info : .warning
        let (time, stage) = (WallTime.now, self.progress.stage)
        return { LogLine(time: time, level: level, stream: stream, stage: stage, message: $0) }
    }

    /// Kept for the crash report.
    private static let lastLineCount = 20

    private func logged(_ lines: [LogLine]) {
        if lines.isEmpty || self.isFarewell { return }
        self.lastLines.append(contentsOf: lines.suffix(Self.lastLineCount))
        if self.lastLines.count > Self.lastLineCount {
            self.lastLines.removeFirst(self.lastLines.count - Self.lastLineCount)
        }
        self.supervisor.observer?.attemptLogged(self.spec.runID, self.spec.attempt, lines: lines)
    }

    /// The host's own words in the run's log.
    func say(_ level: LogLevel, _ message: String) {
        self.logged([
            LogLine(time: .now, level: level, stream: .host, stage: self.progress.stage, message: message)
        ])
    }

    /// The last lines, where what is in the pipes now is not of this run.
    func finishOutput() {
        var lines: [LogLine] = []
        let (out, err) = (self.collector(.stdout), self.collector(.stderr))
        self.stdoutLines.finish { lines.append(out($0)) }
        self.stderrLines.finish { lines.append(err($0)) }
        self.logged(lines)
    }

    /// Everything that is in the pipes now; their end is not waited for, which a survivor may hold open. Bounded, should
    /// somebody unkillable go on writing.
    func drainOutput() {
        for channel in [Channel.stdout, .stderr] {
            for _ in 0..<16 { if !self.readOutput(channel) { break } }
        }
        self.finishOutput()
    }

    // MARK: Backpressure

    var acceptsLogs: Bool {
        self.supervisor.observer?.acceptsLogs(of: self.spec.runID, attempt: self.spec.attempt) ?? true
    }

    /// The observer is full: the pipes leave the set (a hang-up would be reported without end otherwise).
    private func pause() {
        guard let process, !process.isPaused else { return }
        process.pause()
        self.supervisor.paused(self)
    }

    func resume() {
        guard let process, !self.hasEnded else { return }
        process.resume()
        // Its words were there: the time until they are read is not its own either.
        self.ladder.progressed(at: self.now)
        self.giveCredit()
    }
}
