import JobCore
import JobStore
import Logging
import Plugins
import Supervision
import UVLoop

/// One host's part in what all hosts serve.
///
/// What happens to plugins here (a file that appears, a canary that crashes) is decided here at once and written to the
/// database, as soon as there is one (`+Write`). What others decide is seen in the database and followed (`+Follow`): the row
/// of a plugin says which version serves, and of two decisions the later one counts. A host that cannot load what it should
/// says so there and takes no runs for that plugin.
@LoopActor
final class PluginRegistry {
    let store: JobStore
    let logger: Logger
    let bytes: PluginBytes
    let now: @LoopActor () -> WallTime
    weak var hands: (any PluginHands)?
    /// By name.
    var places: [String: PluginPlace] = [:] { didSet { self.blocked = nil } }
    /// Handlers of the blocked ones; nil: to be found out. Asked for each run.
    private var blocked: Set<String>?
    /// What this host serves, by name.
    var served: [String: ActivePlugin] = [:]
    /// Not written yet.
    var decisions: [String: PluginDecisions] = [:]
    /// Plugins whose jobs are not in the database yet.
    var unregistered: Set<String> = []
    /// Versions that others may need and whose bytes may not be in the database; the newest last.
    var unsent: [PluginImage] = []
    /// Versions that do not serve and that the database does not know of yet; and those that it does.
    var unrecorded: [PluginVersionRow] = []
    var recorded: Set<String> = []
    var unwrittenEvents: [NewPluginEvent] = []
    var droppedEvents = 0
    /// What the others know of this host; nil: nothing.
    var noted: [PluginHostNote]?
    /// Why a version was taken back, until the one before it serves again.
    var rollbackWords: [String: String] = [:]
    /// What people want at this moment, by plugin, in the order in which they asked.
    private(set) var asks: [String: [PluginAsk]] = [:]
    private var lastAsk = 0
    var isWriting = false
    var isLooking = false
    var mustLookAgain = false
    /// The rows were seen once.
    var hasSeenRows = false
    private(set) var lease: HostLease?
    private var waiters: [CheckedContinuation<Void, Never>] = []
    /// Handlers may be served that were not before, or the other way round.
    var onChange: (@LoopActor () -> Void)?

    /// Events that wait for the database at most; then the oldest go.
    static let eventLimit = 1000
    /// Versions whose bytes wait for the database at most.
    static let unsentLimit = 64

    /// - Parameter directory: where fetched files lie until they are checked.
    init(
        store: JobStore, directory: String, logger: Logger, now: @escaping @LoopActor () -> WallTime = { .current }
    ) {
        self.store = store
        self.logger = logger
        self.bytes = PluginBytes(store: store, directory: directory)
        self.now = now
        // An earlier life may have ended in the middle of a fetch.
        self.bytes.sweep()
    }

    /// Whether the jobs of everything that serves are in the database, and every decision.
    var isSettled: Bool { self.unregistered.isEmpty && self.decisions.isEmpty }

    /// A registration begins: from now on the others can be told what this host has.
    func begin(_ lease: HostLease) {
        self.lease = lease
        self.noted = nil
        self.write()
        self.look()
    }

    func fenced() { self.lease = nil }

    /// Whether this host may give runs to a handler: not while all are to serve a version that it cannot load.
    func mayServe(_ handler: String) -> Bool {
        if let blocked { return blocked.isEmpty || !blocked.contains(handler) }
        let found = Set(self.places.values.filter(\.isBlocked).flatMap(\.handlers))
        self.blocked = found
        return !found.contains(handler)
    }

    /// Whether it may give runs to all of them.
    var isClear: Bool { !self.places.values.contains(where: \.isBlocked) }

    /// Returns when everything that is decided about a plugin is written, or given up, and the jobs of what it serves are known;
    /// or when the database has been away for this long.
    func written(_ plugin: String, atMost limit: Duration) async {
        let until = LoopInstant.now.advanced(by: limit)
        let timer = LoopTimer()
        timer.start(after: limit) { [weak self] in self?.wakeWaiters() }
        while self.decisions[plugin] != nil || self.unregistered.contains(plugin), LoopInstant.now < until {
            await withCheckedContinuation { self.waiters.append($0) }
        }
        timer.stop()
    }

    func wakeWaiters() {
        let waiting = self.waiters
        self.waiters = []
        for waiter in waiting { waiter.resume() }
    }

    // MARK: Facts from this host's plugins

