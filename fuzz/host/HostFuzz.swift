import CWire
import Glibc
import JobCore

/// What children and zygotes send, as libFuzzer would have it. PAWL_FUZZ_TARGET says which reader is meant.
///
/// A fault of the input is a thrown value; anything that traps is a finding.
enum Target: String, CaseIterable {
    /// A child's stream: cut into frames, decoded, results put together.
    case frames
    /// A zygote's or monitor's datagrams.
    case control
    /// What a dying child has left in its crash pipe.
    case crash
    /// The manifest that a zygote tells.
    case manifest
    /// A plugin's file.
    case elf
    /// Lines of output.
    case lines
    /// A handler's JSON Schema and a value, with a zero byte between.
    case schema

    static let chosen: Target = {
        guard let name = getenv("PAWL_FUZZ_TARGET"), let target = Target(rawValue: String(cString: name))
        else { fatalError("PAWL_FUZZ_TARGET must be one of \(Target.allCases.map(\.rawValue))") }
        return target
    }()

    func take(_ bytes: UnsafeRawBufferPointer) {
        switch self {
        case .frames: Self.frames(bytes)
        case .control: Self.control(bytes)
        case .crash: _ = CrashInfo(record: bytes)
        case .manifest: Self.manifest(bytes)
        case .elf: Self.elf(bytes)
        case .lines: Self.lines(bytes)
        case .schema: Self.schema(bytes)
        }
    }

    /// Whole and torn, the stream must mean the same.
    private static func frames(_ bytes: UnsafeRawBufferPointer) {
        guard let first = bytes.first else { return }
        let stream = UnsafeRawBufferPointer(rebasing: bytes[1...])
        let whole = Self.read(stream, by: stream.count)
        let torn = Self.read(stream, by: Int(first) + 1)
        precondition(whole == torn, "torn, the stream means something else")
    }

    /// What was read, in words, up to the first fault.
    private static func read(_ stream: UnsafeRawBufferPointer, by size: Int) -> [String] {
        var parser = FrameParser()
        var assembler = ResultAssembler()
        var found: [String] = []
        var position = 0
        while position < stream.count {
            let end = min(position + max(size, 1), stream.count)
            do throws(WireFault) {
                try parser.consume(UnsafeRawBufferPointer(rebasing: stream[position..<end])) {
                    (header, payload) throws(WireFault) in
                    let message = try ChildMessage(header, payload)
                    if case .resultPiece(let piece, let hasMore) = message {
                        let result = try assembler.take(piece, hasMore: hasMore)
                        if result != nil { assembler = ResultAssembler() }
                        found.append("result \(piece.count) \(hasMore) \(String(describing: result))")
                    } else {
                        found.append(String(header.kind))
                    }
                }
            } catch {
                return found
            }
            position = end
        }
        return found
    }

    private static func control(_ bytes: UnsafeRawBufferPointer) {
        do throws(WireFault) {
            let message = try ControlMessage(bytes)
            if case .exited(_, let body) = message { _ = (body.processExit, body.resources) }
        } catch { return }
    }

    private static func manifest(_ bytes: UnsafeRawBufferPointer) {
        do throws(WireFault) { _ = try PluginManifest(zygote: Array(bytes), pawl_c_ready(), notes: []) } catch {
            return
        }
    }

    private static let file = fileno(tmpfile())

    private static func elf(_ bytes: UnsafeRawBufferPointer) {
        guard ftruncate(self.file, 0) == 0, pwrite(self.file, bytes.baseAddress, bytes.count, 0) == bytes.count else {
            return
        }
        _ = ELFImage.fault(in: self.file, size: UInt64(bytes.count))
        _ = ELFFile(fd: self.file)
    }

    /// Ends in time, and says the same twice.
    private static func schema(_ bytes: UnsafeRawBufferPointer) {
        let parts = bytes.split(separator: 0, maxSplits: 1)
        guard let text = parts.first.map({ String(decoding: $0, as: UTF8.self) }) else { return }
        do throws(JSONSchemaFault) {
            let schema = try JSONSchema(parsing: text, assertFormats: true)
            _ = JSONSchema.changes(from: schema, to: try JSONSchema(parsing: text + " "))
            guard parts.count == 2, let value = try? JSONValue(parsing: String(decoding: parts[1], as: UTF8.self))
            else { return }
            let problems = schema.validate(value, work: 200_000)
            precondition(problems == schema.validate(value, work: 200_000), "the same check says something else")
        } catch { return }
    }

    private static func lines(_ bytes: UnsafeRawBufferPointer) {
        guard let first = bytes.first else { return }
        var splitter = LineSplitter()
        var count = 0
        let stream = UnsafeRawBufferPointer(rebasing: bytes[1...])
        var position = 0
        while position < stream.count {
            let end = min(position + Int(first) + 1, stream.count)
            splitter.consume(UnsafeRawBufferPointer(rebasing: stream[position..<end])) { count += $0.utf8.count }
            position = end
        }
        splitter.finish { count += $0.utf8.count }
    }
}

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ bytes: UnsafePointer<UInt8>?, _ length: Int) -> CInt {
    Target.chosen.take(UnsafeRawBufferPointer(start: bytes, count: length))
    return 0
}
