import CLinux
import Glibc
import Testing

@Suite struct LinuxTests {
    @Test func descriptorsTravelWithAMessage() throws {
        var pair: [Int32] = [0, 0]
        try #require(linux_seqpacket_pair(&pair) == 0)
        defer { for fd in pair { close(fd) } }
        let file = linux_memfd("payload")
        write(file, "text", 4)
        let eight = [Int32](repeating: file, count: 8)
        #expect(linux_send_fds(pair[0], "hello", 5, eight, 8) == 5)
        var bytes = [UInt8](repeating: 0, count: 64)
        var received = [Int32](repeating: -1, count: Int(LINUX_MAX_PASSED_FDS))
        var count = 0
        var truncated = true
        #expect(linux_receive_fds(pair[1], &bytes, bytes.count, &received, &count, &truncated) == 5)
        #expect(count == 8 && !truncated)
        close(file)
        for fd in received {
            #expect(fcntl(fd, F_GETFD) & FD_CLOEXEC != 0)
            #expect(pread(fd, &bytes, 4, 0) == 4)
            close(fd)
        }
    }

    @Test func messagesKeepTheirBordersAndTooLongOnesSaySo() throws {
        var pair: [Int32] = [0, 0]
        try #require(linux_seqpacket_pair(&pair) == 0)
        #expect(linux_send_fds(pair[0], "one", 3, nil, 0) == 3)
        #expect(linux_send_fds(pair[0], "longer", 6, nil, 0) == 6)
        var bytes = [UInt8](repeating: 0, count: 4)
        var fds = [Int32](repeating: -1, count: Int(LINUX_MAX_PASSED_FDS))
        var count = 0
        var truncated = false
        #expect(linux_receive_fds(pair[1], &bytes, 4, &fds, &count, &truncated) == 3)
        #expect(!truncated)
        #expect(linux_receive_fds(pair[1], &bytes, 4, &fds, &count, &truncated) == 4)
        #expect(truncated)
        #expect(linux_receive_fds(pair[1], &bytes, 4, &fds, &count, &truncated) == Int(-EAGAIN))
        #expect(linux_send_fds(pair[0], "x", 1, fds, 9) == Int(-EINVAL))
        close(pair[0])
        // Another test may be starting a process just now: until its exec it holds a copy of the closed end.
        var ended = pollfd(fd: pair[1], events: Int16(POLLIN), revents: 0)
        #expect(poll(&ended, 1, 30_000) == 1)
        #expect(linux_receive_fds(pair[1], &bytes, 4, &fds, &count, &truncated) == 0)
        #expect(linux_send_fds(pair[1], "x", 1, nil, 0) == Int(-EPIPE))
        close(pair[1])
    }

    @Test func errorsAreNegatedErrnos() {
        #expect(linux_pidfd_open(-1) == -EINVAL)
        #expect(linux_pidfd_send_signal(-1, SIGKILL) == -EBADF)
        var exit = linux_exit()
        #expect(linux_wait_pidfd(-1, false, &exit) < 0)
        #expect(linux_thread_count() >= 1)
        #expect(linux_gettid() > 0)
    }
}