    /// A version serves here from now on.
    func activated(_ plugin: ActivePlugin) {
        let name = plugin.manifest.name
        self.logger.info(
            "plugin serves",
            metadata: [
                "file": "\(plugin.file)", "plugin": "\(name)", "version": "\(plugin.sha256.prefix(12))",
                "handlers": "\(plugin.manifest.handlers.count)",
            ])
        let isFollowed = self.change(name) { place -> Bool in
            // A trial that others wanted has passed here: that is this host's finding.
            let isPromotion = place.canary == plugin.sha256
            place.active = plugin.sha256
            place.handlers.formUnion(plugin.manifest.handlers.map(\.name))
            place.renounced = nil
            place.held = nil
            // Whatever was on trial beside the version before.
            place.canary = nil
            if place.failure?.sha256 == plugin.sha256 { place.succeeded() }
            return (plugin.source == .row && !isPromotion)
                || (place.row?.active == plugin.sha256 && place.row?.canary == nil)
        }
        self.served[name] = plugin
        // Whoever has brought it is told afterwards.
        if plugin.source != .upload { self.recorded.insert(plugin.sha256) }
        self.unregistered.insert(name)
        self.keepBytes(plugin.image)
        if !isFollowed { self.decide(name, .activate(plugin.sha256), source: plugin.source) }
        self.rollbackWords[name] = nil
        self.changed()
    }

    /// A version is tried here beside the one that serves.
    func canaryBegan(_ name: String, _ sha256: String, policy: String) {
        let isFollowed = self.change(name) { place -> Bool in
            place.canary = sha256
            if place.held?.sha256 == sha256 { place.held = nil }
            return place.isMoving || place.row?.canary?.sha256 == sha256
        }
        if let image = self.hands?.image(of: sha256) { self.keepBytes(image) }
        if !isFollowed { self.decide(name, .canary(sha256, policy: policy)) }
        self.changed()
    }

    /// It is not tried any more, and does not serve.
    func canaryEnded(_ name: String, reason: String?) {
        let isFollowed = self.change(name) { place -> Bool in
            let tried = place.canary
            place.canary = nil
            return place.isMoving || tried == nil || place.row.map { $0.canary?.sha256 != tried } ?? true
        }
        if !isFollowed { self.decide(name, .endCanary, reason: reason) }
        self.changed()
    }

    /// A version was taken back by itself. If it served, the one before it serves again, which is said by `activated`.
    func rolledBack(_ name: String, _ sha256: String?, reason: String?) {
        if self.places[name]?.canary != nil, self.places[name]?.canary == sha256 {
            self.canaryEnded(name, reason: reason)
        } else {
            self.rollbackWords[name] = reason
        }
    }

    /// It may not serve: for what it would break.
    func held(_ name: String, _ sha256: String, _ problems: [ContractProblem], _ reason: String?) {
        var words = problems.prefix(3).map { "\($0.handler), \($0.where): \($0.words)" }.joined(separator: "; ")
        if problems.count > 3 { words += "; and \(problems.count - 3) more" }
        if problems.isEmpty { words = reason ?? "it may not serve" }
        self.change(name) { $0.held = (sha256, words) }
        if let image = self.hands?.image(of: sha256) { self.keepBytes(image) }
        self.changed()
    }

    func disabled(_ name: String, _ isDisabled: Bool, reason: String?) {
        let isFollowed = self.change(name) { place -> Bool in
            place.isDisabled = isDisabled
            // Its trial has ended with it; once it is enabled it begins anew.
            if isDisabled { place.canary = nil }
            return place.isMoving || place.row?.isDisabled == isDisabled
        }
        if !isFollowed { self.decide(name, isDisabled ? .disable : .enable, reason: reason) }
        self.changed()
    }

    /// It serves here no more: its file is gone. Where the file was this host's, nobody serves it any more.
    func retired(_ name: String, reason: String?) {
        guard self.places[name]?.active != nil else { return }
        let row = self.places[name]?.row
        let isFollowed = self.change(name) { place -> Bool in
            place.active = nil
            place.canary = nil
            return place.isMoving
        }
        self.served[name] = nil
        self.unregistered.remove(name)
        if !isFollowed {
            // What is still to be written about it came from that file.
            let isUnwritten = self.decisions[name] != nil
            if isUnwritten || (row?.originHost != nil && row?.originHost == self.lease?.id) {
                self.decide(name, .retire, reason: reason ?? "its file was removed")
            } else {
                self.change(name) { $0.renounced = row?.revision }
            }
        }
        self.changed()
    }

