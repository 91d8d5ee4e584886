import CLinux
import Glibc
import Testing
import UVLoop

@Suite(.timeLimit(.minutes(1))) struct ChildProcessTests {
    private static let patience: Duration = .seconds(30)

    @Test func outputAndExitCodeComeBack() async throws {
        try await LoopActor.test {
            let output = try await ChildProcess.run(
                shell("cat; echo problem >&2; exit 3", stdin: .bytes(Array("hello".utf8))), timeout: Self.patience)
            #expect(output.status == .code(3))
            #expect(output.stdoutText == "hello")
            #expect(output.stderrText == "problem\n")
            #expect(!output.isTruncated)
        }
    }

    @Test func aSignalIsNoExitCode() async throws {
        try await LoopActor.test {
            let output = try await ChildProcess.run(shell("kill -SEGV $$"), timeout: Self.patience)
            #expect(output.status == .signal(SIGSEGV))
        }
    }

    @Test func aMissingProgramIsAnError() async throws {
        try await LoopActor.test {
            #expect {
                try ChildProcess.spawn(.init(executable: "/nowhere/program", stdin: .bytes([1])))
            } throws: {
                ($0 as? LoopError)?.code == ENOENT
            }
        }
    }

    @Test func theChildSeesOnlyWhatItIsGiven() async throws {
        try await LoopActor.test {
            // Inheritable on purpose: it must not reach the child all the same.
            let leaky = open("/dev/null", O_RDONLY)
            defer { close(leaky) }
            var spec = shell(
                """
                env | grep -v -e '^PWD=' -e '^SHLVL=' -e '^_='
                pwd
                ls /proc/self/fd | wc -l
                grep -e SigBlk -e SigIgn /proc/self/status
                """)
            spec.environment = ["NAME": "a value", "PATH": "/usr/bin:/bin"]
            spec.workingDirectory = "/"
            let output = try await ChildProcess.run(spec, timeout: Self.patience)
            var lines = output.stdoutText.split(separator: "\n").map(String.init)
            let environment = lines.prefix(2).sorted()
            lines.removeFirst(2)
            #expect(environment == ["NAME=a value", "PATH=/usr/bin:/bin"])
            #expect(lines.first == "/")
            // 0, 1, 2 and the one that ls itself opened.
            #expect(lines.dropFirst().first.map { Int($0.filter(\.isNumber)) } == 4)
            // Signals 32 and 33 are glibc's own; its posix_spawn leaves them ignored.
            #expect(lines.suffix(2) == ["SigBlk:\t0000000000000000", "SigIgn:\t0000000180000000"])
        }
    }

    @Test func descriptorsLandOnTheirNumbersEvenWhenTheyCross() async throws {
        try await LoopActor.test {
            var first: [Int32] = [0, 0]
            var second: [Int32] = [0, 0]
            try #require(linux_pipe(&first, true) == 0 && linux_pipe(&second, true) == 0)
            var spec = shell("echo five >&5; echo three >&3; ls /proc/self/fd | tr '\\n' ' '")
            spec.environment = ["PATH": "/usr/bin:/bin"]
            spec.descriptors = [(child: 5, parent: first[1]), (child: 3, parent: second[1])]
            let output = try await ChildProcess.run(spec, timeout: Self.patience)
            #expect(text(from: first[0]) == "five\n")
            #expect(text(from: second[0]) == "three\n")
            #expect(output.stdoutText == "0 1 2 3 4 5 " || output.stdoutText == "0 1 2 3 5 6 ", "\(output.stdoutText)")
            for fd in first + second { close(fd) }
        }
    }

    @Test func aMegabyteGoesThroughAndMoreIsCut() async throws {
        try await LoopActor.test {
            let input = [UInt8](repeating: 0x61, count: 3 << 20)
            var spec = ChildProcess.Spec(executable: "/bin/cat", stdin: .bytes(input), stdout: .capture(limit: 1 << 20))
            var output = try await ChildProcess.run(spec, timeout: Self.patience)
            #expect(output.status == .code(0))
            #expect(output.stdout.count == 1 << 20)
            #expect(output.isTruncated)
            spec.stdout = .capture(limit: 4 << 20)
            output = try await ChildProcess.run(spec, timeout: Self.patience)
            #expect(output.stdout == input)
            #expect(!output.isTruncated)
        }
    }

    @Test func aStreamDeliversEverythingBeforeTheExit() async throws {
        try await LoopActor.test {
            let log = Log<[UInt8]>()
            var spec = shell("echo one; echo two; echo three")
            spec.stdout = .stream { log.append($0) }
            let child = try ChildProcess.spawn(spec)
            #expect(await child.wait() == .code(0))
            #expect(String(decoding: log.values.joined(), as: UTF8.self) == "one\ntwo\nthree\n")
        }
    }

    @Test func aGrandchildThatWritesOnDoesNotHoldUpTheEnd() async throws {
        try await LoopActor.test {
            // `yes` would write for ever; it dies of SIGPIPE when the reader has gone.
            let output = try await ChildProcess.run(shell("yes & exit 0"), timeout: Self.patience)
            #expect(output.status == .code(0))
        }
    }

    @Test func aTimeoutKillsTheWholeGroup() async throws {
        try await LoopActor.test {
            var ends: [Int32] = [0, 0]
            try #require(linux_pipe(&ends, true) == 0)
            // The grandchild holds the pipe's writing end: end of file proves that it is gone too.
            var spec = shell("sleep 3600 & sleep 3600")
            spec.descriptors = [(child: 3, parent: ends[1])]
            await #expect {
                try await ChildProcess.run(spec, timeout: .milliseconds(50))
            } throws: {
                ($0 as? LoopError)?.code == ETIMEDOUT
            }
            close(ends[1])
            let reader = ends[0]
            let watcher = try FDWatcher(fd: reader)
            await withCheckedContinuation { ended in
                watcher.start(.readable) { _ in
                    watcher.close()
                    ended.resume()
                }
            }
            var byte: UInt8 = 0
            #expect(read(reader, &byte, 1) == 0)
            close(reader)
        }
    }

    @Test func cancellationKills() async throws {
        try await LoopActor.test {
            let log = Log<String>()
            let task = loopTask {
                log.append("began")
                do {
                    _ = try await ChildProcess.run(shell("sleep 3600"), timeout: .seconds(3600))
                } catch let error as LoopError {
                    log.append(error.name)
                }
            }
            await log.wait(for: 1)
            task.cancel()
            try await task.value
            #expect(log.values == ["began", "ECANCELED"])
        }
    }

    @Test func anEndedProcessIsNeverSignalled() async throws {
        try await LoopActor.test {
            let child = try ChildProcess.spawn(shell("exit 0"))
            #expect(await child.wait() == .code(0))
            #expect(await child.wait() == .code(0), "a second wait has the same answer")
            #expect(!child.signal(SIGKILL))
            #expect(!child.signalGroup(SIGKILL))
        }
    }

    /// In a process of its own, where nobody else opens descriptors or has children.
    @Test func noExitIsLostAmongManyAndNothingLeaks() async {
        await #expect(processExitsWith: .success) {
            try LoopActor.runMain {
                // Warm up whatever opens descriptors once. A child object dies in a job after its last use.
                _ = try await ChildProcess.run(shell("exit 0"), timeout: .seconds(30))
                try await LoopClock.sleep(for: .milliseconds(2))
                let before = openDescriptors()
                for _ in 0..<4 {
                    let children = try (0..<50).map { try ChildProcess.spawn(shell("exit \($0)")) }
                    for (index, child) in children.enumerated() {
                        let status = await child.wait()
                        check(status == .code(Int32(index)), 100)
                    }
                    for _ in 0..<50 {
                        let missing = try? ChildProcess.spawn(.init(executable: "/nowhere/program", stdin: .bytes([1])))
                        check(missing == nil, 101)
                    }
                }
                // The process's other threads may have opened a few of their own; one each of ours would be 400.
                let limit = before + 20
                for _ in 0..<1000 where openDescriptors() > limit { try await LoopClock.sleep(for: .milliseconds(1)) }
                check(openDescriptors() <= limit, 102)
                check(waitpid(-1, nil, WNOHANG) == -1 && errno == ECHILD, 103)
            }
            exit(0)
        }
    }

    @Test func anExitIsSeenWhenNobodyHoldsTheObject() async throws {
        try await LoopActor.test {
            let log = Log<[UInt8]>()
            var spec = shell("echo out")
            spec.stdout = .stream { log.append($0) }
            let pid = try ChildProcess.spawn(spec).pid
            await log.wait(for: 1)
            while kill(pid, 0) == 0 { try await LoopClock.sleep(for: .milliseconds(1)) }
            #expect(errno == ESRCH)
        }
    }
}

private func shell(_ script: String, stdin: ChildProcess.Input = .null) -> ChildProcess.Spec {
    ChildProcess.Spec(executable: "/bin/sh", arguments: ["-c", script], stdin: stdin)
}

/// In a process of its own: says by the exit code which check has failed.
private func check(_ condition: Bool, _ code: Int32) {
    if !condition { exit(code) }
}

private func openDescriptors() -> Int {
    guard let directory = opendir("/proc/self/fd") else { return -1 }
    defer { closedir(directory) }
    var count = 0
    while readdir(directory) != nil { count += 1 }
    return count
}

/// What one read finds.
private func text(from fd: Int32) -> String {
    var bytes = [UInt8](repeating: 0, count: 64)
    let count = read(fd, &bytes, bytes.count)
    return String(decoding: bytes.prefix(max(count, 0)), as: UTF8.self)
}
