internal import CLibuv
internal import Glibc
internal import NIOCore
internal import UVLoop

extension LibuvStreamChannel {
    package func read0() {
        guard state != .closed, !inputIsClosed, !isLingering else { return }
        readIsPending = true
        startReadingIfPending()
    }

    /// After a batch, and when the channel becomes active: the automatic read goes through the pipeline, where a
    /// handler may hold it back.
    func readIfWanted() {
        guard state == .active, !inputIsClosed, !isLingering else { return }
        if autoRead && !readIsPending { pipeline.syncOperations.read() }
        startReadingIfPending()
        if !isReading && state == .active { sweep.add(self) }
    }

    func stopReading() {
        guard isReading else { return }
        isReading = false
        handle.stopReading()
        sweep.add(self)
    }

    /// Found by the sweep, while nobody reads: the peer has ended its side or, when `isBroken`, the connection is
    /// reset.
    func peerHungUp(isBroken: Bool) {
        guard state == .active else { return }
        if inputIsClosed {
            // The end was read long ago; what can be new is that nobody listens any more either.
            if isBroken { fail(IOError(errnoCode: ECONNRESET, reason: "connection reset")) }
        } else if !isLingering {
            // There is nothing to hold back any more: the rest fits in the socket's buffer, and its end closes us.
            readsToEnd = true
            startReadingIfPending()
        }
    }

    private func startReadingIfPending() {
        guard readIsPending || readsToEnd, !isReading, state == .active else { return }
        let result = handle.startReading()
        guard result == 0 else {
            fail(IOError(errnoCode: -result, reason: "read"))
            return
        }
        isReading = true
        sweep.remove(self)
    }

    /// libuv's read callback: the number of bytes in the scratch buffer, 0 for "nothing now", or a negated errno.
    func didRead(_ count: Int) {
        guard state == .active else { return }
        if count > 0 {
            didRead(UnsafeRawBufferPointer(rebasing: scratch.memory[..<count]))
        } else if count == 0 {
            completeBatch()
        } else {
            isReading = false
            didEndReading(Int32(count))
        }
    }

    private func didRead(_ bytes: UnsafeRawBufferPointer) {
        readIsPending = false
        batch += 1
        pipeline.syncOperations.fireChannelRead(NIOAny(allocator.buffer(bytes: bytes)))
        // A full buffer: libuv reads again before it returns to its poll, so the batch may go on.
        let mayContinue = bytes.count == scratch.memory.count && batch < maxMessagesPerRead && isReading
        guard !mayContinue else { return }
        completeBatch()
        guard isReading, !readIsPending, !readsToEnd else { return }
        if bytes.count == scratch.memory.count {
            stopReading()
        } else {
            stopReadingSoon()
        }
    }

    private func completeBatch() {
        guard batch > 0 else { return }
        batch = 0
        guard state == .active else { return }
        pipeline.syncOperations.fireChannelReadComplete()
        readIfWanted()
    }

    /// The reader usually asks again in the jobs that this batch has started: stopping only after them saves two system
    /// calls per request. What arrives meanwhile, if anything, is one batch more than was asked for.
    private func stopReadingSoon() {
        loop.execute {
            if self.isReading && !self.readIsPending && !self.readsToEnd { self.stopReading() }
        }
    }

    private func didEndReading(_ status: Int32) {
        batch = 0
        guard status == UV_EOF.rawValue else {
            fail(IOError(errnoCode: -status, reason: "read"))
            return
        }
        // As elsewhere in NIO, an end of file completes a read even if nothing was in it.
        pipeline.syncOperations.fireChannelReadComplete()
        readIsPending = false
        guard state == .active else { return }
        close0(error: ChannelError.eof, mode: allowsRemoteHalfClosure ? .input : .all, promise: nil)
        if state == .active { sweep.add(self) }
    }

    /// The connection is broken.
    func fail(_ error: IOError) {
        pipeline.syncOperations.fireErrorCaught(error)
        if state != .closed { close0(error: error, mode: .all, promise: nil) }
    }
}
