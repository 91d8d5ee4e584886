import JobCore
import JobStore
import Logging
import Plugins
import Supervision
import UVLoop

/// How this host comes to serve what all are to serve.
extension PluginRegistry {
    /// Looks at the rows, at once; the poll calls it too, in case an announcement was lost.
    func look() {
        guard self.lease != nil else { return }
        guard !self.isLooking else {
            self.mustLookAgain = true
            return
        }
        self.isLooking = true
        loopTask {
            repeat {
                self.mustLookAgain = false
                await self.lookOnce()
            } while self.mustLookAgain
            self.isLooking = false
        }
    }

    /// Something about a plugin was announced.
    func heard(_ name: String) {
        let now = LoopInstant.now
        for key in name.isEmpty ? Array(self.places.keys) : [name] { self.places[key]?.hinted(now: now) }
        self.look()
    }

    private func lookOnce() async {
        do {
            let rows = try await self.store.plugins()
            self.hasSeenRows = true
            for row in rows where row.revision > 0 { self.seen(row) }
        } catch {
            return self.logger.debug("no look at plugins", metadata: ["error": "\(error)"])
        }
        for name in self.places.keys.sorted() { self.converge(name) }
    }

    /// An answer may be overtaken by a later one.
    func seen(_ row: PluginRow) {
        self.change(row.name) { place in
            if (place.row?.revision ?? -1) <= row.revision { place.row = row }
        }
    }

    /// Takes the next step, if there is one.
    func converge(_ name: String) {
        guard let place = self.places[name], let hands else { return }
        let step = place.step(isDeciding: self.decisions[name] != nil, now: .now)
        guard step != .nothing else { return }
        self.change(name) { $0.isMoving = true }
        self.changed()
        loopTask {
            do throws(PluginHandsFault) {
                try await self.take(step, name, hands)
                self.change(name) { $0.took(step) }
            } catch {
                self.failed(step, name, error)
            }
            self.change(name) { $0.isMoving = false }
            self.changed()
            self.converge(name)
        }
    }

    private func take(_ step: PluginPlace.Step, _ name: String, _ hands: any PluginHands) async throws(PluginHandsFault)
    {
        switch step {
        case .nothing: break
        case .serve(let sha256): try await hands.serve(try await self.obtain(sha256, name, hands), plugin: name)
        case .beginCanary(let canary):
            try await hands.beginCanary(
                try await self.obtain(canary.sha256, name, hands), plugin: name, policy: canary.policy)
        case .endCanary: await hands.endCanary(plugin: name)
        case .retire: await hands.retire(plugin: name)
        case .disable: try await hands.disable(plugin: name)
        case .enable: try await hands.enable(plugin: name)
        }
    }

    private func failed(_ step: PluginPlace.Step, _ name: String, _ fault: PluginHandsFault) {
        let sha256: String
        switch step {
        case .serve(let wanted): sha256 = wanted
        case .beginCanary(let canary): sha256 = canary.sha256
        case .nothing, .endCanary, .retire: return
        case .disable, .enable:
            // It is not here, or does not load: what is to be served is seen to next.
            self.logger.notice(
                "a plugin could not be \(step == .disable ? "disabled" : "enabled") here",
                metadata: ["plugin": "\(name)", "error": "\(fault.words)"])
            self.change(name) { place in
                place.took(step)
                place.active = nil
            }
            return
        }
        let wasBlocked = self.places[name]?.isBlocked ?? false
        self.change(name) { $0.failed(sha256, fault.words, isTransient: fault.isTransient, now: .now) }
        guard !wasBlocked, self.places[name]?.isBlocked == true else { return }
        self.logger.error(
            "this host cannot load the version that all are to serve; it takes no runs for the plugin",
            metadata: ["plugin": "\(name)", "version": "\(sha256.prefix(12))", "error": "\(fault.words)"])
        self.happened(
            NewPluginEvent(
                plugin: name, sha256: sha256, at: self.now(), kind: "cannot_follow",
                detail: JSONText.object(["words": fault.words])))
    }

    /// A version from this host's store, else from the database.
    func obtain(_ sha256: String, _ name: String, _ hands: any PluginHands) async throws(PluginHandsFault)
        -> PluginImage
    {
        if let image = hands.image(of: sha256) { return image }
        let fetched: PluginBytes.Fetched
        do throws(PluginBytesFault) { fetched = try await self.bytes.fetch(sha256) } catch {
            throw PluginHandsFault(words: error.words, isTransient: error.isTransient)
        }
        defer { fetched.remove() }
        let image = try await hands.take(fetched, plugin: name)
        guard image.sha256 == sha256 else {
            throw PluginHandsFault(
                words:
                    "its bytes in the database are not what they should be (they hash to \(image.sha256.prefix(12))…)")
        }
        return image
    }
}