    /// What was to serve here again, after the plugin was enabled, cannot be loaded: it is tried again, as what others have decided.
    func lost(_ name: String, _ sha256: String) {
        guard self.places[name]?.active == sha256 else { return }
        self.change(name) { $0.active = nil }
        self.changed()
    }

    /// A version is ready here and does not serve, or not to all: it can be chosen.
    func ready(_ version: PluginVersionRow) {
        guard !self.recorded.contains(version.sha256) else { return }
        self.unrecorded.removeAll { $0.sha256 == version.sha256 }
        self.unrecorded.append(version)
        if self.unrecorded.count > Self.unsentLimit { self.unrecorded.removeFirst() }
        if let image = self.hands?.image(of: version.sha256) { self.keepBytes(image) }
        self.write()
    }

    func happened(_ event: NewPluginEvent) {
        self.unwrittenEvents.append(event)
        if self.unwrittenEvents.count > Self.eventLimit {
            self.unwrittenEvents.removeFirst()
            self.droppedEvents += 1
        }
        self.write()
    }

    // MARK: Inside

    @discardableResult
    func change<T>(_ name: String, _ body: (inout PluginPlace) -> T) -> T {
        body(&self.places[name, default: PluginPlace(name: name)])
    }

    /// Something is different: the rest of the host looks at what it may serve, and the others are told.
    func changed() {
        self.onChange?()
        self.write()
    }

    private func decide(
        _ name: String, _ change: PluginChange, source: ProposalSource? = nil, reason: String? = nil
    ) {
        let ask = self.take(name, change, source)
        let wish = ask?.wish
        var decision = PluginDecision(
            change, at: self.now(), by: wish?.by, reason: wish?.reason ?? reason, isForced: wish?.isForced ?? false)
        var isFile = false
        switch source {
        case .file: isFile = true
        case .rollback:
            // The file is whose it was.
            decision.host = self.places[name]?.row?.originHost
            decision.reason = wish?.reason ?? self.rollbackWords[name]
        case .upload, .order, .row, nil: break
        }
        if let wish, wish.isForced {
            self.happened(
                NewPluginEvent(
                    plugin: name, sha256: change.version, at: self.now(), kind: "forced",
                    detail: JSONText.object(["words": "\(wish.by) wanted it whatever it breaks"])))
        }
        self.decisions[name, default: PluginDecisions()].add(
            PluginDecisions.Pending(
                decision: decision, revision: wish?.revision, base: self.places[name]?.row?.revision, ask: ask?.number,
                isFile: isFile))
        self.write()
    }

    // MARK: People

    /// Somebody wants something of a plugin: what is decided about that until `answered` is theirs.
    func ask(_ name: String, _ wish: PluginWish) -> Int {
        self.lastAsk += 1
        self.asks[name, default: []].append(PluginAsk(number: self.lastAsk, wish: wish))
        return self.lastAsk
    }

    /// They are not waiting any more.
    /// - Returns: why what they wanted did not happen after all; nil: it did, or it is still to be written.
    func answered(_ name: String, _ number: Int) -> ReloadFault? {
        guard let index = self.asks[name]?.firstIndex(where: { $0.number == number }) else { return nil }
        let ask = self.asks[name]?.remove(at: index)
        if self.asks[name]?.isEmpty == true { self.asks[name] = nil }
        return ask?.fault
    }

    /// What somebody asked for was decided and did not become what all hosts are to serve.
    func fail(_ name: String, _ number: Int?, _ fault: ReloadFault) {
        guard let index = self.asks[name]?.firstIndex(where: { $0.number == number }) else { return }
        self.asks[name]?[index].fault = fault
    }

    /// Whose decision it is: several may want something at once, and files decide meanwhile.
    private func take(_ name: String, _ change: PluginChange, _ source: ProposalSource?) -> PluginAsk? {
        if case .file = source { return nil }
        guard
            let index = self.asks[name]?.firstIndex(where: { !$0.isTaken && $0.wish.matter.covers(change, source) })
        else { return nil }
        self.asks[name]?[index].isTaken = true
        return self.asks[name]?[index]
    }

    private func keepBytes(_ image: PluginImage) {
        self.unsent.removeAll { $0.sha256 == image.sha256 }
        self.unsent.append(image)
        if self.unsent.count > Self.unsentLimit { self.unsent.removeFirst() }
    }
}
