package import JobCore

// The JSON forms of what an attempt's detail holds. What is missing or of another kind is read as empty.

extension ResourceSample {
    /// `{at_ms, cpu_ms, rss_bytes, processes, threads, descriptors}`
    package var json: String {
        "{\"at_ms\":\(atMillis),\"cpu_ms\":\(cpuMillis),\"rss_bytes\":\(rssBytes),\"processes\":\(processes)"
            + ",\"threads\":\(threads),\"descriptors\":\(descriptors)}"
    }

    init(_ value: JSONValue) {
        func number(_ key: String) -> Int64 { value[key]?.integer ?? 0 }
        self.init(
            atMillis: number("at_ms"), cpuMillis: number("cpu_ms"), rssBytes: number("rss_bytes"),
            processes: Int(clamping: number("processes")), threads: Int(clamping: number("threads")),
            descriptors: Int(clamping: number("descriptors")))
    }
}

extension LeakReport {
    /// Without what is zero or empty.
    package var json: String { jsonValue.json }

    package var jsonValue: JSONValue {
        var members: [JSONMember] = []
        func add(_ key: String, _ number: some BinaryInteger) {
            if number != 0 { members.append(JSONMember(key, .number(String(number)))) }
        }
        add("processes", processes)
        add("scratch_files", scratchFiles)
        add("scratch_bytes", scratchBytes)
        add("descriptors", descriptors)
        add("threads", threads)
        add("growth_bytes", growthBytes)
        if !restored.isEmpty { members.append(JSONMember("restored", .array(restored.map { .string($0) }))) }
        if let recycled { members.append(JSONMember("recycled", .string(recycled))) }
        return .object(members)
    }

    init(_ value: JSONValue) {
        func number(_ key: String) -> Int64 { value[key]?.integer ?? 0 }
        self.init(
            processes: Int(clamping: number("processes")), scratchFiles: Int(clamping: number("scratch_files")),
            scratchBytes: number("scratch_bytes"), descriptors: Int(clamping: number("descriptors")),
            threads: Int(clamping: number("threads")), growthBytes: number("growth_bytes"),
            restored: (value["restored"]?.elements ?? []).compactMap(\.text), recycled: value["recycled"]?.text)
    }
}

extension LogLine {
    /// `{time, level, stream, stage?, message}`; a long message is cut.
    var json: String {
        var text = "{\"time\":\"\(time)\",\"level\":\"\(level.name)\",\"stream\":\"\(stream.name)\""
        if let stage { text += ",\"stage\":" + JSONText.quoted(stage) }
        return text + ",\"message\":" + JSONText.quoted(String(message.prefix(1000))) + "}"
    }

    init?(_ value: JSONValue) {
        guard let time = value["time"]?.text.flatMap({ WallTime(rfc3339: $0) }), let message = value["message"]?.text
        else { return nil }
        self.init(
            time: time, level: value["level"]?.text.flatMap { LogLevel(name: $0) } ?? .info,
            stream: value["stream"]?.text.flatMap { LogStream(name: $0) } ?? .handler, stage: value["stage"]?.text,
            message: message)
    }
}

extension CrashInfo {
    /// Of the modules those that an address of the crash points into: a process maps hundreds, and rows stay small.
    var usedModules: [MappedModule] {
        let addresses = frames + [pc, address]
        return modules.filter { module in addresses.contains { module.start <= $0 && $0 < module.end } }
    }

    /// Addresses are texts: a JSON number is a double to most readers.
    var json: String {
        func hexadecimal(_ address: UInt64) -> JSONValue { .string(HexAddress.text(address)) }
        var members = [
            JSONMember("signal", .number(String(signal))), JSONMember("code", .number(String(code))),
            JSONMember("address", hexadecimal(address)), JSONMember("pc", hexadecimal(pc)),
            JSONMember("thread", .string(threadName)),
            JSONMember("frames", .array(frames.map(hexadecimal))),
            JSONMember("address_space_bytes", .number(String(addressSpaceBytes))),
        ]
        if !registers.isEmpty {
            members.append(
                JSONMember("registers", .object(registers.map { JSONMember($0.name, hexadecimal($0.value)) })))
        }
        let modules = usedModules
        if !modules.isEmpty {
            let texts: [JSONValue] = modules.map { module in
                .object(
                    [
                        JSONMember("start", hexadecimal(module.start)), JSONMember("end", hexadecimal(module.end)),
                        JSONMember("offset", hexadecimal(module.fileOffset)), JSONMember("path", .string(module.path)),
                    ] + (module.buildID.map { [JSONMember("build_id", .string($0))] } ?? []))
            }
            members.append(JSONMember("modules", .array(texts)))
        }
        return JSONValue.object(members).json
    }

    init(_ value: JSONValue) {
        func address(_ value: JSONValue?) -> UInt64 { HexAddress.read(value) ?? 0 }
        self.init(
            signal: Int32(clamping: value["signal"]?.integer ?? 0), code: Int32(clamping: value["code"]?.integer ?? 0),
            address: address(value["address"]), pc: address(value["pc"]), threadName: value["thread"]?.text ?? "",
            frames: (value["frames"]?.elements ?? []).map(address),
            addressSpaceBytes: UInt64(clamping: value["address_space_bytes"]?.integer ?? 0))
        if case .object(let members)? = value["registers"] {
            registers = members.map { RegisterValue(name: $0.key, value: address($0.value)) }
        }
        modules = (value["modules"]?.elements ?? []).map { module in
            MappedModule(
                start: address(module["start"]), end: address(module["end"]), fileOffset: address(module["offset"]),
                path: module["path"]?.text ?? "", buildID: module["build_id"]?.text)
        }
    }
}
