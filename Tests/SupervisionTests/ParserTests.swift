import CWire
import JobCore
import Testing

@testable import Supervision

/// Reading what children write: pure, byte by byte.
@Suite struct ParserTests {
    private func frame(
        _ kind: UInt32, _ payload: [UInt8], sequence: UInt32, run: UInt64 = 7, flags: UInt16 = 0, length: UInt32? = nil
    ) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.appendWire(
            pawl_frame(
                length: length ?? UInt32(payload.count), kind: UInt16(kind), flags: flags, run_id: run,
                sequence: sequence, reserved: 0))
        return bytes + payload
    }

    private func parse(_ pieces: [[UInt8]]) throws(WireFault) -> [(UInt16, [UInt8])] {
        var parser = FrameParser()
        var found: [(UInt16, [UInt8])] = []
        for piece in pieces {
            let result: Result<Void, WireFault> = piece.withUnsafeBytes { bytes in
                do throws(WireFault) {
                    return .success(
                        try parser.consume(bytes) { (header, payload) throws(WireFault) in
                            found.append((header.kind, Array(payload)))
                        })
                } catch { return .failure(error) }
            }
            try result.get()
        }
        return found
    }

    @Test func framesTornAtEveryByteComeWhole() throws {
        let stream =
            self.frame(20, [], sequence: 0) + self.frame(22, Array("hello".utf8), sequence: 1)
            + self.frame(24, [UInt8](repeating: 3, count: 100), sequence: 2)
        let whole = try self.parse([stream])
        #expect(whole.map(\.0) == [20, 22, 24])
        for cut in 0...stream.count {
            let parts = try self.parse([Array(stream[..<cut]), Array(stream[cut...])])
            #expect(parts.map(\.0) == whole.map(\.0) && parts.map(\.1) == whole.map(\.1), "cut at \(cut)")
        }
        let single = try self.parse(stream.map { [$0] })
        #expect(single.map(\.1) == whole.map(\.1))
    }

    @Test func whatBreaksTheProtocolIsAFault() {
        let tooLong = self.frame(22, [], sequence: 0, length: (1 << 20) + 1)
        let skipped = self.frame(20, [], sequence: 1)
        for stream in [tooLong, skipped] {
            #expect(throws: WireFault.self) { try self.parse([stream]) }
        }
    }

    @Test func messagesThatLieAboutTheirLengthsAreFaults() {
        var lie: [UInt8] = []
        lie.appendWire(
            pawl_f_log(
                unix_us: 1, level: 1, flags: 0, stage_length: 1, message_length: .max, fields_length: 0, reserved: 0))
        for (kind, payload) in [(22, lie), (23, [1, 2, 3]), (25, lie), (24, [0]), (99, []), (21, [])] {
            let header = FrameParser.Header(kind: UInt16(kind), flags: 0, length: payload.count, runID: 7)
            #expect(throws: WireFault.self, "kind \(kind)") {
                try payload.withUnsafeBytes { bytes in
                    let message = try ChildMessage(header, bytes)
                    guard case .resultPiece(let piece, let hasMore) = message else { return }
                    var assembler = ResultAssembler()
                    _ = try assembler.take(piece, hasMore: hasMore)
                }
            }
        }
    }

    @Test func anUnknownKindMayBeOptional() throws {
        let header = FrameParser.Header(kind: 99, flags: UInt16(PAWL_FLAG_OPTIONAL), length: 0, runID: 7)
        guard case .unknown = try ChildMessage(header, UnsafeRawBufferPointer(start: nil, count: 0)) else {
            Issue.record("not skipped")
            return
        }
    }

    private func assemble(_ text: [UInt8], announced: Int, json: Bool = true, pieces: Int) throws -> RunResult? {
        var assembler = ResultAssembler()
        var head: [UInt8] = []
        head.appendWire(
            pawl_f_result(
                status: 0, is_json: json ? 1 : 0, total_length: UInt64(announced), media_type_length: 0, has_result: 1))
        var all = [head]
        let step = max(1, (text.count + pieces - 1) / pieces)
        for start in stride(from: 0, to: text.count, by: step) {
            let piece = text[start..<min(text.count, start + step)]
            if start == 0 { all[0] += piece } else { all.append(Array(piece)) }
        }
        var result: RunResult?
        for (index, piece) in all.enumerated() {
            result = try piece.withUnsafeBytes { try assembler.take($0, hasMore: index + 1 < all.count) }
        }
        return result
    }

    @Test func resultsComeInPieces() throws {
        let text = Array("{\"a\":\"\(String(repeating: "é", count: 50))\"}".utf8)
        for pieces in 1...10 {
            #expect(
                try self.assemble(text, announced: text.count, pieces: pieces)
                    == .json(String(decoding: text, as: UTF8.self)))
        }
        #expect(throws: WireFault.self) { try self.assemble(text, announced: text.count + 1, pieces: 3) }
        #expect(throws: WireFault.self) { try self.assemble(text, announced: text.count - 1, pieces: 3) }
        #expect(throws: WireFault.self) { try self.assemble([0x7b], announced: 1, pieces: 1) }
        #expect(throws: WireFault.self) { try self.assemble([0x22, 0xff, 0x22], announced: 3, pieces: 1) }
        #expect(throws: WireFault.self) { try self.assemble([], announced: Int(PAWL_RESULT_MAX) + 1, pieces: 1) }
    }

    private func lines(_ pieces: [[UInt8]]) -> [String] {
        var splitter = LineSplitter()
        var lines: [String] = []
        for piece in pieces { piece.withUnsafeBytes { splitter.consume($0) { lines.append($0) } } }
        splitter.finish { lines.append($0) }
        return lines
    }

    @Test func linesAreSplitWhereverTheReadsEnd() {
        let text = Array("one\n\ntwo ü\r\nno newline".utf8)
        let expected = ["one", "", "two ü", "no newline"]
        for cut in 0...text.count { #expect(self.lines([Array(text[..<cut]), Array(text[cut...])]) == expected) }
    }

    @Test func whatIsNoTextIsRepaired() {
        #expect(self.lines([[0x61, 0xff, 0x62, 0x0a, 0x00, 0x0a]]) == ["a\u{fffd}b", "\u{fffd}"])
    }

    @Test func endlessLinesAreCutBetweenCharacters() {
        for shift in 0..<4 {
            let text = Array((String(repeating: "x", count: shift) + String(repeating: "€", count: 50_000)).utf8)
            let lines = self.lines([text])
            #expect(lines.count == 3 && lines.joined().utf8.elementsEqual(text), "shift \(shift)")
            #expect(lines.allSatisfy { $0.utf8.count <= LineSplitter.longest && !$0.contains("\u{fffd}") })
        }
    }

    @Test func headAndTailOfOutputAreKept() {
        var keeper = OutputKeeper()
        let first = [UInt8](repeating: 0x61, count: OutputKeeper.headLimit)
        let rest = [UInt8](repeating: 0x62, count: 100)
        first.withUnsafeBytes { keeper.append($0) }
        for _ in 0..<5000 { rest.withUnsafeBytes { keeper.append($0) } }
        Array("end".utf8).withUnsafeBytes { keeper.append($0) }
        #expect(keeper.head.utf8.elementsEqual(first))
        #expect(keeper.tail.utf8.count == OutputKeeper.tailLimit && keeper.tail.hasSuffix("bbbend"))
    }

    @Test func mountPointsAreReadAsTheKernelWritesThem() {
        let line: Substring = "41 31 0:38 / /sys/fs/cg\\040roup rw,relatime shared:9 - cgroup2 cgroup2 rw"
        #expect(CgroupRoot.cgroup2Mount(line) == "/sys/fs/cg roup")
        #expect(CgroupRoot.cgroup2Mount("32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu") == nil)
        #expect(CgroupRoot.cgroup2Mount("garbage") == nil)
    }
}
