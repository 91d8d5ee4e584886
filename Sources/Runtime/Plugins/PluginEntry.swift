internal import JobCore
internal import Supervision
internal import UVLoop

/// One plugin on this host: its file, if it has one, and its versions.
@LoopActor
final class PluginEntry {
    /// Tells one state of the file from another, as far as stat does.
    struct Fingerprint: Equatable {
        let device: UInt64
        let inode: UInt64
        let size: Int64
        let modifiedSeconds: Int
        let modifiedNanos: Int
    }

    /// What a wish of the machine stands for.
    struct Intent {
        let source: ProposalSource
        let wish: ProposalWish
        let image: PluginImage?
        let waiter: CheckedContinuation<Result<ProposalOutcome, ReloadFault>, Never>?
        /// The version that is taken back by itself.
        var takesBack: String?
    }

    /// A trial under way.
    struct Trial {
        let sha256: String
        var machine: CanaryStateMachine
        let beganAt: WallTime
    }

    /// Name of its file in the plugin directory; of a plugin that came another way, the name that it would have there.
    var file: String
    let kind: PluginStatus.Kind
    /// The plugin's own; nil until a version was loaded.
    var name: String?
    /// The file is there.
    var hasFile = false
    var machine = ReloadStateMachine()
    /// Of what was looked at last.
    var fingerprint: Fingerprint?
    /// Hash of what the file held when it was looked at last.
    var fileHash: String?
    var intents: [Int: Intent] = [:]
    /// By hash.
    var versions: [String: PluginVersion] = [:]
    /// Hashes, the newest last.
    var order: [String] = []
    var trial: Trial?
    var `guard`: ReloadGuardStateMachine?
    /// Why the version in question is held.
    var held: (problems: [ContractProblem], words: String) = ([], "")
    /// Its zygote is gone for good, and will be tried again.
    var isReviving = false
    /// What serves can be given runs, as others were told last.
    var isReady = true
    /// Why the latest candidate was rejected.
    var fault: ReloadFault?
    /// What serves is not what is in the store any more.
    var isTampered = false
    /// Another file serves a handler of the same name.
    var isConflict = false
    /// Keeps the version before loaded.
    let warmTimer = LoopTimer()
    /// Ends trial and guard.
    let judgeTimer = LoopTimer()
    /// Waits for the end of a write in place.
    let settleTimer = LoopTimer()
    /// Ends a candidate that takes long while something newer waits.
    let hurryTimer = LoopTimer()
    /// Ends a crash loop by another try.
    let forgiveTimer = LoopTimer()
    /// Looks again at a file that could not be taken for a reason that may pass.
    let againTimer = LoopTimer()
    /// Until it does.
    var pause = PluginEntry.firstPause
    static let firstPause = Duration.seconds(2)
    static let longestPause = Duration.seconds(60)
    /// Why the version before the one that serves stays loaded.
    var standsIn: Set<StandIn> = [] {
        didSet { self.machine.isStandingIn = !self.standsIn.isEmpty }
    }

    enum StandIn {
        /// The zygote of the one that serves dies again and again.
        case crashLoop
        /// It is in quarantine.
        case quarantine
    }

    /// Versions that are remembered, at most.
    static let versionsAtMost = 12

    init(file: String, kind: PluginStatus.Kind) {
        self.file = file
        self.kind = kind
    }

    /// Nil for files that are none of ours. Names with a dot in front are on their way, not there.
    nonisolated static func kind(of file: String) -> PluginStatus.Kind? {
        if file.hasPrefix(".") || file.contains("/") { return nil }
        if file.hasSuffix(".so") && file.utf8.count > 3 { return .native }
        if file.hasSuffix(".pawl.json") && file.utf8.count > 10 { return .ffi }
        return file.hasSuffix(".ffi.json") && file.utf8.count > 9 ? .ffi : nil
    }

    /// Manifests of C functions had this ending first. Said once per file, beside what else is said of it.
    var oldEndingNotes: [String] {
        self.hasFile && self.file.hasSuffix(".ffi.json")
            ? ["the ending .ffi.json is an older name of .pawl.json, and goes on working"] : []
    }

