internal import JobCore
internal import Supervision
internal import UVLoop

/// One file of the plugin directory and the versions that came from it.
@LoopActor
final class PluginEntry {
    /// A version that has been loaded.
    struct Version {
        let image: PluginImage
        let manifest: PluginManifest
        let loadedAt: WallTime
    }

    /// Tells one state of the file from another, as far as stat does.
    struct Fingerprint: Equatable {
        let device: UInt64
        let inode: UInt64
        let size: Int64
        let modifiedSeconds: Int
        let modifiedNanos: Int
    }

    let file: String
    let kind: PluginStatus.Kind
    var machine = ReloadStateMachine()
    /// Of what was looked at last.
    var fingerprint: Fingerprint?
    /// What is in the store and being loaded.
    var candidate: PluginImage?
    /// What serves.
    var active: Version?
    /// What served before it, and whether it has been loaded again to stand in for it.
    var previous: Version?
    var isPreviousLoaded = false
    /// Its zygote is gone for good, and will be tried again.
    var isReviving = false
    /// What the supervisor found out about the version that serves, after it was loaded.
    var remarks: [String] = []
    /// Another file serves a handler of the same name.
    var isConflict = false

    init(file: String, kind: PluginStatus.Kind) {
        self.file = file
        self.kind = kind
    }

    /// Nil for files that are none of ours. Names with a dot in front are on their way, not there.
    static func kind(of file: String) -> PluginStatus.Kind? {
        if file.hasPrefix(".") { return nil }
        if file.hasSuffix(".so") { return .native }
        return file.hasSuffix(".ffi.json") ? .ffi : nil
    }

    /// The file's name without what tells its kind.
    var stem: String { String(self.file.dropLast(self.kind == .native ? 3 : 9)) }

    var status: PluginStatus {
        PluginStatus(
            file: self.file, kind: self.kind, name: self.active?.manifest.name ?? self.stem,
            version: self.active?.manifest.version,
            sha256: self.active?.image.sha256 ?? self.candidate?.sha256, state: self.state,
            error: self.machine.rejection, handlers: self.active?.manifest.handlers ?? [],
            loadedAt: self.active?.loadedAt, notes: self.notes)
    }

    private var notes: [String] {
        guard let manifest = self.active?.manifest else { return [] }
        var notes = manifest.notes
        if manifest.forkMode == .spawn && manifest.threads <= 1 {
            notes.append("the plugin says that it must not be forked (PAWL_PF_NO_FORK): every attempt loads it afresh")
        }
        return notes + self.remarks
    }

    /// What serves comes first: a broken newer file shows as the error of an active plugin.
    private var state: PluginStatus.State {
        if self.machine.active != nil { return self.machine.isCrashLooping ? .crashLoop : .active }
        switch self.machine.candidate {
        case .verifying: return .verifying
        case .warming: return .warming
        case .none: break
        }
        if self.machine.rejection != nil { return .rejected }
        if self.machine.isRemoved { return self.machine.draining.isEmpty ? .retired : .draining }
        return .staged
    }
}
