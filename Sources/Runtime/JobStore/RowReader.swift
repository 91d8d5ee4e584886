import JobCore
import Postgres

/// Reads a row's columns one after the other, in the order in which its statement names them.
struct RowReader {
    let row: PGRow
    private var column = 0

    init(_ row: PGRow) { self.row = row }

    private mutating func step() -> Int {
        defer { column += 1 }
        return column
    }

    mutating func skip() { column += 1 }
    mutating func int64() throws(PGDecodingError) -> Int64 { try row.int64(step()) }
    mutating func int64OrNil() throws(PGDecodingError) -> Int64? { try row.int64OrNil(step()) }
    mutating func int32() throws(PGDecodingError) -> Int32 { try row.int32(step()) }
    mutating func int32OrNil() throws(PGDecodingError) -> Int32? { try row.int32OrNil(step()) }
    mutating func int() throws(PGDecodingError) -> Int { Int(try row.int64(step())) }
    mutating func intOrNil() throws(PGDecodingError) -> Int? { try row.int64OrNil(step()).map(Int.init) }
    mutating func text() throws(PGDecodingError) -> String { try row.text(step()) }
    mutating func textOrNil() throws(PGDecodingError) -> String? { try row.textOrNil(step()) }
    mutating func bool() throws(PGDecodingError) -> Bool { try row.bool(step()) }
    mutating func bytesOrNil() throws(PGDecodingError) -> [UInt8]? { try row.bytesOrNil(step()) }
    mutating func time() throws(PGDecodingError) -> WallTime { WallTime(micros: try row.micros(step())) }
    mutating func timeOrNil() throws(PGDecodingError) -> WallTime? {
        try row.microsOrNil(step()).map { WallTime(micros: $0) }
    }
    mutating func run() throws(PGDecodingError) -> RunID { RunID(try row.int64(step())) }
    mutating func runOrNil() throws(PGDecodingError) -> RunID? { try row.int64OrNil(step()).map { RunID($0) } }
    mutating func hostOrNil() throws(PGDecodingError) -> HostID? { try row.int64OrNil(step()).map { HostID($0) } }
    mutating func millisecondsOrNil() throws(PGDecodingError) -> Duration? {
        try row.int64OrNil(step()).map { .milliseconds($0) }
    }

    /// A word of a closed list. One that this program does not know comes from a newer schema.
    mutating func word<T: RawRepresentable>(_ type: T.Type) throws(PGDecodingError) -> T where T.RawValue == String {
        let column = step()
        guard let value = T(rawValue: try row.text(column)) else {
            throw PGDecodingError(column: "#\(column)", problem: .malformed)
        }
        return value
    }

    /// As `word`, but forgiving: a reason that this program does not know is no reason to show nothing.
    mutating func wordOrNil<T: RawRepresentable>(_ type: T.Type) throws(PGDecodingError) -> T?
    where T.RawValue == String {
        try row.textOrNil(step()).flatMap(T.init(rawValue:))
    }

    /// Small JSON that we wrote ourselves; nil too if somebody changed it by hand to what is none.
    mutating func jsonOrNil() throws(PGDecodingError) -> JSONValue? {
        guard let text = try row.textOrNil(step()) else { return nil }
        do throws(JSONFault) {
            return try JSONValue(parsing: text)
        } catch {
            return nil
        }
    }

    mutating func labels() throws(PGDecodingError) -> [String: String] {
        guard case .object(let members)? = try jsonOrNil() else { return [:] }
        return Dictionary(members.map { ($0.key, $0.value.text ?? $0.value.json) }) { $1 }
    }

    mutating func backoffOrNil() throws(PGDecodingError) -> BackoffPolicy? {
        guard let value = try jsonOrNil() else { return nil }
        do throws(FieldFault) {
            return try BackoffPolicy(value)
        } catch {
            return nil
        }
    }

    mutating func limits() throws(PGDecodingError) -> Limits {
        guard let value = try jsonOrNil() else { return Limits() }
        do throws(FieldFault) {
            return try Limits(value)
        } catch {
            return Limits()
        }
    }

    mutating func execution() throws(PGDecodingError) -> ExecutionSettings {
        guard let value = try jsonOrNil() else { return ExecutionSettings() }
        do throws(FieldFault) {
            return try ExecutionSettings(value)
        } catch {
            return ExecutionSettings()
        }
    }

    /// `error_code`, `error_message`, `error_details`.
    mutating func errorOrNil() throws(PGDecodingError) -> AttemptError? {
        let code = try textOrNil()
        let message = try textOrNil()
        let details = try textOrNil()
        guard code != nil || message != nil else { return nil }
        return AttemptError(code: code ?? "", message: message ?? "", detailsJSON: details)
    }
}

extension String {
    /// Without U+0000, which no text of Postgres can hold.
    var storable: String {
        utf8.contains(0) ? replacing("\0", with: "\u{FFFD}") : self
    }
}

extension PGParameter {
    static func text(orNull value: String?) -> PGParameter { value.map { .text($0.storable) } ?? .null }
    static func json(orNull value: String?) -> PGParameter { value.map { .json($0) } ?? .null }
    static func int64(orNull value: Int64?) -> PGParameter { value.map { .int64($0) } ?? .null }
    static func int32(orNull value: Int32?) -> PGParameter { value.map { .int32($0) } ?? .null }
    static func time(orNull value: WallTime?) -> PGParameter { value.map { .timestamp(micros: $0.micros) } ?? .null }
    static func milliseconds(orNull value: Duration?) -> PGParameter { int64(orNull: value?.wholeMilliseconds) }
    static func texts(orNull value: Set<String>) -> PGParameter { value.isEmpty ? .null : .textArray(value.sorted()) }
}
