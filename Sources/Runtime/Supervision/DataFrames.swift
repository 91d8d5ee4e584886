internal import CWire
internal import JobCore

/// Writes the host's frames to one child, numbered.
struct DataFrames {
    /// Of the present run.
    var runID: UInt64
    private var sequence: UInt32 = 0

    init(runID: UInt64) { self.runID = runID }

    /// RUN and, in pieces, ARGS. `environment`: for a child whose SPAWN did not know the attempt; `cpu` likewise.
    mutating func run(
        _ spec: AttemptSpec, deadlineNanos: Int64, scratch: [UInt8], environment: [UInt8] = [], cpu: Duration? = nil
    ) -> [UInt8] {
        let job = Array(spec.jobName.utf8)
        let trace = Array((spec.traceparent ?? "").utf8)
        let name = Array(spec.runName.utf8)
        var bytes: [UInt8] = []
        let length =
            MemoryLayout<pawl_f_run>.size + job.count + trace.count + scratch.count + name.count + environment.count
        bytes.reserveCapacity(spec.args.count + 2 * MemoryLayout<pawl_frame>.size + length)
        self.head(PAWL_F_RUN, length, &bytes)
        bytes.appendWire(
            pawl_f_run(
                attempt: UInt32(clamping: spec.attempt), handler_index: UInt32(clamping: spec.handlerIndex),
                deadline_ns: deadlineNanos, args_length: UInt64(spec.args.count), job_length: UInt32(job.count),
                traceparent_length: UInt32(trace.count), scratch_length: UInt32(scratch.count),
                run_name_length: UInt32(name.count), environment_length: UInt32(environment.count), reserved: 0,
                cpu_ms: UInt64(clamping: cpu?.wholeMilliseconds ?? 0)))
        bytes += job
        bytes += trace
        bytes += scratch
        bytes += name
        bytes += environment
        var position = 0
        while position < spec.args.count {
            let end = min(spec.args.count, position + Int(PAWL_FRAME_MAX))
            self.head(PAWL_F_ARGS, end - position, &bytes, hasMore: end < spec.args.count)
            bytes += spec.args[position..<end]
            position = end
        }
        return bytes
    }

    mutating func cancel(reason: UInt32, grace: Duration) -> [UInt8] {
        let grace = UInt32(clamping: grace.wholeMilliseconds)
        return self.frame(PAWL_F_CANCEL, pawl_f_cancel(reason: reason, grace_ms: grace))
    }

    mutating func credit(_ count: UInt32) -> [UInt8] {
        self.frame(PAWL_F_CREDIT, pawl_f_credit(bytes: count, reserved: 0))
    }

    /// Answered by POSITION, where the plugin tells it, and PONG.
    mutating func ping() -> [UInt8] {
        var bytes: [UInt8] = []
        self.head(PAWL_F_PING, 0, &bytes)
        return bytes
    }

    mutating func bye() -> [UInt8] {
        var bytes: [UInt8] = []
        self.head(PAWL_F_BYE, 0, &bytes)
        return bytes
    }

    mutating func deadline(_ nanos: Int64) -> [UInt8] {
        self.frame(PAWL_F_DEADLINE, pawl_f_deadline(deadline_ns: nanos))
    }

    private mutating func frame<T: BitwiseCopyable>(_ kind: pawl_frame_kind, _ body: T) -> [UInt8] {
        var bytes: [UInt8] = []
        self.head(kind, MemoryLayout<T>.size, &bytes)
        bytes.appendWire(body)
        return bytes
    }

    private mutating func head(
        _ kind: pawl_frame_kind, _ length: Int, _ bytes: inout [UInt8], hasMore: Bool = false
    ) {
        bytes.appendWire(
            pawl_frame(
                length: UInt32(length), kind: UInt16(kind.rawValue), flags: hasMore ? UInt16(PAWL_FLAG_MORE) : 0,
                run_id: self.runID, sequence: self.sequence, reserved: 0))
        self.sequence &+= 1
    }
}
