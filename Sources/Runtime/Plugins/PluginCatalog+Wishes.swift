internal import JobCore
internal import Logging
internal import Supervision
internal import UVLoop

/// What is wanted of a plugin's machine, its orders, and the answers to whoever wanted it.
extension PluginCatalog {
    /// Makes a wish of a plugin's machine.
    func want(
        _ entry: PluginEntry, _ what: ReloadStateMachine.Request.What, _ intent: PluginEntry.Intent
    ) {
        self.lastNumber += 1
        let number = self.lastNumber
        entry.intents[number] = intent
        let (goal, isForced): (ReloadStateMachine.Goal, Bool) =
            switch intent.wish {
            case .keep: (.keep, true)
            case .activate(let force): (.serve, force)
            case .canary(_, let force): (.trial, force)
            }
        let asks = !isForced && intent.source != .row && intent.source != .rollback
        if let image = intent.image {
            let version = entry.version(image)
            if intent.source == .upload { version.isSent = true }
            self.tell(entry, .staged, version.sha256)
        }
        self.perform(
            entry.machine.wanted(
                .init(
                    number, what, goal: goal, asks: asks, isRollback: intent.source == .rollback,
                    takesBack: intent.takesBack)), entry)
        self.hurry(entry)
    }

    /// What does not come up must not keep newer bytes waiting for as long as it may take.
    private func hurry(_ entry: PluginEntry) {
        guard entry.machine.isWaitedFor, let request = entry.machine.candidate.request else { return }
        entry.hurryTimer.start(after: Self.patience) { [weak self, weak entry] in
            guard let self, let entry, entry.machine.candidate.request == request,
                case .warming(let hash, _) = entry.machine.candidate,
                // What is loaded because it serves, or may at once, is nobody's to end.
                !self.entries.values.contains(where: { $0.machine.uses(hash) })
            else { return }
            self.supervisor.abandon(hash)
        }
    }

    private static let patience = Duration.seconds(2)

    func intent(_ entry: PluginEntry) -> PluginEntry.Intent {
        guard let request = entry.machine.candidate.request, let intent = entry.intents[request.number] else {
            preconditionFailure("work on a candidate that nobody wanted")
        }
        return intent
    }

    func perform(_ orders: [ReloadStateMachine.Order], _ entry: PluginEntry) {
        guard !orders.isEmpty else { return }
        for order in orders {
            switch order {
            case .ingest: self.work { await self.ingest(entry) }
            case .load(let hash): self.work { await self.load(hash, entry) }
            case .ask(let hash): self.work { await self.ask(hash, entry) }
            case .serve(let hash, let replaces, let request): self.serve(hash, replaces, request, entry)
            case .beginTrial(let hash, let request): self.beginTrial(hash, request, entry)
            case .retire(let hash): self.retire(hash, entry)
            case .keepWarm(let hash): self.keepWarm(hash, entry)
            case .answer(let number, let answer): self.answer(number, answer, entry)
            }
        }
        self.publish(entry)
    }

    private func answer(_ number: Int, _ answer: ReloadStateMachine.Answer, _ entry: PluginEntry) {
        let result: Result<ProposalOutcome, ReloadFault> =
            switch answer {
            case .serves: .success(.active)
            case .onTrial: .success(.canary)
            case .staged: .success(.staged)
            case .unchanged: .success(.unchanged)
            case .held: .success(.held(entry.held.problems, words: entry.held.words))
            case .superseded: .failure(ReloadFault(.superseded, "something newer has taken its place"))
            case .disabled: .success(.held([], words: self.restingWords(entry.intents[number])))
            case .rejected(let words): .failure(entry.fault ?? ReloadFault(.refused, words))
            }
        if case .failure = result, entry.intents[number]?.source == .rollback { self.goesOn(entry) }
        if case .rejected(let words) = answer {
            self.logger.warning(
                "a version of \(entry.title) is rejected: \(words)", metadata: ["file": "\(entry.file)"])
        }
        self.resume(number, result, entry)
    }

    private func restingWords(_ intent: PluginEntry.Intent?) -> String {
        if case .canary = intent?.wish { return "the plugin is disabled: there is nothing to try it beside" }
        return "the plugin is disabled; it serves when it is enabled"
    }

    /// It was to be taken back, and the version before cannot be had: it serves, with all that belongs to that.
    private func goesOn(_ entry: PluginEntry) {
        guard let version = entry.active, version.rest == .rolledBack else { return }
        version.rest = .retired
        version.problem = nil
        self.tell(entry, .active, version.sha256, words: "the version before it cannot serve: it goes on")
    }

    func resume(_ number: Int, _ result: Result<ProposalOutcome, ReloadFault>, _ entry: PluginEntry) {
        guard let intent = entry.intents.removeValue(forKey: number) else { return }
        intent.waiter?.resume(returning: result)
    }
}
