import Glibc
import UVLoop

/// Log lines in files, first in, first out: for the time in which the database takes none.
///
/// Segments are only appended to, and removed when all of their lines are in the database. What has been written survives the
/// death of this process at any moment, and its successor on the same data directory finds it. It is not forced to the disk: after
/// a crash of the machine the checksums say how much of it reached there. Writes and reads are small and go to the page cache, so
/// they are done on the loop.
@LoopActor
final class LogSpill {
    struct Failure: Error, CustomStringConvertible {
        let operation: String
        /// 0: the bound was reached.
        let code: Int32

        var description: String {
            self.code == 0
                ? "\(self.operation): the bound is reached"
                : "\(self.operation): \(String(cString: strerror(self.code)))"
        }

        static func last(_ operation: String) -> Failure { Failure(operation: operation, code: errno) }
    }

    private struct Segment {
        let number: UInt64
        var bytes: Int
        /// Beyond it is damage; as `bytes`, but for files of a predecessor.
        var usable: Int
        /// Up to there.
        var lines = 0
    }

    private struct Place {
        var segment = 0
        var offset = LogSpill.magic.count
        /// Lines of this segment before it.
        var lines = 0
    }

    nonisolated private static let magic = Array("PAWLLOG1".utf8)
    /// Lines of one record.
    private static let recordLines = 1000

    let directory: String
    let limit: Int
    private let segmentBytes: Int
    private var segments: [Segment] = []
    private var nextNumber: UInt64 = 1
    /// Open at the last segment; -1: the next line begins one.
    private var writer: Int32 = -1
    private var reader: (number: UInt64, fd: Int32)?
    private var consumedPlace = Place()
    private var readPlace = Place()
    /// On the disk.
    private(set) var bytes = 0
    /// Not taken out yet.
    var lines: Int { self.segments.reduce(-self.consumedPlace.lines) { $0 + $1.lines } }
    /// Bytes of a predecessor's files that could not be read.
    private(set) var damagedBytes = 0

    /// - Parameters:
    ///   - directory: made when it is needed.
    ///   - limit: the most bytes on the disk; 0: never a line.
    init(directory: String, limit: Int) {
        self.directory = directory
        self.limit = limit
        self.segmentBytes = max(1 << 16, min(8 << 20, limit / 8))
    }

    isolated deinit {
        if self.writer >= 0 { close(self.writer) }
        if let reader { close(reader.fd) }
    }

    var isEmpty: Bool { self.lines == 0 }
    /// After something was taken out, or given up by others on the disk.
    var hasRoom: Bool { self.bytes + self.segmentBytes <= self.limit }

    // MARK: Taking over

