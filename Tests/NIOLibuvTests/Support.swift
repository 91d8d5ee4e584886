import Glibc
import NIOCore
import NIOLibuv
import Testing
import UVLoop

/// A plain socket on the other side of a connection, without NIO. On the loop.
@LoopActor
final class Peer {
    private let fd: Int32
    private let watcher: FDWatcher
    private var isOpen = true
    private var waiters: [FDWatcher.Events: CheckedContinuation<Void, Never>] = [:]

    /// Close-on-exec, or a process that another test starts would keep the connection open.
    private static let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)

    /// Loopback and Unix sockets connect at once, or wait in the backlog as connected.
    init(to address: ListenAddress) throws {
        switch address {
        case .ip(let host, let port):
            fd = socket(AF_INET, Self.type, 0)
            var target = sockaddr_in()
            target.sin_family = sa_family_t(AF_INET)
            target.sin_port = port.bigEndian
            inet_pton(AF_INET, host, &target.sin_addr)
            try Self.connect(fd, &target)
        case .unix(let path, _):
            fd = socket(AF_UNIX, Self.type, 0)
            var target = sockaddr_un()
            target.sun_family = sa_family_t(AF_UNIX)
            withUnsafeMutableBytes(of: &target.sun_path) { $0.copyBytes(from: path.utf8) }
            try Self.connect(fd, &target)
        }
        watcher = try FDWatcher(fd: fd)
    }

    isolated deinit { close() }

    private static func connect<T>(_ fd: Int32, _ address: inout T) throws {
        let result = withUnsafeBytes(of: &address) { bytes in
            Glibc.connect(
                fd, bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count))
        }
        guard result == 0 else { throw LoopError.last("connect") }
    }

    func send(_ text: String) async throws { try await send(Array(text.utf8)) }

    func send(_ bytes: [UInt8]) async throws {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes { Glibc.send(fd, $0.baseAddress?.advanced(by: sent), $0.count - sent, 0) }
            if count >= 0 {
                sent += count
            } else if errno == EAGAIN {
                await ready(.writable)
            } else {
                throw LoopError.last("send")
            }
        }
    }

    /// At most `limit` bytes, whatever one recv(2) gives; empty at the end of file.
    func receiveSome(limit: Int = 64 << 10) async throws -> [UInt8] {
        while true {
            var error: Int32 = 0
            let bytes = [UInt8](unsafeUninitializedCapacity: limit) { buffer, count in
                let result = recv(fd, buffer.baseAddress, buffer.count, 0)
                error = result < 0 ? errno : 0
                count = max(result, 0)
            }
            if error == 0 { return bytes }
            guard error == EAGAIN else { throw LoopError(error, "recv") }
            await ready(.readable)
        }
    }

    /// Exactly `count` bytes, or fewer if the stream ends before.
    func receive(_ count: Int) async throws -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < count {
            let more = try await receiveSome(limit: min(count - bytes.count, 64 << 10))
            if more.isEmpty { break }
            bytes += more
        }
        return bytes
    }

    func receiveText(_ count: Int) async throws -> String { String(decoding: try await receive(count), as: UTF8.self) }

    func receiveToEnd() async throws -> [UInt8] { try await receive(.max) }

    func endSending() { shutdown(fd, Int32(SHUT_WR)) }

    /// Closes with a reset instead of an orderly end.
    func abort() {
        var linger = linger(l_onoff: 1, l_linger: 0)
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<linger>.size))
        close()
    }

    func close() {
        guard isOpen else { return }
        isOpen = false
        watcher.close()
        Glibc.close(fd)
    }

    /// One reader and one writer may wait at a time.
    private func ready(_ event: FDWatcher.Events) async {
        await withCheckedContinuation { continuation in
            waiters[event] = continuation
            watch()
        }
    }

    private func watch() {
        guard !waiters.isEmpty else {
            watcher.stop()
            return
        }
        watcher.start(waiters.keys.reduce([]) { $0.union($1) }) { [weak self] result in
            guard let self else { return }
            // An error: whoever waits learns it from its own call.
            let events = (try? result.get()) ?? [.readable, .writable]
            let ready = self.waiters.filter { events.contains($0.key) }
            for event in ready.keys { self.waiters[event] = nil }
            self.watch()
            for waiter in ready.values { waiter.resume() }
        }
    }
}

