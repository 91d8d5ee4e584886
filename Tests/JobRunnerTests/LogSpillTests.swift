import Glibc
import JobCore
import Testing
import UVLoop

@testable import JobRunner

/// A directory of a test's own, gone after it.
@LoopActor
func withDirectory<T>(_ body: @LoopActor (String) async throws -> T) async throws -> T {
    var template = Array(((getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp") + "/pawl-spill-XXXXXX").utf8CString)
    let path = try #require(mkdtemp(&template).map { String(cString: $0) })
    defer {
        removeFiles(path + "/spill")
        rmdir(path)
    }
    return try await body(path + "/spill")
}

func files(_ directory: String) -> [String] {
    guard let stream = opendir(directory) else { return [] }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
        let name = withUnsafeBytes(of: entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        if !name.hasPrefix(".") { names.append(name) }
    }
    return names.sorted()
}

func removeFiles(_ directory: String) {
    for file in files(directory) { unlink(directory + "/" + file) }
    rmdir(directory)
}

func copyFiles(from: String, to: String) throws {
    try #require(mkdir(to, 0o700) == 0)
    for name in files(from) {
        let source = open(from + "/" + name, O_RDONLY)
        let target = open(to + "/" + name, O_WRONLY | O_CREAT, 0o600)
        defer {
            close(source)
            close(target)
        }
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        while true {
            let count = read(source, &buffer, buffer.count)
            if count <= 0 { break }
            try #require(write(target, buffer, count) == count)
        }
    }
}

func entries(_ numbers: ClosedRange<Int64>, run: Int64 = 1, text: String = "line") -> [LogBuffer.Entry] {
    numbers.map {
        LogBuffer.Entry(
            key: AttemptKey(run: RunID(run), attempt: 2), number: $0,
            line: LogLine(
                time: WallTime(micros: 1_700_000_000_000_000 + $0), level: LogLevel(rawValue: Int($0 % 4)) ?? .info,
                stream: $0 % 2 == 0 ? .stdout : .handler, stage: $0 % 3 == 0 ? "é" : nil,
                message: "\(text) \($0) \u{0}",
                fields: $0 % 5 == 0 ? "{\"a\":1}" : nil),
            retention: Int16($0 % 2 == 0 ? 30 : 365))
    }
}

@Suite struct LogSpillTests {
    init() { LoopActor.bindForTesting() }

    @Test @LoopActor func whatGoesInComesOutInOrder() async throws {
        try await withDirectory { path in
            let spill = LogSpill(directory: path, limit: 4 << 20)
            try spill.open()
            var next: Int64 = 1
            var expected: [LogBuffer.Entry] = []
            var taken: [LogBuffer.Entry] = []
            for round in 0..<60 {
                let more = entries(next...next + Int64(round * 37 % 1900))
                next += Int64(more.count)
                #expect(spill.append(more).written == more.count)
                expected += more
                // The same again until it is consumed.
                let first = try spill.read(limit: 700)
                #expect(try spill.read(limit: 700) == first)
                if round % 3 != 0 {
                    taken += first
                    spill.consumed()
                }
            }
            #expect(spill.lines == expected.count - taken.count)
            while !spill.isEmpty {
                taken += try spill.read(limit: 5000)
                spill.consumed()
            }
            #expect(taken == expected)
            #expect(spill.bytes == 0 && files(path).isEmpty)
        }
    }

    @Test @LoopActor func aSuccessorFindsTheRest() async throws {
        try await withDirectory { path in
            let spill = LogSpill(directory: path, limit: 4 << 20)
            let all = entries(1...30_000)
            #expect(spill.append(all).written == 30_000)
            _ = try spill.read(limit: 12_000)
            spill.consumed()
            // Whole segments are gone; of the one that is read, everything comes again.
            let next = LogSpill(directory: path, limit: 4 << 20)
            try next.open()
            #expect(next.lines >= 18_000 && next.lines < 30_000 && next.damagedBytes == 0)
            let first = try next.read(limit: 100_000)
            #expect(first == all.suffix(first.count))
            // Its own go behind.
            #expect(next.append(entries(30_001...30_010)).written == 10)
            next.consumed()
            #expect(try next.read(limit: 100).map(\.number) == Array(30_001...30_010))
        }
    }

    @Test @LoopActor func itsBoundHolds() async throws {
        try await withDirectory { path in
            let spill = LogSpill(directory: path, limit: 1 << 20)
            let all = entries(1...50_000)
            let (written, failure) = spill.append(all)
            #expect(written > 5000 && written < 50_000 && failure?.code == 0)
            #expect(spill.bytes <= 1 << 20 && spill.lines == written && !spill.hasRoom)
            let size = files(path).reduce(0) { sum, name in
                var facts = stat()
                stat(path + "/" + name, &facts)
                return sum + Int(facts.st_size)
            }
            #expect(size == spill.bytes)
            // Room comes with what is taken out.
            var taken = 0
            while !spill.hasRoom {
                taken += try spill.read(limit: 1000).count
                spill.consumed()
            }
            #expect(spill.append(Array(all[written..<written + 500])).written == 500)
            while !spill.isEmpty {
                taken += try spill.read(limit: 1000).count
                spill.consumed()
            }
            #expect(taken == written + 500)
            let none = LogSpill(directory: path, limit: 0)
            #expect(none.append(entries(1...1)).written == 0)
        }
    }

    @Test @LoopActor func aTornEndIsLeftOut() async throws {
        try await withDirectory { path in
            let spill = LogSpill(directory: path, limit: 4 << 20)
            #expect(spill.append(entries(1...10)).written == 10)
            let whole = spill.bytes
            #expect(spill.append(entries(11...20)).written == 10)
            let file = path + "/" + files(path)[0]
            let both = spill.bytes
            for size in [both - 1, whole + 30, whole + 11, whole + 1] {
                #expect(truncate(file, off_t(size)) == 0)
                let next = LogSpill(directory: path, limit: 4 << 20)
                try next.open()
                #expect(next.lines == 10 && next.damagedBytes == size - whole, "\(size)")
                #expect(try next.read(limit: 100).map(\.number) == Array(1...10))
            }
            // A hole of zeros, as a crash of the machine may leave it.
            #expect(truncate(file, off_t(whole)) == 0 && truncate(file, off_t(both)) == 0)
            let next = LogSpill(directory: path, limit: 4 << 20)
            try next.open()
            #expect(next.lines == 10)
        }
    }

    @Test @LoopActor func everyFlippedByteIsNoticed() async throws {
        try await withDirectory { path in
            let spill = LogSpill(directory: path, limit: 4 << 20)
            #expect(spill.append(entries(1...3)).written == 3)
            let file = path + "/" + files(path)[0]
            let fd = open(file, O_RDWR)
            defer { close(fd) }
            for offset in 0..<spill.bytes {
                var byte: UInt8 = 0
                #expect(pread(fd, &byte, 1, off_t(offset)) == 1)
                byte ^= 0x10
                #expect(pwrite(fd, &byte, 1, off_t(offset)) == 1)
                // Not by the one that wrote it: it does not look at the file's own first bytes again.
                let isNoticed: Bool
                do throws(LogSpill.Failure) { isNoticed = try spill.read(limit: 10).isEmpty } catch { isNoticed = true }
                #expect(isNoticed || offset < 8, "offset \(offset)")
                byte ^= 0x10
                #expect(pwrite(fd, &byte, 1, off_t(offset)) == 1)
            }
        }
    }
}
