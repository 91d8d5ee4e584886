internal import CLinux
internal import CWire
internal import Glibc
internal import UVLoop

/// The host's end of a zygote's control socket: whole messages, with descriptors.
@LoopActor
final class ControlChannel {
    enum Event {
        /// The descriptors belong to the receiver.
        case message(UnsafeRawBufferPointer, fds: ArraySlice<Int32>)
        case closed
        /// The kernel refuses a message, with this errno: it is lost, and what it ordered will not happen. The slot is
        /// what it was sent with; 0: none.
        case unsendable(Int32, slot: UInt32)
    }

    private let fd: Int32
    private let watcher: FDWatcher
    private let handler: (Event) -> Void
    /// Messages that the kernel had no room for; their descriptors are ours.
    private var queue: [Waiting] = []
    private var isClosed = false

    private struct Waiting {
        var bytes: [UInt8]
        var fds: [Int32]
        var slot: UInt32
    }

    /// Takes the descriptor.
    init(fd: Int32, _ handler: @escaping @LoopActor (Event) -> Void) throws(LoopError) {
        self.fd = fd
        self.watcher = try FDWatcher(fd: fd)
        self.handler = handler
        self.watch()
    }

    isolated deinit { self.close() }

    /// Sends, now or when there is room, and closes `fds` when they are on their way; `lent` follows them and stays with
    /// the caller. A broken channel swallows the message: its end is reported as `closed`.
    /// `slot` is who is told when the message cannot be sent.
    func send(_ bytes: [UInt8], fds: [Int32] = [], lent: Int32? = nil, slot: UInt32 = 0) {
        guard !self.isClosed else { return Self.close(fds) }
        if self.queue.isEmpty && self.sendNow(bytes, fds, lent: lent, slot: slot) { return }
        var kept = fds
        if let lent {
            // The message waits with a copy of its own: the lender may close his.
            let copy = fcntl(lent, F_DUPFD_CLOEXEC, 3)
            guard copy >= 0 else {
                Self.close(fds)
                return self.report(errno, slot)
            }
            kept.append(copy)
        }
        self.queue.append(Waiting(bytes: bytes, fds: kept, slot: slot))
        if self.queue.count == 1 { self.watch() }
    }

    /// Not at once: the sender is in the middle of something.
    private func report(_ error: Int32, _ slot: UInt32) {
        loopTask { [weak self] in
            if let self, !self.isClosed { self.handler(.unsendable(error, slot: slot)) }
        }
    }

    func close() {
        guard !self.isClosed else { return }
        self.isClosed = true
        self.watcher.close()
        Glibc.close(self.fd)
        for message in self.queue { Self.close(message.fds) }
        self.queue = []
    }

    /// False when there is no room.
    private func sendNow(_ bytes: [UInt8], _ fds: [Int32], lent: Int32? = nil, slot: UInt32) -> Bool {
        let all = lent.map { fds + [$0] } ?? fds
        let result = bytes.withUnsafeBytes { linux_send_fds(self.fd, $0.baseAddress, $0.count, all, all.count) }
        switch Int32(clamping: -result) {
        // The last two: too many descriptors are on their way, or too little memory is there for one more.
        case EAGAIN, ETOOMANYREFS, ENOBUFS: return false
        case EPIPE, ECONNRESET: break  // Shows as `closed`.
        case let error where error > 0: self.report(error, slot)
        default: break
        }
        Self.close(fds)
        return true
    }

    private func watch() {
        self.watcher.start(self.queue.isEmpty ? .readable : [.readable, .writable]) { [weak self] result in
            guard let self else { return }
            switch result {
            case .success(let events):
                if events.contains(.writable) { self.flush() }
                if events.contains(.readable) { self.receive() }
            case .failure: self.receive()
            }
        }
    }

    private func flush() {
        var sent = 0
        while sent < self.queue.count {
            let next = self.queue[sent]
            guard self.sendNow(next.bytes, next.fds, slot: next.slot) else { break }
            sent += 1
        }
        self.queue.removeFirst(sent)
        if self.queue.isEmpty && !self.isClosed { self.watch() }
    }

    /// Up to 64 messages per turn, so that a busy zygote does not starve the rest.
    private func receive() {
        for _ in 0..<64 where !self.isClosed {
            guard let outcome = ControlSocket.receive(self.fd, self.handler) else { return }
            if !outcome {
                self.close()
                self.handler(.closed)
                return
            }
        }
    }

    /// Takes what is still there, when the other side has ended.
    func drain() { while !self.isClosed, ControlSocket.receive(self.fd, self.handler) == true {} }

    static func close(_ fds: [Int32]) { for fd in fds { Glibc.close(fd) } }
}

/// One receive on a control socket, shared by zygotes' channels and monitors' sockets.
@LoopActor
enum ControlSocket {
    private static let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Int(PAWL_CONTROL_MAX), alignment: 16)

    /// nil: nothing there. false: the other side is gone, or broke the rules. true: a message was handled.
    static func receive(_ fd: Int32, _ handler: (ControlChannel.Event) -> Void) -> Bool? {
        var fds = [Int32](repeating: -1, count: Int(LINUX_MAX_PASSED_FDS))
        var count = 0
        var truncated = false
        let length = linux_receive_fds(fd, self.buffer.baseAddress, self.buffer.count, &fds, &count, &truncated)
        if length == -Int(EAGAIN) { return nil }
        if truncated || length <= 0 {
            ControlChannel.close(Array(fds[..<count]))
            return false
        }
        handler(.message(UnsafeRawBufferPointer(rebasing: self.buffer[..<Int(length)]), fds: fds[..<count]))
        return true
    }
}
