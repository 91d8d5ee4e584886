import Glibc

/// Lines of a file or of standard input, as they come.
struct LineReader: ~Copyable {
    /// Of the line that was read last, from 1.
    private(set) var number = 0
    private let descriptor: Int32
    private let source: String
    private var buffer: [UInt8] = []
    private var position = 0
    private var isAtEnd = false

    /// - Parameter path: nil or `-`: standard input.
    init(path: String?) throws(ClientFailure) {
        guard let path, path != "-" else {
            self.descriptor = dup(STDIN_FILENO)
            self.source = "standard input"
            return
        }
        self.descriptor = open(path, O_RDONLY | O_CLOEXEC)
        self.source = path
        if self.descriptor < 0 { throw Self.failure(path) }
    }

    deinit { if self.descriptor >= 0 { close(self.descriptor) } }

    /// The next line without its end; nil at the end.
    mutating func next() throws(ClientFailure) -> [UInt8]? {
        var searched = self.position
        while true {
            if let end = self.buffer[searched...].firstIndex(of: UInt8(ascii: "\n")) {
                let line = Array(self.buffer[self.position..<end])
                self.position = end + 1
                self.number += 1
                return line
            }
            if self.isAtEnd {
                guard self.position < self.buffer.count else { return nil }
                let line = Array(self.buffer[self.position...])
                self.position = self.buffer.count
                self.number += 1
                return line
            }
            self.buffer.removeFirst(self.position)
            self.position = 0
            searched = self.buffer.count
            try self.fill()
        }
    }

    private mutating func fill() throws(ClientFailure) {
        var piece = [UInt8](repeating: 0, count: 1 << 18)
        while true {
            let count = read(self.descriptor, &piece, piece.count)
            if count < 0 {
                if errno == EINTR { continue }
                throw Self.failure(self.source)
            }
            self.isAtEnd = count == 0
            self.buffer += piece[..<count]
            return
        }
    }

    private static func failure(_ source: String) -> ClientFailure {
        ClientFailure(exit: .inputMissing, message: "\(source) cannot be read: \(String(cString: strerror(errno))).")
    }
}
