import Inspection
package import JobCore
import UVLoop

/// How crashes get their names.
package struct CrashNaming: Sendable {
    /// The frames of the crashing thread, innermost first, named as far as they can be.
    package var frames: @LoopActor @Sendable (CrashInfo) async -> [StackFrame]
    /// What equal crashes have in common. The last argument says which frames are of the plugin's own code.
    package var fingerprint: @Sendable (CrashInfo, [StackFrame], _ isPlugin: (StackFrame) -> Bool) -> String

    package init(
        frames: @escaping @LoopActor @Sendable (CrashInfo) async -> [StackFrame],
        fingerprint: @escaping @Sendable (CrashInfo, [StackFrame], _ isPlugin: (StackFrame) -> Bool) -> String
    ) {
        self.frames = frames
        self.fingerprint = fingerprint
    }
}

extension CrashNaming {
    /// By the inspector; without one frames stay addresses in files.
    init(_ inspector: Inspector?) {
        self.init(
            frames: { crash in await inspector?.symbolize(crash) ?? Inspector.rawFrames(crash) },
            fingerprint: { CrashFingerprint.of($0, $1, isPlugin: $2) })
    }
}

extension CrashInfo {
    /// One line for people: the signal, and the innermost place in the plugin's own code that has a name, else in any.
    package func title(_ frames: [StackFrame], handler: String, isPlugin: (StackFrame) -> Bool) -> String {
        let name = OutcomeClassifier.signalName(signal)
        let named = frames.filter { $0.function != nil && !CrashFingerprint.isMachinery($0) }
        // A library with its language's runtime in it has frames that nobody wrote lines for.
        let own = named.filter(isPlugin)
        guard let frame = own.first(where: { $0.file != nil }) ?? own.first ?? named.first,
            let function = frame.function
        else {
            return "\(name) in \(handler)"
        }
        guard let file = frame.file else { return "\(name) in \(function)" }
        let short = file.split(separator: "/").last.map(String.init) ?? file
        return "\(name) in \(function) (\(short)" + (frame.line.map { ":\($0)" } ?? "") + ")"
    }
}