    /// The file's name without what tells its kind.
    var stem: String {
        String(self.file.dropLast(self.kind == .native ? 3 : self.file.hasSuffix(".pawl.json") ? 10 : 9))
    }

    var title: String { self.name ?? self.stem }

    /// The version before the one that serves is being brought back.
    var isTakingBack: Bool { self.intents.values.contains { $0.source == .rollback } }

    /// Whether the plugin goes on without its file: what serves (or would, if it were not disabled, or is about to where nothing does)
    /// did not come from there, or was sent by somebody as well. Who takes a file away takes away what the file brought.
    var outlivesItsFile: Bool {
        guard let served = self.machine.active ?? self.machine.resting else {
            return self.intents.values.contains { $0.source == .upload && $0.wish != .keep }
        }
        return self.versions[served].map { $0.isSent || !$0.isFile } ?? false
    }

    var active: PluginVersion? { self.machine.active.flatMap { self.versions[$0] } }
    var candidate: PluginVersion? { self.machine.candidate.hash.flatMap { self.versions[$0] } }

    /// The record of a version, made when it is first heard of.
    func version(_ image: PluginImage) -> PluginVersion {
        let version = self.versions[image.sha256] ?? PluginVersion(image)
        version.image = image
        self.versions[image.sha256] = version
        self.order.removeAll { $0 == image.sha256 }
        self.order.append(image.sha256)
        let needed = self.machine.needed
        while self.order.count > Self.versionsAtMost,
            let old = self.order.firstIndex(where: { !needed.contains($0) && $0 != image.sha256 })
        {
            self.versions[self.order.remove(at: old)] = nil
        }
        return version
    }

    func forget(_ sha256: String) {
        self.versions[sha256] = nil
        self.order.removeAll { $0 == sha256 }
    }
}

/// One version of a plugin, as long as it is remembered.
@LoopActor
final class PluginVersion {
    var image: PluginImage
    /// Nil until it was loaded.
    var manifest: PluginManifest?
    var loadedAt: WallTime?
    var problem: String?
    /// Where it stands when it neither serves nor is about to.
    var rest = VersionState.staged
    var steps: [PluginEvent] = []
    /// Of a manifest of C functions: what its library says of them.
    var declarations: DeclarationCheck?
    /// What the supervisor found out about it, after it was loaded.
    var remarks: [String] = []
    var hasServed = false
    /// The plugin's file held it.
    var isFile = false
    /// Somebody has sent it.
    var isSent = false
    var started = 0
    var ended = 0
    var failed = 0
    var crashed = 0

    private static let stepsAtMost = 40

    init(_ image: PluginImage) { self.image = image }

    var sha256: String { self.image.sha256 }

    /// Share of its attempts that crashed, in percent; nil: too few to say.
    var crashPercent: Double? { self.ended < 20 ? nil : Double(self.crashed) * 100 / Double(self.ended) }

    func add(_ step: PluginEvent) {
        self.steps.append(step)
        if self.steps.count > Self.stepsAtMost { self.steps.removeFirst() }
    }

    var notes: [String] {
        guard let manifest = self.manifest else { return [] }
        var notes = manifest.notes
        if manifest.forkMode == .spawn && manifest.threads <= 1 {
            notes.append("the plugin says that it must not be forked (PAWL_PF_NO_FORK): every attempt loads it afresh")
        }
        return notes + self.noteFaults(manifest) + (self.declarations?.notes ?? []) + self.remarks
    }

    /// Where the section that says what the plugin is does not say what it is.
    private func noteFaults(_ manifest: PluginManifest) -> [String] {
        guard let text = self.image.note else { return [] }
        do throws(JSONFault) {
            let differences = try PluginNote(parsing: text).differences(from: manifest)
            return differences.isEmpty ? [] : ["\(PluginNote.section) is wrong: \(differences.joined(separator: "; "))"]
        } catch {
            return ["\(PluginNote.section) cannot be read: \(error)"]
        }
    }
}
