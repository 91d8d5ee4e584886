import CLinux
import Glibc
import Testing
import UVLoop

@Suite(.timeLimit(.minutes(1))) struct WatcherTests {
    @Test func aPipeBecomesReadableAndEndsWithHangUp() async throws {
        try await LoopActor.test {
            var ends: [Int32] = [0, 0]
            try #require(linux_pipe(&ends, true) == 0)
            let reader = ends[0]
            let log = Log<String>()
            let watcher = try FDWatcher(fd: reader)
            watcher.start(.readable) { result in
                guard case .success(let events) = result, events.contains(.readable) else { return }
                var bytes = [UInt8](repeating: 0, count: 16)
                let count = read(reader, &bytes, bytes.count)
                if count == 0 { watcher.close() }
                log.append(String(decoding: bytes.prefix(max(count, 0)), as: UTF8.self))
            }
            write(ends[1], "one", 3)
            await log.wait(for: 1)
            write(ends[1], "two", 3)
            await log.wait(for: 2)
            close(ends[1])
            await log.wait(for: 3)
            #expect(log.values == ["one", "two", ""])
            watcher.close()  // Idempotent.
            close(reader)
        }
    }

    @Test func stopPausesAndStartGoesOn() async throws {
        try await LoopActor.test {
            var ends: [Int32] = [0, 0]
            try #require(linux_seqpacket_pair(&ends) == 0)
            defer { for fd in ends { close(fd) } }
            let log = Log<FDWatcher.Events>()
            let watcher = try FDWatcher(fd: ends[0])
            watcher.start([.readable, .writable]) { result in
                if case .success(let events) = result { log.append(events) }
                watcher.stop()
            }
            await log.wait(for: 1)
            #expect(log.values == [.writable])
            watcher.start(.readable) { result in
                if case .success(let events) = result { log.append(events) }
                watcher.stop()
            }
            send(ends[1], "x", 1, 0)
            await log.wait(for: 2)
            #expect(log.values == [.writable, .readable])
            watcher.close()
        }
    }

    @Test func aDescriptorCanBeWatchedAnewAfterClose() async throws {
        try await LoopActor.test {
            var ends: [Int32] = [0, 0]
            try #require(linux_pipe(&ends, true) == 0)
            defer { for fd in ends { close(fd) } }
            write(ends[1], "x", 1)
            for _ in 0..<3 {
                let watcher = try FDWatcher(fd: ends[0])
                await withCheckedContinuation { ready in
                    watcher.start(.readable) { _ in
                        watcher.close()
                        ready.resume()
                    }
                }
            }
        }
    }

    @Test func badDescriptorsAreRefused() async throws {
        try await LoopActor.test {
            #expect { try FDWatcher(fd: 1 << 19) } throws: { ($0 as? LoopError)?.code == EBADF }
            let file = linux_memfd("file")
            defer { close(file) }
            #expect { try FDWatcher(fd: file) } throws: { ($0 as? LoopError)?.name == "EPERM" }
        }
    }

    @Test func signalsArriveOnTheLoop() async throws {
        try await LoopActor.test {
            let log = Log<Int32>()
            let first = SignalWatcher(signal: SIGUSR2) { log.append(1) }
            let second = SignalWatcher(signal: SIGUSR2) { log.append(2) }
            kill(getpid(), SIGUSR2)
            await log.wait(for: 2)
            first.close()
            first.close()
            kill(getpid(), SIGUSR2)
            await log.wait(for: 3)
            #expect(log.values.sorted() == [1, 2, 2])
            second.close()
        }
    }

    @Test func aDirectoryReportsItsEntries() async throws {
        try await LoopActor.test {
            let directory = TemporaryDirectory()
            let path = directory.path
            let log = Log<DirectoryEvent>()
            let watcher = try DirectoryWatcher(path: path) { log.append($0) }
            let file = open("\(path)/a", O_CREAT | O_WRONLY | O_CLOEXEC, 0o600)
            write(file, "text", 4)
            close(file)
            await log.wait(for: 1)
            rename("\(path)/a", "\(path)/b")
            await log.wait(for: 3)
            unlink("\(path)/b")
            await log.wait(for: 4)
            #expect(log.values == [.closedAfterWrite("a"), .movedOut("a"), .movedIn("b"), .deleted("b")])
            rmdir(path)
            await log.wait(for: 5)
            #expect(log.values.last == .gone)
            watcher.close()
        }
    }

    @Test func aDirectoryReportsDirectoriesThatAreMadeInIt() async throws {
        try await LoopActor.test {
            let directory = TemporaryDirectory()
            let path = directory.path
            let (made, log) = (Log<String>(), Log<DirectoryEvent>())
            let watcher = try DirectoryWatcher(
                path: path, onDirectory: { made.append($0) }, handler: { log.append($0) })
            close(open("\(path)/file", O_CREAT | O_WRONLY | O_CLOEXEC, 0o600))
            mkdir("\(path)/sub", 0o700)
            await made.wait(for: 1)
            #expect(made.values == ["sub"])
            #expect(log.values == [.closedAfterWrite("file")])
            watcher.close()
            unlink("\(path)/file")
            rmdir("\(path)/sub")
        }
    }

    @Test func aMissingDirectoryIsAnError() async throws {
        try await LoopActor.test {
            #expect {
                try DirectoryWatcher(path: "/nowhere/at/all") { _ in }
            } throws: {
                ($0 as? LoopError)?.code == ENOENT && "\($0)".contains("ENOENT")
            }
        }
    }
}
