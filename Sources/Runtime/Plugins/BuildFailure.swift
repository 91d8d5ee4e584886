internal import Glibc

/// What stands in a library's place while its sources do not compile: a first line, and the compiler's words. The plugin's row shows
/// them, and the version that serves goes on serving.
package enum BuildFailure {
    /// No library begins like this.
    static let mark = "pawl: build failed\n"
    /// Longest text that is shown, in bytes.
    package static let limit = 16 << 10

    /// The content of such a file.
    package static func content(_ words: String) -> [UInt8] { Array((self.mark + words).utf8) }

    /// Nil for any other file.
    static func words(in fd: Int32) -> String? {
        var buffer = [UInt8](repeating: 0, count: self.mark.utf8.count + self.limit)
        let count = pread(fd, &buffer, buffer.count, 0)
        guard count > 0, buffer[..<count].starts(with: self.mark.utf8) else { return nil }
        return String(decoding: buffer[self.mark.utf8.count..<count], as: UTF8.self)
    }
}