/// Things that happened, in order; touched on the loop's thread only, where channel handlers run.
@LoopActor
final class Journal<Element: Sendable> {
    private(set) var entries: [Element] = []
    private var waiters: [(condition: ([Element]) -> Bool, continuation: CheckedContinuation<Void, Never>)] = []

    nonisolated init() {}

    /// For handlers, which are on the loop without the compiler knowing it.
    nonisolated func add(_ entry: Element) {
        LoopActor.assumeIsolated {
            entries.append(entry)
            let ready = waiters.filter { $0.condition(entries) }
            waiters.removeAll { $0.condition(entries) }
            for waiter in ready { waiter.continuation.resume() }
        }
    }

    func wait(until condition: @escaping ([Element]) -> Bool) async {
        if condition(entries) { return }
        await withCheckedContinuation { waiters.append((condition, $0)) }
    }

    func removeAll() { entries = [] }

    func wait(for count: Int) async { await wait { $0.count >= count } }
}

extension Journal where Element: Equatable {
    func wait(forEntry entry: Element) async { await wait { $0.contains(entry) } }
}

/// A listener whose channels get `configure`d and activated, and can be had in the order of their arrival.
@LoopActor
final class TestServer {
    let listener: LibuvListener
    private let accepted: Journal<any Channel>

    init(
        on address: ListenAddress = .ip("127.0.0.1", port: 0), maxConnections: Int = 4096,
        _ configure: @escaping (any Channel) throws -> Void
    ) throws {
        let accepted = Journal<any Channel>()
        self.accepted = accepted
        listener = try LibuvListener.bind(address, loop: LoopActor.loop, maxConnections: maxConnections) { channel in
            do {
                try configure(channel)
                LibuvListener.activate(channel)
            } catch {
                Issue.record(error)
                channel.close(promise: nil)
            }
            accepted.add(channel)
        }
    }

    isolated deinit { listener.close() }

    func connect() throws -> Peer { try Peer(to: listener.localAddress) }

    func channel(_ index: Int = 0) async -> any Channel {
        await accepted.wait(for: index + 1)
        return accepted.entries[index]
    }

    /// Lets go of the channels that were accepted so far.
    func forget() { accepted.removeAll() }

    func close() { listener.close() }
}

/// Sends back what it reads.
final class EchoHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { context.write(data, promise: nil) }
    func channelReadComplete(context: ChannelHandlerContext) { context.flush() }
}

/// Writes down what passes.
final class RecordingHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let journal: Journal<String>

    init(_ journal: Journal<String>) { self.journal = journal }

    func handlerRemoved(context: ChannelHandlerContext) { journal.add("handlerRemoved") }
    func channelRegistered(context: ChannelHandlerContext) { journal.add("registered") }
    func channelUnregistered(context: ChannelHandlerContext) { journal.add("unregistered") }
    func channelActive(context: ChannelHandlerContext) { journal.add("active") }
    func channelInactive(context: ChannelHandlerContext) { journal.add("inactive") }
    func channelReadComplete(context: ChannelHandlerContext) { journal.add("readComplete") }
    func channelWritabilityChanged(context: ChannelHandlerContext) {
        journal.add(context.channel.isWritable ? "writable" : "unwritable")
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        journal.add("read \(String(buffer: unwrapInboundIn(data)))")
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case ChannelEvent.inputClosed: journal.add("inputClosed")
        case ChannelEvent.outputClosed: journal.add("outputClosed")
        case is ChannelShouldQuiesceEvent: journal.add("quiesce")
        default: journal.add("\(event)")
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        journal.add("error \((error as? IOError)?.errnoCode ?? 0)")
    }
}

/// A path in a directory of its own, removed together.
struct TemporaryPath: ~Copyable {
    let directory: String
    var socket: String { directory + "/socket" }

    init() {
        let base = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array("\(base)/nio-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { preconditionFailure("mkdtemp: errno \(errno)") }
        directory = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit {
        unlink(socket)
        rmdir(directory)
    }
}

/// A value that several threads share. Not Synchronization's `Mutex`: the thread sanitizer does not understand it.
// Sendable by hand: `value` is touched under the lock only.
final class Locked<Value>: @unchecked Sendable {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private var value: Value

    init(_ value: Value) {
        self.value = value
        pthread_mutex_init(mutex, nil)
    }

    deinit {
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
    }

    func withLock<R>(_ body: (inout Value) -> R) -> R {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return body(&value)
    }
}
