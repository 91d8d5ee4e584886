internal import CWire
internal import JobCore

extension PluginManifest {
    /// Reads the JSON that a zygote wrote about its plugin, whose members are those of the ABI's descriptor.
    init(zygote text: [UInt8], _ ready: pawl_c_ready, notes: [String]) throws(WireFault) {
        guard let text = String(validating: text, as: UTF8.self) else { throw WireFault("a manifest that is no UTF-8") }
        let value: JSONValue
        do { value = try JSONValue(parsing: text) } catch { throw WireFault("a manifest that is no JSON: \(error)") }
        guard let name = value["name"]?.text, let handlers = value["handlers"]?.elements else {
            throw WireFault("a manifest without name or handlers")
        }
        var parsed: [HandlerManifest] = []
        for handler in handlers { parsed.append(try HandlerManifest(zygote: handler)) }
        self.init(
            name: name, version: value["version"]?.text ?? "", abiMajor: Int(value["abi_major"]?.integer ?? 0),
            abiMinor: Int(value["abi_minor"]?.integer ?? 0), flags: ready.plugin_flags, handlers: parsed,
            forkMode: ready.fork_mode == PAWL_FORK_SPAWN
                ? .spawn : ready.fork_mode == PAWL_FORK_GLIBC ? .glibc : .clone3,
            threads: Int(ready.threads), rssBytes: ready.rss_bytes,
            loadTime: .nanoseconds(Int64(clamping: ready.load_ns)), notes: notes)
    }
}

extension HandlerManifest {
    fileprivate init(zygote value: JSONValue) throws(WireFault) {
        guard let name = value["name"]?.text else { throw WireFault("a handler without a name") }
        let limits: Limits
        do {
            limits =
                try value["limits"].map { value throws(FieldFault) in
                    value == .null ? Limits() : try Limits(value)
                } ?? Limits()
        } catch { throw WireFault("limits of \(name): \(error)") }
        self.init(
            name: name, description: value["description"]?.text, argsSchema: Self.schema(value["args_schema"]),
            resultSchema: Self.schema(value["result_schema"]), limits: limits)
    }

    /// A schema stands in the manifest as the plugin's text, or as JSON itself.
    private static func schema(_ value: JSONValue?) -> String? {
        switch value {
        case nil, .null: nil
        case .string(let text): text.isEmpty ? nil : text
        case .some(let value): value.json
        }
    }
}
