internal import CLibuv
package import NIOCore
internal import Synchronization

extension LibuvStreamChannel {
    /// The most buffers that go into one writev.
    private static let maxVectors = 64

    package func write0(_ data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard state != .closed else {
            promise?.fail(ChannelError.ioOnClosedChannel)
            return
        }
        guard !isClosingOutput else {
            promise?.fail(ChannelError.outputClosed)
            return
        }
        guard case .byteBuffer(let buffer) = unwrapData(data, as: IOData.self) else {
            // A file region would be read in NIO's thread pool.
            promise?.fail(ChannelError.operationUnsupported)
            return
        }
        if pending.append(buffer, promise) { writabilityChanged() }
    }

    package func flush0() {
        guard state == .active else { return }
        pending.flush()
        writeFlushed()
    }

    func setWaterMark(_ mark: ChannelOptions.Types.WriteBufferWaterMark) {
        if pending.setWaterMark(mark) { writabilityChanged() }
    }

    /// The end of what libuv was left to write.
    func didWrite(_ status: Int32) {
        let (storages, bytes) = inFlight
        inFlight = ([], 0)
        for storage in storages { storage.release() }
        guard state == .active else { return }
        if status < 0 {
            fail(IOError(errnoCode: -status, reason: "write"))
        } else {
            took(bytes)
            writeFlushed()
        }
    }

    /// Writes until everything flushed is out or the socket is full. Promises and writability run handlers, which may
    /// write and flush: they only add to the queue, and the loop here goes on with it.
    private func writeFlushed() {
        guard !isFlushing, inFlight.bytes == 0 else { return }
        isFlushing = true
        defer { isFlushing = false }
        while state == .active, pending.hasFlushed, inFlight.bytes == 0 {
            withUnsafeTemporaryAllocation(of: uv_buf_t.self, capacity: Self.maxVectors) { vectors in
                writeOnce(vectors)
            }
        }
        finishOutputIfDrained()
    }

    private func writeOnce(_ vectors: UnsafeMutableBufferPointer<uv_buf_t>) {
        let (count, bytes) = pending.fill(vectors)
        // Nothing but empty writes: they are complete.
        let result = bytes == 0 ? 0 : handle.tryWrite(UnsafeMutableBufferPointer(rebasing: vectors[..<count]))
        if result >= 0 { took(Int(result)) }
        if result < 0 && result != UV_EAGAIN.rawValue {
            fail(IOError(errnoCode: -result, reason: "write"))
        } else if Int(result) < bytes, state == .active {
            leaveToLibuv(vectors)
        }
    }

    /// The socket is full: libuv waits until it takes more and writes the next vectors then.
    private func leaveToLibuv(_ vectors: UnsafeMutableBufferPointer<uv_buf_t>) {
        var storages: [Unmanaged<AnyObject>] = []
        let (count, bytes) = pending.fill(vectors) { storages.append($0.retain()) }
        inFlight = (storages, bytes)
        let result = handle.write(UnsafeMutableBufferPointer(rebasing: vectors[..<count]))
        if result < 0 {
            // No callback follows.
            inFlight = ([], 0)
            for storage in storages { storage.release() }
            fail(IOError(errnoCode: -result, reason: "write"))
        }
    }

    private func took(_ count: Int) {
        let (promises, changed) = pending.took(count)
        for promise in promises { promise.succeed() }
        if changed { writabilityChanged() }
    }

    private func writabilityChanged() {
        // The queue may have changed again since: what counts is what is true now.
        guard state != .closed, writable.exchange(pending.isWritable, ordering: .relaxed) != pending.isWritable else {
            return
        }
        pipeline.syncOperations.fireChannelWritabilityChanged()
    }
}
