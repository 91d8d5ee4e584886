internal import Glibc
internal import UVLoop

/// Notices that the peer is gone while nobody reads.
///
/// libuv reports an end of file or a reset only to a stream that reads. A channel that is held back, or whose reader
/// has given up (after a bad request nobody reads any more), would keep its connection for ever. NIO's own channels ask
/// epoll for hang-ups at all times; here one poll(2) a second asks for all channels that do not read.
// Loop thread only.
final class HangUpSweep {
    static let interval: Duration = .seconds(1)

    private let loop: UVLoop
    private var channels: [ObjectIdentifier: LibuvStreamChannel] = [:]
    private var timer: TimerEntry?

    init(loop: UVLoop) { self.loop = loop }

    /// The channel does not read (any more). It must be removed when it reads again and when it is closed.
    func add(_ channel: LibuvStreamChannel) {
        channels[ObjectIdentifier(channel)] = channel
        arm()
    }

    func remove(_ channel: LibuvStreamChannel) {
        guard channels.removeValue(forKey: ObjectIdentifier(channel)) != nil, channels.isEmpty, let timer else {
            return
        }
        loop.cancel(timer)
        self.timer = nil
    }

    private func arm() {
        guard timer == nil, !channels.isEmpty else { return }
        timer = loop.schedule(at: .now.advanced(by: Self.interval)) { [self] in
            timer = nil
            sweep()
            arm()
        }
    }

    private func sweep() {
        let candidates = Array(channels.values)
        // Glibc's module does not have the constant; hang-ups and errors are reported unasked.
        let endOfFile: Int16 = 0x2000  // POLLRDHUP
        var polled = candidates.map { pollfd(fd: $0.handle.descriptor, events: endOfFile, revents: 0) }
        guard poll(&polled, nfds_t(polled.count), 0) > 0 else { return }
        for (channel, result) in zip(candidates, polled) where result.revents != 0 {
            channel.peerHungUp(isBroken: result.revents & Int16(POLLERR) != 0)
        }
    }
}
