package import JobCore
import UVLoop

/// How crashes get their names: from whoever can read debug information.
package struct CrashNaming: Sendable {
    /// The frames of the crashing thread, innermost first, named as far as they can be.
    package var frames: @LoopActor @Sendable (CrashInfo) async -> [StackFrame]
    /// What equal crashes have in common. The last argument says which files are the plugin's.
    package var fingerprint: @Sendable (CrashInfo, [StackFrame], _ isPlugin: (StackFrame) -> Bool) -> String

    package init(
        frames: @escaping @LoopActor @Sendable (CrashInfo) async -> [StackFrame],
        fingerprint: @escaping @Sendable (CrashInfo, [StackFrame], _ isPlugin: (StackFrame) -> Bool) -> String
    ) {
        self.frames = frames
        self.fingerprint = fingerprint
    }
}

extension CrashInfo {
    /// The frames as addresses, with the files they point into as far as they were mapped.
    package var rawFrames: [StackFrame] {
        let addresses = frames.first == pc ? frames : [pc] + frames
        return addresses.map { address in
            let module = modules.first { $0.start <= address && address < $0.end }
            return StackFrame(
                address: address, module: module?.path,
                offset: module.map { address - $0.start + $0.fileOffset })
        }
    }

    /// One line for people: the signal, and the innermost place in the plugin's own code that has a name, else in any.
    package func title(_ frames: [StackFrame], handler: String, isPlugin: (StackFrame) -> Bool) -> String {
        let name = OutcomeClassifier.signalName(signal)
        let named = frames.filter { $0.function != nil }
        guard let frame = named.first(where: isPlugin) ?? named.first, let function = frame.function else {
            return "\(name) in \(handler)"
        }
        guard let file = frame.file else { return "\(name) in \(function)" }
        let short = file.split(separator: "/").last.map(String.init) ?? file
        return "\(name) in \(function) (\(short)" + (frame.line.map { ":\($0)" } ?? "") + ")"
    }
}