    /// Finds what a predecessor left. Before anything else; once. Throws when some of it cannot be read; the rest is taken over.
    func open() throws(Failure) {
        guard let stream = opendir(self.directory) else {
            if errno == ENOENT { return }
            throw .last("open \(self.directory)")
        }
        var numbers: [UInt64] = []
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name.hasSuffix(".log"), let number = UInt64(name.dropLast(4)) { numbers.append(number) }
        }
        closedir(stream)
        // Also when one of them cannot be read: a new file must not meet its name.
        self.nextNumber = (numbers.max() ?? 0) + 1
        var failure: Failure?
        for number in numbers.sorted() {
            do throws(Failure) { try self.takeOver(number) } catch { failure = error }
        }
        if let failure { throw failure }
    }

    private func takeOver(_ number: UInt64) throws(Failure) {
        let fd = Glibc.open(self.path(number), O_RDONLY | O_CLOEXEC)
        guard fd >= 0 else { throw .last("open \(self.path(number))") }
        defer { close(fd) }
        var facts = stat()
        guard fstat(fd, &facts) == 0 else { throw .last("look at \(self.path(number))") }
        var segment = Segment(number: number, bytes: Int(facts.st_size), usable: Self.magic.count)
        if Self.read(fd, Self.magic.count, at: 0) == Self.magic {
            while let (header, body) = Self.record(fd, at: segment.usable) {
                guard LogRecord.checksum(body[...]) == header.checksum else { break }
                segment.usable += LogRecord.headerBytes + header.bodyBytes
                segment.lines += header.lines
            }
        }
        self.damagedBytes += segment.bytes - min(segment.bytes, segment.usable)
        guard segment.lines > 0 else {
            unlink(self.path(number))
            return
        }
        self.segments.append(segment)
        self.bytes += segment.bytes
    }

    // MARK: In

    /// Appends lines, in order.
    /// - Returns: how many are in; and why not all.
    func append(_ entries: [LogBuffer.Entry]) -> (written: Int, failure: Failure?) {
        var written = 0
        while written < entries.count {
            let part = entries[written..<min(entries.count, written + Self.recordLines)]
            do throws(Failure) { try self.append(record: LogRecord.encode(part), lines: part.count) } catch {
                return (written, error)
            }
            written += part.count
        }
        return (written, nil)
    }

    private func append(record: [UInt8], lines: Int) throws(Failure) {
        guard self.bytes + record.count + Self.magic.count <= self.limit else {
            throw Failure(operation: "write to \(self.directory)", code: 0)
        }
        if self.writer >= 0, let last = self.segments.last, last.bytes + record.count > self.segmentBytes {
            close(self.writer)
            self.writer = -1
        }
        if self.writer < 0 { try self.beginSegment() }
        let index = self.segments.count - 1
        try self.write(record, at: self.segments[index].usable)
        self.segments[index].bytes += record.count
        self.segments[index].usable += record.count
        self.segments[index].lines += lines
        self.bytes += record.count
    }

    private func beginSegment() throws(Failure) {
        if mkdir(self.directory, 0o700) != 0 && errno != EEXIST { throw .last("make \(self.directory)") }
        let path = self.path(self.nextNumber)
        self.writer = Glibc.open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard self.writer >= 0 else { throw .last("make \(path)") }
        do throws(Failure) { try self.write(Self.magic, at: 0) } catch {
            close(self.writer)
            self.writer = -1
            unlink(path)
            throw error
        }
        self.segments.append(Segment(number: self.nextNumber, bytes: Self.magic.count, usable: Self.magic.count))
        self.bytes += Self.magic.count
        self.nextNumber += 1
    }

    /// All of it or nothing: a full disk leaves the file as it was.
    private func write(_ bytes: [UInt8], at offset: Int) throws(Failure) {
        var done = 0
        while done < bytes.count {
            let count = bytes[done...].withUnsafeBytes {
                pwrite(self.writer, $0.baseAddress, $0.count, off_t(offset + done))
            }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else {
                let failure = Failure.last("write to \(self.directory)")
                // Should even that fail, the checksum tells the torn record apart, and the next one goes over it.
                _ = ftruncate(self.writer, off_t(offset))
                throw failure
            }
            done += count
        }
    }

    // MARK: Out

    /// The oldest lines; the same again until `consumed`.
    /// - Parameter limit: whole records up to so many lines, at least one record.
    func read(limit: Int) throws(Failure) -> [LogBuffer.Entry] {
        var entries: [LogBuffer.Entry] = []
        var place = self.consumedPlace
        while place.segment < self.segments.count {
            let segment = self.segments[place.segment]
            guard place.offset < segment.usable else {
                guard place.segment + 1 < self.segments.count else { break }
                place = Place(segment: place.segment + 1)
                continue
            }
            let fd = try self.descriptor(segment)
            guard let (header, body) = Self.record(fd, at: place.offset) else {
                throw Failure(operation: "read \(self.path(segment.number))", code: EIO)
            }
            if !entries.isEmpty && entries.count + header.lines > limit { break }
            do throws(LogRecord.Damage) { entries += try LogRecord.decode(header, body) } catch {
                throw Failure(operation: "read \(self.path(segment.number))", code: EBADMSG)
            }
            place.offset += LogRecord.headerBytes + header.bodyBytes
            place.lines += header.lines
            if entries.count >= limit { break }
        }
        self.readPlace = place
        return entries
    }

    /// What was read last is in the database.
    func consumed() { self.moveOn(to: self.readPlace) }

    /// The oldest lines are in the database, of which these are so many: whole records.
    func skip(_ count: Int) throws(Failure) {
        var left = count
        while left > 0 {
            let part = try self.read(limit: 1).count
            guard part > 0 else { return }
            left -= part
            self.consumed()
        }
    }

    /// What is left of the oldest segment cannot be read: it is given up.
    /// - Returns: how many lines that were.
    func dropDamaged() -> Int {
        var place = self.consumedPlace
        while place.segment < self.segments.count, place.offset >= self.segments[place.segment].usable {
            place = Place(segment: place.segment + 1)
        }
        guard place.segment < self.segments.count else { return 0 }
        self.consumedPlace = place
        let index = place.segment
        let lost = self.segments[index].lines - self.consumedPlace.lines
        self.damagedBytes += self.segments[index].usable - self.consumedPlace.offset
        self.segments[index].usable = self.consumedPlace.offset
        self.segments[index].lines = self.consumedPlace.lines
        if index == self.segments.count - 1, self.writer >= 0 {
            // What comes next must not stand behind the damage.
            close(self.writer)
            self.writer = -1
        }
        self.moveOn(to: self.consumedPlace)
        return lost
    }

    private func moveOn(to place: Place) {
        for segment in self.segments.prefix(place.segment) { self.remove(segment) }
        self.segments.removeFirst(place.segment)
        self.consumedPlace = Place(segment: 0, offset: place.offset, lines: place.lines)
        if self.lines == 0 {
            for segment in self.segments { self.remove(segment) }
            self.segments = []
            if self.writer >= 0 { close(self.writer) }
            self.writer = -1
            self.consumedPlace = Place()
        }
        self.readPlace = self.consumedPlace
    }

    private func remove(_ segment: Segment) {
        if let reader, reader.number == segment.number {
            close(reader.fd)
            self.reader = nil
        }
        unlink(self.path(segment.number))
        self.bytes -= segment.bytes
    }

    private func descriptor(_ segment: Segment) throws(Failure) -> Int32 {
        if let reader {
            if reader.number == segment.number { return reader.fd }
            close(reader.fd)
            self.reader = nil
        }
        let fd = Glibc.open(self.path(segment.number), O_RDONLY | O_CLOEXEC)
        guard fd >= 0 else { throw .last("open \(self.path(segment.number))") }
        self.reader = (segment.number, fd)
        return fd
    }

    // MARK: Files

    private func path(_ number: UInt64) -> String {
        let digits = String(number)
        return self.directory + "/" + String(repeating: "0", count: max(0, 12 - digits.count)) + digits + ".log"
    }

    /// Nil: there is none, or only a part of one.
    private static func record(_ fd: Int32, at offset: Int) -> (LogRecord.Header, [UInt8])? {
        guard let head = read(fd, LogRecord.headerBytes, at: offset) else { return nil }
        do throws(LogRecord.Damage) {
            let header = try LogRecord.Header(head)
            return read(fd, header.bodyBytes, at: offset + LogRecord.headerBytes).map { (header, $0) }
        } catch {
            return nil
        }
    }

    private static func read(_ fd: Int32, _ count: Int, at offset: Int) -> [UInt8]? {
        var done = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            while done < count {
                let part = pread(fd, buffer.baseAddress.map { $0 + done }, count - done, off_t(offset + done))
                if part < 0 && errno == EINTR { continue }
                guard part > 0 else { break }
                done += part
            }
            initialized = done
        }
        return done == count ? bytes : nil
    }
}
