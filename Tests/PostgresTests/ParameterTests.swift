import Postgres
import PostgresTestSupport
import Testing

@Suite(.timeLimit(.minutes(2)))
struct ParameterTests {
    @Test func everyTypeComesBack() async throws {
        try await withConnection { connection async throws in
            func echo(_ type: String, _ parameter: PGParameter) async throws -> PGRow {
                try await connection.query(PGStatement("SELECT $1::\(type) AS v"), [parameter])[0]
            }
            for value in [Int64.min, -1, 0, 1, .max] {
                #expect(try await echo("int8", .int64(value)).int64(0) == value)
                #expect(try await echo("timestamptz", .timestamp(micros: value / 100)).micros(0) == value / 100)
            }
            for value in [Int32.min, -1, 0, .max] {
                #expect(try await echo("int4", .int32(value)).int32(0) == value)
                #expect(try await echo("int4", .int32(value)).int64(0) == Int64(value))
            }
            for value in [Int16.min, -1, 0, .max] {
                #expect(try await echo("int2", .int16(value)).int16(0) == value)
            }
            for value in [0, -0.0, 1.5, -.infinity, .greatestFiniteMagnitude, .leastNonzeroMagnitude] {
                #expect(try await echo("float8", .float64(value)).float64(0).bitPattern == value.bitPattern)
            }
            #expect(try await echo("float8", .float64(.nan)).float64(0).isNaN)
            for value in [true, false] { #expect(try await echo("bool", .bool(value)).bool(0) == value) }
            for value in [
                "", "plain", "quote ' and \\ and \"", "Grüße 👋 \u{10FFFF}", String(repeating: "x", count: 100_000),
            ] {
                #expect(try await echo("text", .text(value)).text(0) == value)
            }
            for value in [[], [0], Array(0...255), [UInt8](repeating: 0, count: 100_000)] as [[UInt8]] {
                #expect(try await echo("bytea", .bytes(value)).bytes(0) == value)
            }
            let json = #"{"b":1, "a":2, "a":3}"#
            #expect(try await echo("json", .json(json)).text(0) == json)
            #expect(try await echo("jsonb", .jsonb(json)).text(0) == #"{"a": 3, "b": 1}"#)
            #expect(try await echo("jsonb", .jsonb(json)).bytes(0) == Array(#"{"a": 3, "b": 1}"#.utf8))
        }
    }

    @Test func everyArrayComesBack() async throws {
        try await withConnection { connection async throws in
            func echo(_ type: String, _ parameter: PGParameter) async throws -> PGRow {
                try await connection.query(PGStatement("SELECT $1::\(type) AS v"), [parameter])[0]
            }
            #expect(try await echo("int8[]", .int64Array([])).int64Array(0) == [])
            #expect(try await echo("int8[]", .int64Array([.min, 0, .max])).int64Array(0) == [.min, 0, .max])
            #expect(
                try await echo("int4[]", .int32Array([.min, .max])).int64Array(0) == [-2_147_483_648, 2_147_483_647])
            #expect(try await echo("int2[]", .int16Array([.min, 7])).int64Array(0) == [-32768, 7])
            #expect(try await echo("int8[]", .nullableInt64Array([1, nil])).nullableInt64Array(0) == [1, nil])
            #expect(
                try await echo("text[]", .textArray(["", "ä", "a,b{}\"\\"])).textArray(0) == ["", "ä", "a,b{}\"\\"])
            #expect(try await echo("text[]", .textArray(["NULL", nil])).nullableTextArray(0) == ["NULL", nil])
            #expect(
                try await echo("json[]", .jsonArray([#"{"a":1}"#, nil])).nullableTextArray(0) == [#"{"a":1}"#, nil])
            #expect(
                try await echo("bytea[]", .bytesArray([[], [0, 255], nil])).nullableBytesArray(0) == [
                    [], [0, 255], nil,
                ])
            #expect(try await echo("bool[]", .boolArray([true, false])).boolArray(0) == [true, false])
            #expect(try await echo("float8[]", .float64Array([1.5, -2])).float64Array(0) == [1.5, -2])
            let times: [Int64?] = [0, nil, 1_700_000_000_123_456]
            #expect(try await echo("timestamptz[]", .timestampArray(times)).nullableMicrosArray(0) == times)
        }
    }

    @Test func nullsAreNilOrAnError() async throws {
        try await withConnection { connection async throws in
            let row = try await connection.query(
                PGStatement("SELECT $1::int8 AS a, $2::text AS b, NULL::int8[] AS c"), [.null, .null])[0]
            #expect(try row.int64OrNil("a") == nil)
            #expect(try row.textOrNil("b") == nil)
            #expect(try row.int64ArrayOrNil("c") == nil)
            #expect(try row.isNull(1))
            #expect(throws: PGDecodingError(column: "a", problem: .null)) { try row.int64("a") }
            #expect(throws: PGDecodingError(column: "x", problem: .noSuchColumn)) { try row.int64("x") }
            #expect(throws: PGDecodingError(column: "#3", problem: .noSuchColumn)) { try row.int64(3) }
            #expect(throws: PGDecodingError(column: "b", problem: .type(oid: 25))) { try row.int64("b") }
        }
    }

    @Test func textFitsEveryTypeWithATextForm() async throws {
        try await withConnection { connection async throws in
            try await connection.execute(
                "CREATE TYPE mood AS ENUM ('sad', 'happy'); CREATE TABLE t (m mood, u uuid, i interval)")
            let id = "7f6c1d0a-0000-4000-8000-000000000001"
            let row = try await connection.query(
                PGStatement("INSERT INTO t VALUES ($1, $2, $3) RETURNING m, u::text, extract(epoch FROM i)::float8"),
                [.text("happy"), .text(id), .text("90 seconds")])[0]
            #expect(try row.text(0) == "happy")
            #expect(try row.text(1) == id)
            #expect(try row.float64(2) == 90)
        }
    }

    /// Eight bytes read as another type of eight bytes would be a wrong number, not an error.
    @Test func oneStatementWithDifferentTypesIsNeverMisread() async throws {
        try await withConnection { connection async throws in
            let statement = PGStatement("SELECT ($1 * interval '1 second')::text AS t")
            #expect(try await connection.query(statement, [.null])[0].textOrNil(0) == nil)
            #expect(try await connection.query(statement, [.int64(5)])[0].text(0) == "00:00:05")
            #expect(try await connection.query(statement, [.float64(1.5)])[0].text(0) == "00:00:01.5")
            #expect(try await connection.query(statement, [.int32(7)])[0].text(0) == "00:00:07")
        }
    }

    @Test(arguments: [PGParameter.text("a\0b"), .json("\"a\0b\""), .jsonb("\"a\0b\"")])
    func aZeroByteIsRefusedNotCutOff(parameter: PGParameter) async throws {
        try await withConnection { connection async throws in
            let error = try await postgresError {
                try await connection.query(PGStatement("SELECT length($1::text)"), [parameter])
            }
            #expect(error.kind == .server)
            #expect(error.sqlState?.errorClass == "22")
        }
    }

    @Test func infiniteTimesAreTheEndsOfTheRange() async throws {
        try await withConnection { connection async throws in
            let row = try await connection.query(
                PGStatement("SELECT 'infinity'::timestamptz, '-infinity'::timestamptz, $1::timestamptz = 'infinity'"),
                [.timestamp(micros: .max)])[0]
            #expect(try row.micros(0) == .max)
            #expect(try row.micros(1) == .min)
            #expect(try row.bool(2))
        }
    }
}
