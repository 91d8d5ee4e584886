internal import CLinux
internal import Glibc

/// The reading end of a child's stdout or stderr.
@LoopActor
final class OutputPipe {
    private(set) var bytes: [UInt8] = []
    private(set) var isTruncated = false
    private let limit: Int
    private let handler: (@LoopActor @Sendable ([UInt8]) -> Void)?
    private let fd: Int32
    private let watcher: FDWatcher
    private var isOpen = true

    /// Makes a pipe and starts to read it; the writing end belongs to the caller.
    static func open(
        limit: Int, handler: (@LoopActor @Sendable ([UInt8]) -> Void)?
    ) throws(LoopError) -> (pipe: OutputPipe, writeEnd: Int32) {
        var ends: (Int32, Int32) = (-1, -1)
        let result = withUnsafeMutablePointer(to: &ends) {
            $0.withMemoryRebound(to: Int32.self, capacity: 2) { linux_pipe($0, true) }
        }
        _ = try checked(result, "make a pipe")
        do {
            return (try OutputPipe(fd: ends.0, limit: limit, handler: handler), ends.1)
        } catch {
            Glibc.close(ends.0)
            Glibc.close(ends.1)
            throw error
        }
    }

    private init(fd: Int32, limit: Int, handler: (@LoopActor @Sendable ([UInt8]) -> Void)?) throws(LoopError) {
        self.fd = fd
        self.limit = limit
        self.handler = handler
        watcher = try FDWatcher(fd: fd)
        watcher.start(.readable) { [weak self] _ in _ = self?.readOnce() }
    }

    isolated deinit { close() }

    /// After the process has ended: takes what is still in the pipe. Does not wait for its end, and takes no more than a
    /// pipe holds (64 KiB, 1 MiB at most): a surviving grandchild may hold it open and write on.
    func drain() {
        for _ in 0..<16 where isOpen {
            guard readOnce() else { break }
        }
        close()
    }

    func close() {
        guard isOpen else { return }
        isOpen = false
        watcher.close()
        Glibc.close(fd)
    }

    /// True while there is more to read.
    private func readOnce() -> Bool {
        guard isOpen else { return false }
        let chunk = [UInt8](unsafeUninitializedCapacity: 64 << 10) { buffer, count in
            count = max(Glibc.read(fd, buffer.baseAddress, buffer.count), 0)
        }
        if chunk.isEmpty {
            // End of file or an error ends the pipe; "nothing now" does not.
            let error = errno
            if error != EAGAIN && error != EINTR { close() }
            return false
        }
        if let handler {
            handler(chunk)
        } else {
            let room = limit - bytes.count
            bytes += chunk.prefix(room)
            if chunk.count > room { isTruncated = true }
        }
        return true
    }
}
