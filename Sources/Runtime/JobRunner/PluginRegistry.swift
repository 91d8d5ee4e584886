import JobCore
import JobStore
import Logging
import Plugins
import Supervision
import UVLoop

/// Brings what the plugin directory offers into the database: every handler becomes a job, every version a row.
///
/// A version serves as soon as its zygote is warm, database or not; its rows follow, and are tried again until they are in.
@LoopActor
final class PluginRegistry: PluginCatalogDelegate {
    private let store: JobStore
    private let logger: Logger
    /// Newest version per file that is not in the database yet.
    private var pending: [String: ActivePlugin] = [:]
    private var isWriting = false
    /// Handlers may be served that were not before, or the other way round.
    var onChange: (@LoopActor () -> Void)?

    init(store: JobStore, logger: Logger) {
        self.store = store
        self.logger = logger
    }

    /// Whether every active version's jobs are in the database.
    var isSettled: Bool { self.pending.isEmpty && !self.isWriting }

    func pluginActivated(_ plugin: ActivePlugin) async {
        self.logger.info(
            "plugin serves",
            metadata: [
                "file": "\(plugin.file)", "plugin": "\(plugin.manifest.name)", "version": "\(plugin.sha256.prefix(12))",
                "handlers": "\(plugin.manifest.handlers.count)",
            ])
        self.pending[plugin.file] = plugin
        self.onChange?()
        self.write()
    }

    func pluginChanged(_ status: PluginStatus) {
        if let error = status.error {
            self.logger.error("plugin refused", metadata: ["file": "\(status.file)", "error": "\(error)"])
        }
        self.onChange?()
    }

    private func write() {
        guard !self.isWriting, !self.pending.isEmpty else { return }
        self.isWriting = true
        loopTask {
            await self.writeAll()
            self.isWriting = false
            self.onChange?()
        }
    }

    private func writeAll() async {
        while let (file, plugin) = self.pending.first {
            do {
                try await self.store.recordPluginVersion(plugin.row)
                try await self.store.registerHandlers(plugin: plugin.manifest.name, plugin.jobs)
                if self.pending[file] == plugin { self.pending[file] = nil }
            } catch {
                self.logger.warning(
                    "a plugin's jobs wait for the database", metadata: ["file": "\(file)", "error": "\(error)"])
                do { try await LoopClock.sleep(for: .milliseconds(500)) } catch { return }
            }
        }
    }
}

extension ActivePlugin {
    fileprivate var row: PluginVersionRow {
        PluginVersionRow(
            sha256: self.sha256, plugin: self.manifest.name, label: self.manifest.version,
            abi: "\(self.manifest.abiMajor).\(self.manifest.abiMinor)", sizeBytes: Int64(clamping: self.bytes),
            firstSeenAt: self.loadedAt, lastActiveAt: self.loadedAt)
    }

    fileprivate var jobs: [JobUpsert] {
        self.manifest.handlers.map {
            JobUpsert(
                handler: $0.name, description: $0.description, argsSchema: $0.argsSchema, resultSchema: $0.resultSchema,
                limits: $0.limits)
        }
    }
}
