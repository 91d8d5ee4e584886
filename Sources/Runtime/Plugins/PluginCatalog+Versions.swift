internal import Glibc
internal import JobCore
internal import Logging
internal import Supervision
internal import UVLoop

/// What becomes of versions while they are loaded, and whether their bytes are what they should be.
extension PluginCatalog {
    private static let reviveDelay = Duration.seconds(5)

    /// Something about a version's zygote is different.
    func versionChanged(_ sha256: String) {
        let isLooping = self.supervisor.isCrashLooping(sha256)
        let isGone = !self.supervisor.isLoaded(sha256)
        for entry in Array(self.entries.values) {
            guard let version = entry.versions[sha256] else { continue }
            let before = entry.status
            version.remarks = self.supervisor.remarks(on: sha256)
            if entry.machine.active == sha256, isLooping != entry.machine.isCrashLooping {
                entry.machine.crashLoop(sha256, isLooping)
                self.tell(entry, isLooping ? .crashLoop : .recovered, sha256)
                if isLooping { self.standIn(entry) } else { self.standBack(entry, .crashLoop) }
            }
            if isGone, entry.machine.draining.contains(sha256) {
                entry.machine.retired(sha256)
                self.tell(entry, .retired, sha256)
            }
            if isGone && entry.machine.active == sha256 { self.revive(entry) }
            if isGone && entry.machine.canary == sha256 {
                self.judged(entry.trial?.machine.lost("its zygote cannot be started again") ?? .keep, entry)
            }
            if !version.image.isIntact, entry.machine.active == sha256 { self.heal(entry, version) }
            let wasReady = entry.isReady
            if entry.machine.active == sha256 { entry.isReady = self.supervisor.takesAttempts(sha256) }
            if entry.status != before || entry.isReady != wasReady { self.publish(entry) }
            self.forgetIfGone(entry)
        }
    }

    /// A zygote has died under its runs.
    func zygoteDied(_ sha256: String) {
        for entry in Array(self.entries.values) where entry.machine.active == sha256 {
            guard let decision = entry.guard?.lost(at: self.now) else { continue }
            self.judged(decision, sha256, entry)
        }
    }

    /// The version before takes the runs of one whose zygote dies again and again, until that has had a rest.
    private func standIn(_ entry: PluginEntry) {
        self.work { _ = await self.loadPrevious(entry, .crashLoop) }
        guard let active = entry.machine.active else { return }
        entry.forgiveTimer.start(after: Self.rest) { [weak self] in self?.supervisor.forgive(active) }
    }

    /// A crash loop is forgotten after this time, and may begin anew.
    private static let rest = Duration.seconds(300)

    /// The zygote of a version that serves could not be started again: its runs wait until it can.
    private func revive(_ entry: PluginEntry) {
        guard !entry.isReviving, !self.isStopped, let version = entry.active else { return }
        entry.isReviving = true
        self.logger.error("\(entry.file) has lost its zygote; it is loaded again in \(Self.reviveDelay)")
        loopTask {
            do { try await LoopClock.sleep(for: Self.reviveDelay) } catch {}
            entry.isReviving = false
            await self.reload(entry, version)
        }
    }

    /// Loads what serves once more. A failure comes back through `versionChanged`.
    func reload(_ entry: PluginEntry, _ version: PluginVersion) async {
        guard !self.isStopped, entry.machine.active == version.sha256 else { return }
        do throws(ReloadFault) {
            version.image = try await self.intact(version.image, entry)
            do throws(PluginRefusal) { _ = try await self.supervisor.load(version.image) } catch {
                throw ReloadFault(.refused, error.message)
            }
        } catch {
            self.logger.error("\(entry.file) cannot be loaded again: \(error)")
        }
        self.versionChanged(version.sha256)
    }

    // MARK: Bytes

    /// The image with a seal: its bytes are those that its name says. What is broken is fetched from where other hosts have it.
    func intact(_ image: PluginImage, _ entry: PluginEntry) async throws(ReloadFault) -> PluginImage {
        do throws(ReloadFault) { return try await self.sealed(image) } catch {
            guard error.code == .badFile,
                let fetched = await self.delegate?.bytesWanted(image.sha256, of: entry.title),
                fetched.sha256 == image.sha256, fetched.seal != nil, fetched.isIntact
            else { throw error }
            self.logger.notice(
                "the right bytes of a version are in the store again", metadata: ["path": "\(fetched.path)"])
            return fetched
        }
    }

    private func sealed(_ image: PluginImage) async throws(ReloadFault) -> PluginImage {
        if image.seal != nil, image.isIntact { return image }
        let seal = FileSeal(of: image.path)
        do throws(IngestFault) {
            let hash = try await self.ingester.hash(of: image.path)
            guard let seal, image.path.hasSuffix("/\(hash).so") else {
                throw IngestFault("its file in the store is not what it was: its bytes hash to \(hash.prefix(12))…")
            }
            var image = image
            image.seal = seal
            return image
        } catch {
            // What is no use must not be in the way of the right bytes; whether it is none has to be known.
            if error.kind != .passing, FileSeal(of: image.path) == seal { unlink(image.path) }
            throw ReloadFault(error)
        }
    }

    /// Somebody has changed the file of the version that serves. Its zygote goes on with what it has mapped, for what that is
    /// worth, until the right bytes are there again.
    func heal(_ entry: PluginEntry, _ version: PluginVersion) {
        guard !entry.isReviving else { return }
        entry.isReviving = true
        self.logger.error(
            "the store's file of a version that serves was changed",
            metadata: ["plugin": "\(entry.title)", "path": "\(version.image.path)"])
        if !entry.isTampered {
            self.tell(entry, .tampered, version.sha256, words: "\(version.image.path) is not what it was")
        }
        entry.isTampered = true
        self.work {
            do throws(ReloadFault) {
                version.image = try await self.intact(version.image, entry)
            } catch {
                if let directory = self.directory, entry.hasFile {
                    do throws(IngestFault) {
                        let image = try await self.ingester.ingest(
                            "\(directory)/\(entry.file)", entry.kind, hint: entry.file)
                        if image.sha256 == version.sha256 { version.image = image }
                    } catch {
                        self.logger.error("\(entry.file) cannot be taken again: \(error.words)")
                    }
                }
            }
            entry.isReviving = false
            guard version.image.isIntact, entry.machine.active == version.sha256 else { return self.revive(entry) }
            self.supervisor.retire(version.sha256)
            await self.reload(entry, version)
            entry.isTampered = false
            self.tell(entry, .recovered, version.sha256)
        }
    }
}
