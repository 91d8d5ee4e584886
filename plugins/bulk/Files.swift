import Glibc
import PluginKit

/// What a system call said about a path.
struct FileFault: Error {
    var verb: String
    var path: String
    var number: Int32

    var words: String { "cannot \(self.verb) \(self.path): \(String(cString: strerror(self.number)))" }
    var failure: JobFailure { JobFailure("bulk_file", self.words) }
}

/// A descriptor that closes itself.
final class Descriptor {
    let number: Int32
    let path: String

    init(_ path: String, _ flags: Int32, mode: mode_t = 0o666, verb: String) throws(FileFault) {
        self.number = open(path, flags | O_CLOEXEC, mode)
        self.path = path
        if self.number < 0 { throw FileFault(verb: verb, path: path, number: errno) }
    }
    deinit { close(self.number) }

    func status() throws(FileFault) -> stat {
        var status = stat()
        guard fstat(self.number, &status) == 0 else { throw FileFault(verb: "look at", path: self.path, number: errno) }
        return status
    }

    /// Nil at the end.
    func read(upTo limit: Int = 1 << 18) throws(FileFault) -> [UInt8]? {
        var buffer = [UInt8](repeating: 0, count: limit)
        while true {
            let got = Glibc.read(self.number, &buffer, limit)
            if got > 0 { return Array(buffer[..<got]) }
            if got == 0 { return nil }
            if errno != EINTR { throw FileFault(verb: "read", path: self.path, number: errno) }
        }
    }

    func write(_ bytes: [UInt8]) throws(FileFault) {
        var done = 0
        while done < bytes.count {
            let got = bytes.withUnsafeBytes { Glibc.write(self.number, $0.baseAddress! + done, bytes.count - done) }
            if got >= 0 {
                done += got
            } else if errno != EINTR {
                throw FileFault(verb: "write", path: self.path, number: errno)
            }
        }
    }

    func makeDurable() throws(FileFault) {
        if fsync(self.number) != 0 { throw FileFault(verb: "write", path: self.path, number: errno) }
    }
}

/// Lines of a file, without what ends them.
struct Lines {
    private static let longest = 1 << 20
    private let file: Descriptor
    private var pending: [UInt8] = []
    private var at = 0
    private var isAtEnd = false
    /// Bytes of whole lines so far.
    private(set) var bytes = 0
    /// The last line had no line feed: it may be half of one.
    private(set) var isCut = false

    init(_ path: String) throws(FileFault) { self.file = try Descriptor(path, O_RDONLY, verb: "read") }

    mutating func next() throws -> String? {
        while true {
            if let end = self.pending[self.at...].firstIndex(of: 0x0A) {
                let line = String(decoding: self.pending[self.at..<end], as: UTF8.self)
                self.bytes += end + 1 - self.at
                self.at = end + 1
                return line
            }
            if self.isAtEnd {
                guard self.at < self.pending.count else { return nil }
                let line = String(decoding: self.pending[self.at...], as: UTF8.self)
                self.at = self.pending.count
                self.isCut = true
                return line
            }
            if self.pending.count - self.at > Self.longest {
                throw JobFailure("bulk_malformed", "\(self.file.path) has a line longer than 1 MiB", retry: .never)
            }
            self.pending.removeFirst(self.at)
            self.at = 0
            if let more = try self.file.read() { self.pending += more } else { self.isAtEnd = true }
        }
    }
}
