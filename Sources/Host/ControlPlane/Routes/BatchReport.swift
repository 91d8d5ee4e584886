import HTTPTypes
import JobCore
import JobStore
import UVLoop

/// What is answered to a batch, in a form that is small enough to be kept for those who repeat it: ids follow on each other, and what
/// the request says is not said again.
struct BatchReport {
    /// Items in a row that differ in their ids alone, which follow on each other.
    private struct Stretch {
        var manner: Enqueued.Manner
        var state: RunState
        var first: Int64
        var count: Int
        var isUnchecked: Bool
    }

    private enum Part {
        case stretch(Stretch)
        /// The item's JSON.
        case refused(String)
    }

    private var parts: [Part] = []

    init() {}

    mutating func add(_ enqueued: Enqueued) {
        if case .stretch(var last)? = parts.last, last.manner == enqueued.manner, last.state == enqueued.state,
            last.isUnchecked == enqueued.isUnchecked, last.first + Int64(last.count) == enqueued.id.rawValue
        {
            last.count += 1
            parts[parts.count - 1] = .stretch(last)
        } else {
            parts.append(
                .stretch(
                    Stretch(
                        manner: enqueued.manner, state: enqueued.state, first: enqueued.id.rawValue, count: 1,
                        isUnchecked: enqueued.isUnchecked)))
        }
    }

    mutating func refuse(_ problem: Problem, _ run: NewRun) {
        var object = JSONObject()
        object.raw("id", "null")
        object.string("job", run.job)
        object.int("status", problem.status.code)
        object.string("code", problem.code)
        object.string("detail", problem.detail)
        if let existing = problem.existingRun { object.string("existing_run", existing.description) }
        if !problem.fields.isEmpty { object.array("errors", problem.fields.map(\.json)) }
        parts.append(.refused(object.text))
    }

    // MARK: Keeping it

    /// A JSON list: `[manner, state, first id, count, unchecked]` for a stretch, an object for a refused item.
    var stored: String {
        "["
            + parts.map { part in
                switch part {
                case .stretch(let part):
                    "[\"\(part.manner.rawValue)\",\"\(part.state.rawValue)\",\(part.first),\(part.count),\(part.isUnchecked)]"
                case .refused(let json): json
                }
            }.joined(separator: ",") + "]"
    }

    /// What cannot be read is left out: it was written by another version.
    init(stored: String) {
        let value: JSONValue
        do throws(JSONFault) { value = try JSONValue(parsing: stored) } catch { return }
        for part in value.elements ?? [] {
            guard let fields = part.elements else {
                parts.append(.refused(part.json))
                continue
            }
            guard fields.count >= 5, let manner = fields[0].text.flatMap(Enqueued.Manner.init(rawValue:)),
                let state = fields[1].text.flatMap(RunState.init(rawValue:)), let first = fields[2].integer,
                let count = fields[3].integer
            else { continue }
            parts.append(
                .stretch(
                    Stretch(
                        manner: manner, state: state, first: first, count: Int(count),
                        isUnchecked: fields[4] == .boolean(true))))
        }
    }

    // MARK: Answering

    /// - Parameter runs: the items of the request.
    func answer(_ runs: [NewRun], isReplay: Bool = false) async -> Answer {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(runs.count * 80 + 64)
        bytes += "{\"items\":[".utf8
        var refused = 0
        var index = 0
        var slice = LoopSlice()
        var job = (name: "", end: [UInt8]())
        for part in parts {
            switch part {
            case .refused(let json):
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                bytes += json.utf8
                refused += 1
                index += 1
            case .stretch(let stretch):
                let tail = Self.tail(stretch)
                for id in stretch.first..<stretch.first + Int64(stretch.count) where index < runs.count {
                    if index > 0 { bytes.append(UInt8(ascii: ",")) }
                    bytes += Self.head
                    RunID(id).write(to: &bytes)
                    if job.name != runs[index].job || job.end.isEmpty {
                        job = (
                            runs[index].job, Array("\",\"job\":\(JSONText.quoted(runs[index].job)),\"state\":\"".utf8)
                        )
                    }
                    bytes += job.end
                    bytes += tail
                    index += 1
                    if index & 511 == 0 { await slice.breathe() }
                }
            }
        }
        bytes += "],\"count\":\(index - refused),\"refused\":\(refused)}".utf8
        let status: HTTPResponse.Status =
            refused > 0
            ? HTTPResponse.Status(code: 207, reasonPhrase: "Multi-Status") : isReplay ? .ok : .created
        return Answer(status, bytes: bytes, type: "application/json")
    }

    private static let head = Array("{\"id\":\"".utf8)

    private static func tail(_ stretch: Stretch) -> [UInt8] {
        var text = stretch.state.rawValue + "\""
        if stretch.manner != .made { text += ",\"enqueued\":\"\(stretch.manner.rawValue)\"" }
        if stretch.isUnchecked { text += ",\"args_unchecked\":true" }
        return Array((text + "}").utf8)
    }
}
