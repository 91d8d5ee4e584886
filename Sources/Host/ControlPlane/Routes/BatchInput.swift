import Crypto
import HTTPTypes
import JobCore
import JobStore

/// Reads the body of a batch: `{items: [run, …], mode?}`. Items of the usual members are read where they stand; any other is
/// read as the body of a single run is, with the same faults.
struct BatchInput {
    enum Mode: String, CaseIterable {
        case allOrNothing = "all_or_nothing"
        case perItem = "per_item"
    }

    static let limit = 10_000
    /// Faults that are told; more say nothing more.
    private static let faultLimit = 100
    /// Between two pauses for others; some hundred microseconds.
    private static let piece = 200

    private(set) var mode = Mode.allOrNothing
    private(set) var runs: [NewRun] = []
    /// What is wrong with items, by their place.
    private(set) var faults: [Int: [FieldFault]] = [:]
    private var faultCount = 0
    private let argsLimit: Int
    private let traceparent: String?
    /// The job of the item before: usually the next one's too.
    private var lastJob = ""

    private init(argsLimit: Int, traceparent: String?) {
        self.argsLimit = argsLimit
        self.traceparent = traceparent
    }

    /// Throws a problem for what is wrong with the whole, and in mode `all_or_nothing` for what is wrong with an item.
    static func read(_ body: [UInt8], argsLimit: Int, traceparent: String?) async throws -> BatchInput {
        guard String(validating: body, as: UTF8.self) != nil else {
            throw Problem(.badRequest, "malformed_json", "The body is no UTF-8.")
        }
        var input = BatchInput(argsLimit: argsLimit, traceparent: traceparent)
        var walk = JSONListWalk(body, list: "items")
        var slice = LoopSlice()
        while true {
            let piece: JSONListWalk.Piece
            do throws(JSONFault) {
                piece = try walk.next(Self.piece)
            } catch {
                throw Problem(
                    .badRequest, "malformed_json", "The body is no JSON: \(error).",
                    fields: [.init(.pointer(""), "malformed_json", "\(error.problem) at byte \(error.offset)")])
            }
            if piece.elements.isEmpty { break }
            guard input.runs.count + piece.elements.count <= limit else {
                throw Problem.invalid([
                    FieldFault(
                        pointer: "/items", code: "out_of_range",
                        detail: "items must be a list of 1 to \(limit) runs")
                ])
            }
            for element in piece.elements { try input.read(element, of: piece, walk) }
            await slice.breathe()
        }
        try input.finish(walk)
        return input
    }

    /// What stands beside the items.
    private mutating func finish(_ walk: JSONListWalk) throws {
        guard walk.isObject else {
            throw Problem(
                .badRequest, "not_an_object", "The body must be a JSON object.",
                fields: [.init(.pointer(""), "wrong_type", "must be an object")])
        }
        var text = walk.others.map { JSONText.quoted($0.key) + ":" + $0.value }
        // The list itself has been read.
        for _ in 0..<walk.lists { text.append("\"items\":" + (walk.isList ? "[]" : "0")) }
        var reader = try ObjectReader("{" + text.joined(separator: ",") + "}")
        reader.require("items")
        let list = reader.raw("items")
        if list != nil, !walk.isList {
            reader.fault("items", "wrong_type", "must be a list")
        } else if list != nil, runs.isEmpty {
            reader.fault("items", "out_of_range", "must be a list of 1 to \(Self.limit) runs")
        }
        mode = reader.word("mode", Mode.self) ?? .allOrNothing
        try reader.finish()
        if mode == .allOrNothing, !faults.isEmpty {
            throw Problem.invalid(faults.sorted { $0.key < $1.key }.flatMap(\.value))
        }
    }

    private mutating func read(
        _ element: JSONListWalk.Piece.Element, of piece: JSONListWalk.Piece, _ walk: JSONListWalk
    ) throws {
        var run: NewRun
        if let members = element.members, let plain = plain(piece.members[members], walk.bytes) {
            run = plain
        } else {
            run = try slow(walk.text(element.range))
        }
        run.traceparent = traceparent
        runs.append(run)
    }

    /// Reads an item as the body of a single run is read.
    private mutating func slow(_ text: String) throws -> NewRun {
        let index = runs.count
        var reader: ObjectReader
        do throws(Problem) {
            reader = try ObjectReader(text, under: "/items/\(index)")
        } catch {
            note([FieldFault(pointer: "/items/\(index)", code: "wrong_type", detail: "must be an object")], at: index)
            return NewRun(job: "")
        }
        var run = RunInput.read(&reader, argsLimit: argsLimit)
        run.idempotencyKey = reader.string("idempotency_key", limit: 255, isEmptyAllowed: false)
        if run.idempotencyKey != nil {
            run.idempotencyFingerprint = Hex.text(SHA256.hash(data: Array(text.utf8)))
        }
        reader.noteUnknown()
        if !reader.faults.isEmpty { note(reader.faults, at: index) }
        return run
    }

    private mutating func note(_ found: [FieldFault], at index: Int) {
        faultCount += found.count
        // Each item that is wrong must be known; the words of the first hundred tell enough.
        faults[index] = faultCount <= Self.faultLimit ? found : Array(found.prefix(1))
    }

    // MARK: The usual members

    /// Nil if there is anything unusual, be it wrong or not.
    private mutating func plain(_ members: ArraySlice<JSONListWalk.Member>, _ bytes: [UInt8]) -> NewRun? {
        var job: String?
        var args: String?
        var queue: String?
        var priority: Int32?
        for member in members {
            let value = bytes[member.value]
            switch member.key.count {
            case 3 where bytes[member.key].elementsEqual("job".utf8):
                guard job == nil, let name = plainText(value, longest: 200) else { return nil }
                job = name
            case 4 where bytes[member.key].elementsEqual("args".utf8):
                guard args == nil, value.first == UInt8(ascii: "{"), value.count <= argsLimit else { return nil }
                args = String(decoding: value, as: UTF8.self)
            case 5 where bytes[member.key].elementsEqual("queue".utf8):
                guard queue == nil, let name = plainText(value, longest: 100) else { return nil }
                queue = name
            case 8 where bytes[member.key].elementsEqual("priority".utf8):
                guard priority == nil, value.count <= 7, let number = Int32(String(decoding: value, as: UTF8.self))
                else { return nil }
                priority = number
            default: return nil
            }
        }
        guard let job else { return nil }
        var run = NewRun(job: job, queue: queue, priority: priority)
        if let args { run.args = args }
        run.isArgsChecked = true
        return run
    }

    /// A short text of plain ASCII, in quotes; nil for others.
    private mutating func plainText(_ value: ArraySlice<UInt8>, longest: Int) -> String? {
        guard value.first == UInt8(ascii: "\""), (3...longest + 2).contains(value.count) else { return nil }
        let text = value.dropFirst().dropLast()
        if text.elementsEqual(lastJob.utf8) { return lastJob }
        guard text.allSatisfy({ $0 < 0x80 && $0 != UInt8(ascii: "\\") }) else { return nil }
        lastJob = String(decoding: text, as: UTF8.self)
        return lastJob
    }
}
