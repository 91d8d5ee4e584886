import Plugins

// What helps when something goes wrong: protection, and knowing where.
extension PluginFileCheck {
    // PT_* and PF_* of elf(5).
    private static let load: UInt32 = 1
    private static let tls: UInt32 = 7
    private static let stack: UInt32 = 0x6474_e551
    private static let relro: UInt32 = 0x6474_e552

    func hardening() -> [CheckFinding] {
        var findings: [CheckFinding] = []
        let segments = self.image.segments
        let stack = segments.first { $0.type == Self.stack }
        if stack == nil || (stack?.flags ?? 0) & 1 != 0 {
            findings.append(
                CheckFinding(
                    "stack", .warning, "it asks for an executable stack",
                    advice:
                        "newer systems refuse that: link with -Wl,-z,noexecstack, and mark assembler sources with .note.GNU-stack"
                ))
        }
        if segments.contains(where: { $0.type == Self.load && $0.flags & 3 == 3 }) {
            findings.append(
                CheckFinding(
                    "memory", .warning, "a part of it is writable and executable at once",
                    advice: "link with -Wl,-z,separate-code"))
        }
        if self.image.relocatesText {
            findings.append(
                CheckFinding(
                    "textrel", .warning, "its code is changed while it is loaded",
                    advice: "compile everything with -fPIC"))
        }
        let hasRelro = segments.contains { $0.type == Self.relro }
        if !hasRelro || !self.image.bindsNow {
            let missing =
                hasRelro ? "its functions are looked up late (no BIND_NOW)" : "its tables stay writable (no RELRO)"
            findings.append(CheckFinding("relro", .warning, missing, advice: "link with -Wl,-z,relro,-z,now"))
        }
        // A plugin without any buffer on the stack has none either.
        if !self.isSwift, !self.image.symbols.contains(where: { $0.name == "__stack_chk_fail" }) {
            findings.append(
                CheckFinding(
                    "stack_protector", .note, "no sign of the stack protector",
                    advice: "compile with -fstack-protector-strong, unless you do already"))
        }
        if findings.allSatisfy({ $0.level < .warning }) {
            findings.append(CheckFinding("hardening", .ok, "RELRO, BIND_NOW, no executable stack, no text relocations"))
        }
        return findings
    }

    func memory() -> [CheckFinding] {
        let size = self.image.segments.first { $0.type == Self.tls }?.memorySize ?? 0
        if self.image.usesStaticTLS {
            return [
                CheckFinding(
                    "tls", .warning,
                    "it wants \(size) bytes of the thread-local memory that is given out at process start",
                    advice:
                        "little of it is left for plugins, so that loading may fail: compile with -ftls-model=global-dynamic"
                )
            ]
        }
        return size == 0 ? [] : [CheckFinding("tls", .ok, "\(size) bytes per thread, got when needed")]
    }

    func loading() -> [CheckFinding] {
        var findings: [CheckFinding] = []
        if self.image.constructors > 1 {
            let count = self.image.constructors - 1
            findings.append(
                CheckFinding(
                    "constructors", .note,
                    "\(count) \(count == 1 ? "function runs" : "functions run") while it is loaded, before its init"))
        }
        if !self.isSwift,
            self.image.symbols.contains(where: {
                ["pthread_atfork", "__register_atfork"].contains($0.name) && !$0.isDefined
            })
        {
            findings.append(
                CheckFinding(
                    "atfork", .note, "it uses pthread_atfork",
                    advice: "its functions are called only if the plugin's flags have PAWL_PF_NEEDS_ATFORK"))
        }
        return findings
    }

    func diagnosis() -> [CheckFinding] {
        var findings: [CheckFinding] = []
        if self.image.buildID == nil {
            findings.append(
                CheckFinding(
                    "build_id", .warning,
                    "it has no build id, so that crashes cannot be matched with separate debug files",
                    advice: "link with -Wl,--build-id"))
        }
        let names = Set(self.image.sections.map(\.name))
        if names.isDisjoint(with: [".debug_info", ".zdebug_info", ".gnu_debuglink", ".debug_line"]) {
            findings.append(
                CheckFinding(
                    "debug_info", .warning,
                    names.contains(".symtab")
                        ? "it has no debug information: crash reports name functions, without file and line"
                        : "it is stripped: crash reports show addresses only",
                    advice: "compile with -g; it costs no speed"))
        } else {
            findings.append(CheckFinding("debug_info", .ok, "there: crash reports name file and line"))
        }
        return findings
    }
}
