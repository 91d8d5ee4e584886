internal import CWire
internal import JobCore

/// Writes the host's frames to one child, numbered.
struct DataFrames {
    private var sequence: UInt32 = 0

    /// RUN and, in pieces, ARGS. `environment`: for a child whose SPAWN did not know the attempt; `cpu` likewise. `place`: on the
    /// child's board, 0 if it has none.
    mutating func run(
        _ spec: AttemptSpec, deadlineNanos: Int64, scratch: [UInt8], environment: [UInt8] = [], cpu: Duration? = nil,
        place: UInt32 = 0, isAhead: Bool = false
    ) -> [UInt8] {
        let run = spec.wireID
        let job = Array(spec.jobName.utf8)
        let trace = Array((spec.traceparent ?? "").utf8)
        let name = Array(spec.runName.utf8)
        var bytes: [UInt8] = []
        let length =
            MemoryLayout<pawl_f_run>.size + job.count + trace.count + scratch.count + name.count + environment.count
        bytes.reserveCapacity(spec.args.count + 2 * MemoryLayout<pawl_frame>.size + length)
        self.head(PAWL_F_RUN, run, length, &bytes, flags: isAhead ? PAWL_FLAG_AHEAD : 0)
        bytes.appendWire(
            pawl_f_run(
                attempt: UInt32(clamping: spec.attempt), handler_index: UInt32(clamping: spec.handlerIndex),
                deadline_ns: deadlineNanos, args_length: UInt64(spec.args.count), job_length: UInt32(job.count),
                traceparent_length: UInt32(trace.count), scratch_length: UInt32(scratch.count),
                run_name_length: UInt32(name.count), environment_length: UInt32(environment.count), place: place,
                cpu_ms: UInt64(clamping: cpu?.wholeMilliseconds ?? 0)))
        bytes += job
        bytes += trace
        bytes += scratch
        bytes += name
        bytes += environment
        var position = 0
        while position < spec.args.count {
            let end = min(spec.args.count, position + Int(PAWL_FRAME_MAX))
            self.head(PAWL_F_ARGS, run, end - position, &bytes, flags: end < spec.args.count ? PAWL_FLAG_MORE : 0)
            bytes += spec.args[position..<end]
            position = end
        }
        return bytes
    }

    // `run`: a child that has gone on to another one does not heed it.

    mutating func cancel(_ run: UInt64, reason: UInt32, grace: Duration) -> [UInt8] {
        let grace = UInt32(clamping: grace.wholeMilliseconds)
        return self.frame(PAWL_F_CANCEL, run, pawl_f_cancel(reason: reason, grace_ms: grace))
    }

    mutating func credit(_ run: UInt64, _ count: UInt32) -> [UInt8] {
        self.frame(PAWL_F_CREDIT, run, pawl_f_credit(bytes: count, reserved: 0))
    }

    mutating func deadline(_ run: UInt64, _ nanos: Int64) -> [UInt8] {
        self.frame(PAWL_F_DEADLINE, run, pawl_f_deadline(deadline_ns: nanos))
    }

    /// Answered by POSITION, where the plugin tells it, and PONG.
    mutating func ping(_ run: UInt64) -> [UInt8] {
        var bytes: [UInt8] = []
        self.head(PAWL_F_PING, run, 0, &bytes)
        return bytes
    }

    mutating func bye() -> [UInt8] {
        var bytes: [UInt8] = []
        self.head(PAWL_F_BYE, 0, 0, &bytes)
        return bytes
    }

    private mutating func frame<T: BitwiseCopyable>(_ kind: pawl_frame_kind, _ run: UInt64, _ body: T) -> [UInt8] {
        var bytes: [UInt8] = []
        self.head(kind, run, MemoryLayout<T>.size, &bytes)
        bytes.appendWire(body)
        return bytes
    }

    private mutating func head(
        _ kind: pawl_frame_kind, _ run: UInt64, _ length: Int, _ bytes: inout [UInt8], flags: UInt32 = 0
    ) {
        bytes.appendWire(
            pawl_frame(
                length: UInt32(length), kind: UInt16(kind.rawValue), flags: UInt16(flags), run_id: run,
                sequence: self.sequence, reserved: 0))
        self.sequence &+= 1
    }
}

extension AttemptSpec {
    /// Its run in frames.
    var wireID: UInt64 { UInt64(bitPattern: self.runID.rawValue) }
}
