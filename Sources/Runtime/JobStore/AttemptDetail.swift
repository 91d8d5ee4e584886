import JobCore

/// What most attempts do not have: kept together in one JSON column, null for them.
struct AttemptDetail {
    var crash: CrashInfo?
    var ladder: [LadderStep] = []
    var outputHead = ""
    var outputTail = ""
    var droppedLogLines: UInt64 = 0
    var droppedOutputBytes: UInt64 = 0
    var survivorsKilled = 0

    init(_ report: AttemptReport) {
        crash = report.crash
        ladder = report.ladder
        outputHead = report.outputHead
        outputTail = report.outputTail
        droppedLogLines = report.droppedLogLines
        droppedOutputBytes = report.droppedOutputBytes
        survivorsKilled = report.survivorsKilled
    }

    /// Nil if there is nothing to tell.
    var json: String? {
        var members: [JSONMember] = []
        func add(_ key: String, _ number: some BinaryInteger) {
            if number != 0 { members.append(JSONMember(key, .number(String(number)))) }
        }
        if let crash {
            members.append(
                JSONMember(
                    "crash",
                    .object([
                        JSONMember("signal", .number(String(crash.signal))),
                        JSONMember("code", .number(String(crash.code))),
                        // Addresses are texts: a JSON number is a double to most readers.
                        JSONMember("address", .string(Self.hexadecimal(crash.address))),
                        JSONMember("pc", .string(Self.hexadecimal(crash.pc))),
                        JSONMember("thread", .string(crash.threadName)),
                        JSONMember("frames", .array(crash.frames.map { .string(Self.hexadecimal($0)) })),
                        JSONMember("address_space_bytes", .number(String(crash.addressSpaceBytes))),
                    ])))
        }
        if !ladder.isEmpty {
            let steps: [JSONValue] = ladder.map { step in
                .object([JSONMember("name", .string(step.name)), JSONMember("at_ms", .number(String(step.atMillis)))])
            }
            members.append(JSONMember("ladder", .array(steps)))
        }
        if !outputHead.isEmpty { members.append(JSONMember("output_head", .string(outputHead))) }
        if !outputTail.isEmpty { members.append(JSONMember("output_tail", .string(outputTail))) }
        add("dropped_log_lines", droppedLogLines)
        add("dropped_output_bytes", droppedOutputBytes)
        add("survivors_killed", survivorsKilled)
        return members.isEmpty ? nil : JSONValue.object(members).json
    }

    /// What is missing or of another kind is left empty.
    init(_ value: JSONValue?) {
        guard let value else { return }
        if let crash = value["crash"] {
            self.crash = CrashInfo(
                signal: Int32(clamping: crash["signal"]?.integer ?? 0),
                code: Int32(clamping: crash["code"]?.integer ?? 0),
                address: Self.address(crash["address"]), pc: Self.address(crash["pc"]),
                threadName: crash["thread"]?.text ?? "",
                frames: (crash["frames"]?.elements ?? []).map { Self.address($0) },
                addressSpaceBytes: UInt64(clamping: crash["address_space_bytes"]?.integer ?? 0))
        }
        ladder = (value["ladder"]?.elements ?? []).map {
            LadderStep(name: $0["name"]?.text ?? "", atMillis: $0["at_ms"]?.integer ?? 0)
        }
        outputHead = value["output_head"]?.text ?? ""
        outputTail = value["output_tail"]?.text ?? ""
        droppedLogLines = UInt64(clamping: value["dropped_log_lines"]?.integer ?? 0)
        droppedOutputBytes = UInt64(clamping: value["dropped_output_bytes"]?.integer ?? 0)
        survivorsKilled = Int(clamping: value["survivors_killed"]?.integer ?? 0)
    }

    private static func hexadecimal(_ address: UInt64) -> String { "0x" + String(address, radix: 16) }

    private static func address(_ value: JSONValue?) -> UInt64 {
        value?.text.flatMap { UInt64($0.dropFirst(2), radix: 16) } ?? 0
    }
}
