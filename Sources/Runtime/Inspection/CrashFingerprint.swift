internal import Crypto
package import JobCore

/// What equal crashes have in common, wherever their code was loaded and whatever their data were.
package enum CrashFingerprint {
    /// Frames that count.
    private static let depth = 5

    /// 16 hexadecimal digits over the signal and the innermost frames: those of the plugin by function and line, or by their
    /// place in the file where nothing is named; those of other libraries only where the plugin has none.
    /// - Parameter isPlugin: whether a frame is of the plugin's own code.
    package static func of(_ crash: CrashInfo, _ frames: [StackFrame], isPlugin: (StackFrame) -> Bool) -> String {
        let telling = frames.filter { !isMachinery($0) }
        let own = telling.filter(isPlugin)
        let chosen = (own.isEmpty ? telling.isEmpty ? frames : telling : own).prefix(depth)
        var text = OutcomeClassifier.signalName(crash.signal)
        for frame in chosen { text += "\n" + place(frame) }
        let digest = SHA256.hash(data: Array(text.utf8))
        return digest.prefix(8).map { byte in
            let digits = String(byte, radix: 16)
            return byte < 16 ? "0" + digits : digits
        }.joined()
    }

    private static func place(_ frame: StackFrame) -> String {
        let module = frame.module.map { $0.split(separator: "/").last.map(String.init) ?? $0 } ?? ""
        if let function = frame.function { return "\(function):\(frame.line.map(String.init) ?? "")" }
        return "\(module)+\(frame.offset.map { String($0, radix: 16) } ?? "")"
    }

    /// Functions that only carry out a crash which somebody else has asked for: of the C library, of Swift's, C++'s and Rust's
    /// runtimes.
    package static func isMachinery(_ frame: StackFrame) -> Bool {
        guard let function = frame.function else { return false }
        return exact.contains(function) || prefixes.contains { function.hasPrefix($0) }
    }

    private static let exact: Set<String> = [
        "abort", "raise", "__GI_abort", "__GI_raise", "gsignal", "__pthread_kill_implementation",
        "__pthread_kill_internal", "__GI___pthread_kill", "pthread_kill", "__assert_fail", "__GI___assert_fail",
        "__assert_fail_base", "__libc_message", "malloc_printerr", "__stack_chk_fail", "__fortify_fail", "__chk_fail",
        "std::terminate()", "rust_panic", "__restore_rt", "_int_free", "_int_malloc",
    ]
    private static let prefixes = [
        "_assertionFailure(", "_fatalErrorMessage(", "fatalError(", "_preconditionFailure(", "preconditionFailure(",
        "assertionFailure(", "swift_abort", "swift::fatalError", "swift::swift_abort", "_swift_runtime_on_report",
        "specialized _assertionFailure", "closure #1 in _assertionFailure",
        "closure #1 in closure #1 in _assertionFailure",
        "__cxxabiv1::__terminate", "__gnu_cxx::__verbose_terminate_handler", "std::terminate", "std::panicking::",
        "core::panicking::", "abort_message", "demangling_terminate_handler",
    ]
}
