internal import CLinux
internal import Glibc

/// What happened in a watched directory. Names are those of entries, without the directory.
package enum DirectoryEvent: Hashable, Sendable {
    /// An entry was renamed into the directory: complete at once, so act at once.
    case movedIn(String)
    /// A file that was open for writing was closed. An in-place writer may open it again.
    case closedAfterWrite(String)
    /// A symbolic or a further hard link was made: complete at once.
    case linked(String)
    case movedOut(String)
    case deleted(String)
    /// The kernel's queue ran over: events are lost, look at the whole directory.
    case overflow
    /// The directory itself was removed, renamed or unmounted. Nothing follows.
    case gone
}

/// Watches the entries of one directory, not recursively, with an inotify descriptor of its own: libuv's watcher never
/// asks for close-after-write, and without that a half-written file looks finished.
@LoopActor
package final class DirectoryWatcher {
    private let path: String
    private let fd: Int32
    private let watcher: FDWatcher
    private var isClosed = false
    private let onDirectory: (@LoopActor (String) -> Void)?

    /// Fails when `path` is no readable directory (ENOENT, ENOTDIR, EACCES) or the user's inotify limits are used up
    /// (EMFILE, ENOSPC). Entries that are there already are not reported.
    /// - Parameter onDirectory: called with the name of each directory that is made in this one, for those who watch a tree.
    package init(
        path: String, onDirectory: (@LoopActor (String) -> Void)? = nil,
        handler: @escaping @LoopActor (DirectoryEvent) -> Void
    ) throws(LoopError) {
        self.onDirectory = onDirectory
        fd = inotify_init1(Int32(IN_CLOEXEC) | Int32(IN_NONBLOCK))
        guard fd >= 0 else { throw .last("watch \(path)") }
        self.path = path
        let mask =
            IN_MOVED_TO | IN_CLOSE_WRITE | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF
            | IN_ONLYDIR
        guard inotify_add_watch(fd, path, UInt32(mask)) >= 0 else {
            let error = LoopError.last("watch \(path)")
            Glibc.close(fd)
            throw error
        }
        do {
            watcher = try FDWatcher(fd: fd)
        } catch {
            Glibc.close(fd)
            throw error
        }
        watcher.start(.readable) { [weak self] _ in self?.read(handler) }
    }

    isolated deinit { close() }

    /// Idempotent; can be called from the handler.
    package func close() {
        guard !isClosed else { return }
        isClosed = true
        watcher.close()
        Glibc.close(fd)
    }

    /// One read per wake-up; what is left wakes the loop again.
    private func read(_ handler: @LoopActor (DirectoryEvent) -> Void) {
        let (events, made) = withUnsafeTemporaryAllocation(
            byteCount: 16 << 10, alignment: MemoryLayout<inotify_event>.alignment
        ) {
            buffer -> ([DirectoryEvent], [String]) in
            let length = Glibc.read(fd, buffer.baseAddress, buffer.count)
            // EAGAIN: woken for nothing. inotify knows no other error for a buffer that holds the longest name.
            return length > 0 ? self.parse(UnsafeRawBufferPointer(rebasing: buffer[..<length])) : ([], [])
        }
        for name in made where !isClosed { onDirectory?(name) }
        for event in events where !isClosed {
            if event == .gone { close() }
            handler(event)
        }
    }

    private func parse(_ bytes: UnsafeRawBufferPointer) -> (events: [DirectoryEvent], made: [String]) {
        var events: [DirectoryEvent] = []
        var made: [String] = []
        var offset = 0
        while offset + MemoryLayout<inotify_event>.size <= bytes.count {
            let event = bytes.loadUnaligned(fromByteOffset: offset, as: inotify_event.self)
            offset += MemoryLayout<inotify_event>.size
            // The kernel pads the name with zeroes.
            let name = String(decoding: bytes[offset..<offset + Int(event.len)].prefix { $0 != 0 }, as: UTF8.self)
            offset += Int(event.len)
            let mask = Int32(bitPattern: event.mask)
            if mask & IN_Q_OVERFLOW != 0 { events.append(.overflow) }
            if mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED) != 0 {
                if events.last != .gone { events.append(.gone) }
            }
            if mask & IN_MOVED_TO != 0 { events.append(.movedIn(name)) }
            if mask & IN_CLOSE_WRITE != 0 { events.append(.closedAfterWrite(name)) }
            if mask & IN_MOVED_FROM != 0 { events.append(.movedOut(name)) }
            if mask & IN_DELETE != 0 { events.append(.deleted(name)) }
            if mask & IN_CREATE != 0 {
                if mask & IN_ISDIR != 0 { made.append(name) } else if self.isLink(name) { events.append(.linked(name)) }
            }
        }
        return (events, made)
    }

    /// A file that was made by opening it is empty, and tells more when it is closed.
    private func isLink(_ name: String) -> Bool {
        var status = stat()
        guard lstat("\(self.path)/\(name)", &status) == 0 else { return false }
        return status.st_mode & S_IFMT == S_IFLNK || (status.st_mode & S_IFMT == S_IFREG && status.st_nlink > 1)
    }
}
