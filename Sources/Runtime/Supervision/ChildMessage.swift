internal import CWire
internal import JobCore

/// A place in a handler's source.
struct CodePosition: Sendable, Hashable {
    var file: String
    var line: UInt32
}

/// What a child says, decoded.
enum ChildMessage {
    case up
    case started(at: WallTime)
    case log(LogLine)
    case progress(Progress)
    /// A piece of the result; `ResultAssembler` knows which.
    case resultPiece(UnsafeRawBufferPointer, hasMore: Bool)
    case failure(AttemptError, status: Int32)
    case snooze(WallTime)
    /// A run that it wants if its attempt succeeds.
    case followUp(FollowUp)
    case pong
    /// Where the handler called its SDK last.
    case position(CodePosition)
    /// Log lines that it dropped for lack of credit, so far.
    case dropped(UInt64)
    /// The run is over, and this is what the child found when it looked at itself.
    case idle(pawl_f_idle)
    /// Of a kind that this host does not know and may skip.
    case unknown

    init(_ header: FrameParser.Header, _ payload: UnsafeRawBufferPointer) throws(WireFault) {
        var reader = WireReader(payload)
        switch UInt32(header.kind) {
        case PAWL_F_UP.rawValue: self = .up
        case PAWL_F_STARTED.rawValue:
            let body = try reader.take(pawl_f_started.self)
            self = .started(at: WallTime(micros: Int64(clamping: body.unix_us)))
        case PAWL_F_LOG.rawValue: self = .log(try Self.log(&reader))
        case PAWL_F_PROGRESS.rawValue: self = .progress(try Self.progress(&reader))
        case PAWL_F_RESULT.rawValue: self = .resultPiece(payload, hasMore: header.hasMore)
        case PAWL_F_FAILURE.rawValue:
            let body = try reader.take(pawl_f_failure.self)
            self = .failure(try Self.error(body, &reader), status: body.status)
        case PAWL_F_SNOOZE.rawValue:
            self = .snooze(Self.wallTime(milliseconds: try reader.take(pawl_f_snooze.self).until_unix_ms))
        case PAWL_F_FOLLOW_UP.rawValue: self = .followUp(try Self.followUp(&reader))
        case PAWL_F_PONG.rawValue: self = .pong
        case PAWL_F_POSITION.rawValue:
            let body = try reader.take(pawl_f_position.self)
            self = .position(CodePosition(file: try reader.text(body.file_length), line: body.line))
        case PAWL_F_IDLE.rawValue: self = .idle(try reader.take(pawl_f_idle.self))
        case PAWL_F_DROPPED.rawValue: self = .dropped(try reader.take(pawl_f_dropped.self).lines)
        default:
            guard header.isOptional else { throw WireFault("a frame of unknown kind \(header.kind)") }
            self = .unknown
        }
    }

    private static func log(_ reader: inout WireReader) throws(WireFault) -> LogLine {
        let body = try reader.take(pawl_f_log.self)
        let stage = try reader.optionalText(body.stage_length)
        let message = try reader.text(body.message_length)
        var fields = try reader.optionalText(body.fields_length)
        if let text = fields, body.flags & 2 != 0 || !isObject(text) {
            // Kept as text, so that nothing a handler says is lost.
            fields = "{\"text\":\(JSONText.quoted(text))}"
        }
        return LogLine(
            time: WallTime(micros: Int64(clamping: body.unix_us)), level: LogLevel(rawValue: Int(body.level)) ?? .info,
            stream: .handler, stage: stage, message: message, fields: fields)
    }

    /// The child has looked too, but its memory is the handler's to break, and one bad text would fail a batch of rows.
    private static func isObject(_ text: String) -> Bool {
        do { return try JSONText.check(text) == .object } catch { return false }
    }

    private static func progress(_ reader: inout WireReader) throws(WireFault) -> Progress {
        let body = try reader.take(pawl_f_progress.self)
        let stage = try reader.optionalText(body.stage_length)
        let unit = try reader.optionalText(body.unit_length)
        let message = try reader.optionalText(body.message_length)
        // As many as the ABI allows; a broken child must not make the host insert a million.
        guard body.counter_count <= 64 else { throw WireFault("\(body.counter_count) counters, where 64 are the most") }
        var counters: [Progress.Counter] = []
        for _ in 0..<body.counter_count {
            let value = try reader.take(Int64.self)
            let length = try reader.take(UInt16.self)
            counters.append(Progress.Counter(kind: try reader.text(length), value: value))
        }
        return Progress(
            stage: stage, current: body.current, total: body.total == UInt64.max ? nil : body.total, unit: unit,
            message: message, counters: counters)
    }

    /// Bounds are looked at when it is to be made: what is wrong with it then is the run's fault, not a broken child's.
    private static func followUp(_ reader: inout WireReader) throws(WireFault) -> FollowUp {
        let body = try reader.take(pawl_f_follow_up.self)
        let job = try reader.text(body.job_length)
        let args = try reader.text(body.args_length)
        let queue = try reader.optionalText(body.queue_length)
        let title = try reader.optionalText(body.title_length)
        var labels: [String: String] = [:]
        if let text = try reader.optionalText(body.labels_length) {
            do {
                guard case .object(let members) = try JSONValue(parsing: text) else { throw WireFault("no object") }
                for member in members { labels[member.key] = member.value.text ?? member.value.json }
            } catch { throw WireFault("labels of a follow-up run: \(error)") }
        }
        return FollowUp(
            job: job, args: args, delay: body.delay_ms == 0 ? nil : .milliseconds(body.delay_ms),
            priority: body.flags & PAWL_FOLLOW_UP_HAS_PRIORITY == 0 ? nil : body.priority,
            attempts: body.attempts == 0 ? nil : Int(body.attempts), queue: queue, title: title, labels: labels)
    }

    private static func error(_ body: pawl_f_failure, _ reader: inout WireReader) throws(WireFault) -> AttemptError {
        let code = try reader.optionalText(body.code_length)
        let message = try reader.text(body.message_length)
        var details = try reader.optionalText(body.details_length)
        if let text = details, !isJSON(text) { details = JSONText.quoted(text) }
        let retry: AttemptError.Retry =
            switch (AttemptError.Retry(rawValue: Int(body.retry)) ?? .byPolicy, body.status) {
            case (.byPolicy, 5): .never  // PAWL_E_INVALID_INPUT: the args will not get better.
            case (.byPolicy, 2): .yes  // PAWL_E_RETRY
            case (let asked, _): asked
            }
        return AttemptError(
            code: code ?? statusWord(body.status), message: message, detailsJSON: details, retry: retry,
            notBefore: body.not_before_unix_ms > 0 ? wallTime(milliseconds: body.not_before_unix_ms) : nil)
    }

    private static func isJSON(_ text: String) -> Bool {
        do {
            _ = try JSONText.check(text)
            return true
        } catch { return false }
    }

    private static func wallTime(milliseconds: Int64) -> WallTime {
        let (micros, overflow) = milliseconds.multipliedReportingOverflow(by: 1000)
        return WallTime(micros: overflow ? (milliseconds < 0 ? .min : .max) : micros)
    }

    /// The code of a failure that gave none.
    private static func statusWord(_ status: Int32) -> String {
        let words = [
            "ok", "failed", "retry", "cancelled", "timeout", "invalid_input", "unsupported", "limit", "internal",
            "state", "not_found",
        ]
        if words.indices.contains(Int(status)) { return words[Int(status)] }
        return status >= 1000 ? "plugin_\(status)" : "failed"
    }
}
