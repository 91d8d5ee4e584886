import FoundationEssentials
package import PluginABI

/// A handler behind `pawl_handler.user`: its types erased, its calls bridged. Immortal.
package final class HandlerBox: Sendable {
    let name: String
    let summary: String
    package let argsSchema: String?
    package let resultSchema: String?
    let limits: Limits
    private let start: @Sendable (Attempt, Data) -> Ending
    private let warm: @Sendable () -> Void

    /// Throws where a note names a member that is not there.
    package init<H: Handler>(_ handler: H) throws(NoteFault) {
        self.name = H.name
        self.summary = H.summary
        self.limits = H.limits
        let args = try H.argsSchema.noted(.recording(H.Args.self), of: "\(H.Args.self)")
        let result = try H.resultSchema.noted(.recording(resultType: H.Result.self), of: "\(H.Result.self)")
        let defaults = Defaults(args)
        self.argsSchema = H.argsSchema.text(derivedFrom: args)
        self.resultSchema = H.resultSchema.text(derivedFrom: result)
        self.start = { attempt, json in Self.run(handler, attempt, defaults?.filled(json) ?? json, args) }
        self.warm = {
            // Their failures mean nothing: a sample need not satisfy an initialiser of the author's own.
            do {
                if let args { _ = try Coders.decoder().decode(H.Args.self, from: args.sample) }
            } catch {}
            do {
                if let result, let type = H.Result.self as? any Decodable.Type {
                    let value = try Coders.decoder().decode(type, from: result.sample)
                    if let value = value as? any Encodable { _ = try Coders.encoder().encode(value) }
                } else {
                    _ = try Coders.encoder().encode(["warm": [1]])
                }
            } catch {}
        }
    }

    /// Runs both coders once on samples of the handler's types. No threads: for the zygote.
    package func warmUp() {
        self.warm()
    }

    /// One attempt, from the args to the host's last word. Worker thread; returns `PAWL_OK` or `PAWL_E_*`.
    package func run(_ handle: UnsafeMutablePointer<pawl_attempt>, _ args: pawl_bytes) -> Int32 {
        let attempt = Attempt(handle)
        let json = Data(UnsafeRawBufferPointer(start: args.ptr, count: args.len))
        return attempt.end(CancellationCall.reach(attempt) { self.start(attempt, json) })
    }

    private static func run<H: Handler>(_ handler: H, _ attempt: Attempt, _ json: Data, _ shape: RecordedType?)
        -> Ending
    {
        let args: H.Args
        do {
            args = try Coders.decoder().decode(H.Args.self, from: json)
        } catch {
            return Ending(undecodable: json, as: shape, error)
        }
        let ending = Slot<Ending>()
        let watcher = CancellationCall.willCome ? nil : CancellationWatcher.start(for: attempt)
        WorkerExecutor().run(
            {
                do {
                    ending.set(Ending(result: try await handler.run(args, Context(attempt: attempt))))
                } catch {
                    ending.set(Ending(thrown: error, isCancelled: attempt.isCancelled))
                }
            }, started: attempt.watch)
        watcher?.stop()
        return ending.take()
    }
}

extension HandlerBox {
    /// The descriptor. All it points to is immortal, the box included.
    var raw: pawl_handler {
        var raw = pawl_handler()
        raw.struct_size = UInt32(MemoryLayout<pawl_handler>.size)
        raw.name = self.name.immortal
        raw.description = self.summary.isEmpty ? nil : self.summary.immortal
        raw.args_schema = self.argsSchema?.immortal
        raw.result_schema = self.resultSchema?.immortal
        if self.limits != Limits() {
            let limits = UnsafeMutablePointer<pawl_limits>.allocate(capacity: 1)
            limits.initialize(to: self.limits.raw)
            raw.limits = UnsafePointer(limits)
        }
        raw.user = Unmanaged.passRetained(self).toOpaque()
        raw.run = { user, attempt, args in
            guard let user, let attempt else { return PAWL_E_INTERNAL }
            return Unmanaged<HandlerBox>.fromOpaque(user).takeUnretainedValue().run(attempt, args)
        }
        return raw
    }
}

extension Limits {
    /// 0 where the host's default holds.
    fileprivate var raw: pawl_limits {
        func millis(_ duration: Duration?) -> UInt64 {
            // A limit under a millisecond must not become "none".
            duration.map {
                max(
                    1,
                    UInt64(clamping: $0.components.seconds) &* 1000
                        + UInt64(clamping: $0.components.attoseconds / 1_000_000_000_000_000))
            } ?? 0
        }
        return pawl_limits(
            struct_size: UInt32(MemoryLayout<pawl_limits>.size), attempts: self.attempts ?? 0,
            wall_ms: millis(self.wall), cpu_ms: millis(self.cpu), memory_bytes: self.memoryBytes ?? 0,
            output_bytes: self.outputBytes ?? 0, file_bytes: self.fileBytes ?? 0, open_files: self.openFiles ?? 0,
            processes: self.processes ?? 0, cancel_grace_ms: millis(self.cancelGrace),
            term_grace_ms: millis(self.termGrace))
    }
}
