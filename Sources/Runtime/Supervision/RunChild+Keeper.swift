internal import CLinux
internal import CWire
internal import Glibc
internal import JobCore
internal import Logging
internal import UVLoop

/// What a child's keeper says of it, and what it is told: its monitor, else its zygote.
extension RunChild {
    /// `pidfds`: of the child, and of the monitor if there is one. Ours.
    func spawned(_ body: pawl_c_spawned, pidfds: [Int32]) {
        guard !self.isForgotten, self.pidfd < 0 else { return ControlChannel.close(pidfds) }
        self.pidfd = pidfds.first ?? -1
        self.monitorPidfd = pidfds.count > 1 ? pidfds[1] : -1
        ControlChannel.close(Array(pidfds.dropFirst(2)))
        self.pid = Int32(clamping: body.pid)
        self.monitorPID = body.monitor_pid == 0 ? nil : Int32(clamping: body.monitor_pid)
        if let attempt { return attempt.keeperSpawned() }
        do throws(LoopError) { try self.watchChannels() } catch {
            self.supervisor.pool.broke(self, "it cannot be watched: \(error)")
        }
    }

    func failed(_ body: pawl_c_spawn_failed) {
        if let attempt { return attempt.keeperFailed(body) }
        guard !self.isForgotten else { return }
        let why = String(cString: strerror(body.error))
        self.tried(.failure(PluginRefusal(reason: .unavailable, message: "no process can be made of it: \(why)")))
        self.supervisor.pool.failed(self, why)
    }

    func exited(_ body: pawl_c_exited) {
        // Too late for a report; the zombie still has to go.
        guard !self.isForgotten else { return self.tellKeeper(ControlOrder.plain(PAWL_C_REAP, slot: self.slot)) }
        if self.trial != nil {
            self.readWhileWaiting()  // Its last words.
            self.tried(.failure(self.trialRefusal(body)))
        }
        self.supervisor.pool.died(self).keeperExited(body)
    }

    /// Whether it comes up is known.
    func tried(_ result: Result<Void, PluginRefusal>) {
        let trial = self.trial
        self.trial = nil
        trial?(result)
    }

    private func trialRefusal(_ body: pawl_c_exited) -> PluginRefusal {
        let words = self.trialWords.isEmpty ? "" : ": \(self.trialWords)"
        switch body.processExit {
        case .signal(let signal):
            return PluginRefusal(
                reason: .crashed(signal: signal),
                message: "its first process crashed with \(OutcomeClassifier.signalName(signal))\(words)")
        case .code(let code):
            return PluginRefusal(
                reason: .exited(code: code), message: "its first process ended with exit code \(code)\(words)")
        }
    }

    /// The zygote died. Nobody, or only a monitor, will tell the leader's exit.
    func keeperLost() {
        guard !self.isForgotten else { return }
        self.tried(.failure(PluginRefusal(reason: .unavailable, message: "its zygote ended under its first process")))
        self.supervisor.pool.died(self).keeperLost()
    }

    private func monitorGone() {
        guard !self.isForgotten, self.monitor >= 0 else { return }
        self.supervisor.pool.died(self).monitorGone()
    }

    func readMonitor() {
        for _ in 0..<16 where self.monitor >= 0 {
            let outcome = ControlSocket.receive(self.monitor) { event in
                guard case .message(let bytes, let fds) = event else { return }
                self.monitorSaid(bytes, Array(fds))
            }
            switch outcome {
            case nil: return
            case true: break
            case false: return self.monitorGone()
            }
        }
    }

    private func monitorSaid(_ bytes: UnsafeRawBufferPointer, _ fds: [Int32]) {
        do throws(WireFault) {
            switch try ControlMessage(bytes) {
            case .spawned(_, let body): return self.spawned(body, pidfds: fds)
            case .spawnFailed(_, let body): self.failed(body)
            case .exited(_, let body): self.exited(body)
            case .empty(_, let body): self.attempt?.keeperEmptied(body)
            case .orphan, .note, .pong: break
            case .ready, .refused, .manifestPiece: throw WireFault("a monitor that speaks like a zygote")
            }
        } catch {
            self.supervisor.logger.error("a monitor broke the protocol: \(error)")
            ControlChannel.close(fds)
            return self.monitorGone()
        }
        ControlChannel.close(fds)
    }

    /// Says it to whoever keeps the leader: the monitor, else the zygote.
    func tellKeeper(_ message: [UInt8]) {
        guard self.monitor >= 0 else { return self.zygote.send(message) }
        // A handful of small messages per attempt never fills the socket; a broken one shows as its end.
        _ = message.withUnsafeBytes { linux_send_fds(self.monitor, $0.baseAddress, $0.count, nil, 0) }
    }
}
