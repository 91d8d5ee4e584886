import JobCore
import Plugins
import Supervision

/// What came of loading a plugin.
struct PluginProbeCheck {
    /// A zygote that is larger forks slowly: at 50 MiB of touched memory its advantage over starting afresh is gone.
    static let heavyBytes: UInt64 = 50 << 20
    static let slowLoad = Duration.seconds(1)

    let outcome: PluginProbe.Outcome
    /// nil: a manifest of C functions, whose library was not looked at.
    let image: ELFFile?

    init(_ outcome: PluginProbe.Outcome, _ image: ELFFile?) {
        self.outcome = outcome
        self.image = image
    }

    func findings() -> [CheckFinding] {
        if let problem = self.outcome.problem {
            return [CheckFinding("load", .warning, "it was not loaded, as that could not be tried: \(problem)")]
        }
        if let refusal = self.outcome.refusal {
            let advice = LoadHint.of(refusal.message) ?? Self.advice(refusal.reason)
            return [CheckFinding("load", .refused, refusal.message, advice: advice)]
        }
        guard let manifest = self.outcome.manifest else { return [] }
        var findings = [
            CheckFinding(
                "load", .ok,
                "ABI \(manifest.abiMajor).\(manifest.abiMinor), in \(Self.words(manifest.loadTime)), \(manifest.rssBytes >> 20) MiB resident"
            )
        ]
        findings += self.forking(manifest) + self.cost(manifest) + self.schemas(manifest) + self.note(manifest)
        // What the plugin logged and the zygote remarked.
        findings += manifest.notes.filter { !$0.contains(" threads after loading") }.map {
            CheckFinding("load", .note, $0)
        }
        findings += self.outcome.remarks.map { CheckFinding("load", .note, $0) }
        return findings
    }

    private static func advice(_ reason: PluginRefusal.Reason) -> String? {
        switch reason {
        case .dlopen: "the words are the loader's; what it misses must be linked in or installed"
        case .abi: "build it with the pawl.h of this major version"
        case .descriptor: "pawl.h says what each member of the descriptor may be"
        case .entry: "pawl_plugin_entry must return the descriptor; what it logs with a NULL attempt is shown here"
        case .initialization: "init and prefork must work without network, database and configuration of this machine"
        case .crashed:
            "look at the constructors, pawl_plugin_entry, init and prefork; pawl-zygote --foreground runs under gdb"
        case .timedOut: "connections, large files and threads belong into child_start or the handler"
        case .exited: "a plugin must not call exit"
        case .open, .elf, .protocolFault, .unavailable: nil
        }
    }

    private func forking(_ manifest: PluginManifest) -> [CheckFinding] {
        let noFork: UInt64 = 4  // PAWL_PF_NO_FORK
        let atFork: UInt64 = 2  // PAWL_PF_NEEDS_ATFORK
        if manifest.threads > 1 {
            let isSaid = manifest.flags & noFork != 0
            return [
                CheckFinding(
                    "fork", isSaid ? .note : .warning,
                    "it has \(manifest.threads) threads after loading, so every attempt loads it afresh, which takes milliseconds",
                    advice: isSaid ? nil : "start threads in child_start; if that cannot be, say PAWL_PF_NO_FORK")
            ]
        }
        if manifest.flags & noFork != 0 {
            return [CheckFinding("fork", .note, "it asks to be loaded afresh for every attempt (PAWL_PF_NO_FORK)")]
        }
        let way =
            manifest.flags & atFork != 0
            ? "forked through the C library, for its pthread_atfork" : "one thread after loading: forked"
        let pooled = manifest.flags & PluginManifest.reusable != 0 ? ", and may be pooled" : ""
        return [CheckFinding("fork", .ok, way + pooled)]
    }

    private func cost(_ manifest: PluginManifest) -> [CheckFinding] {
        var findings: [CheckFinding] = []
        if manifest.rssBytes > Self.heavyBytes {
            findings.append(
                CheckFinding(
                    "size", .warning,
                    "\(manifest.rssBytes >> 20) MiB are resident after loading, so that each fork is slow",
                    advice: "load large tables in child_start, or map them from a file"))
        }
        if manifest.loadTime > Self.slowLoad {
            findings.append(
                CheckFinding(
                    "size", .warning, "loading it took \(Self.words(manifest.loadTime))",
                    advice: "a new version waits for this before it goes live: move work out of init and prefork"))
        }
        return findings
    }

    private func schemas(_ manifest: PluginManifest) -> [CheckFinding] {
        var findings: [CheckFinding] = []
        for handler in manifest.handlers {
            for (what, text) in [("args", handler.argsSchema), ("result", handler.resultSchema)] {
                guard let text else { continue }
                do throws(JSONSchemaFault) {
                    _ = try JSONSchema(parsing: text)
                } catch {
                    findings.append(
                        CheckFinding(
                            "schema", .warning, "the schema of \(handler.name)'s \(what) cannot be used: \(error)",
                            advice: "it must be JSON Schema 2020-12; until then nothing is checked"))
                }
            }
        }
        let bare = manifest.handlers.filter { $0.argsSchema == nil }.map(\.name)
        if !bare.isEmpty {
            findings.append(
                CheckFinding(
                    "schema", .note,
                    "\(bare.prefix(6).joined(separator: ", "))\(bare.count > 6 ? ", …" : "") \(bare.count == 1 ? "has" : "have") no schema of the args",
                    advice:
                        "with one, wrong args are refused when the run is created, and new versions are compared with old ones"
                ))
        }
        if findings.isEmpty { findings.append(CheckFinding("schema", .ok, "all handlers' args are described")) }
        return findings
    }

    private func note(_ manifest: PluginManifest) -> [CheckFinding] {
        guard let image else { return [] }
        do throws(PluginNoteFault) {
            guard let note = try image.manifestNote() else { return [] }
            let differences = note.differences(from: manifest)
            if differences.isEmpty { return [CheckFinding("manifest", .ok, "\(PluginNote.section) says the same")] }
            return [
                CheckFinding(
                    "manifest", .warning, "\(PluginNote.section) is wrong: \(differences.joined(separator: "; "))",
                    advice: "write both from one source, or leave the section out")
            ]
        } catch {
            return [CheckFinding("manifest", .warning, "\(PluginNote.section) cannot be read: \(error.words)")]
        }
    }

    private static func words(_ time: Duration) -> String {
        let micros = Int64(time / .microseconds(1))
        return micros < 10_000 ? "\(micros) µs" : "\(micros / 1000) ms"
    }
}
