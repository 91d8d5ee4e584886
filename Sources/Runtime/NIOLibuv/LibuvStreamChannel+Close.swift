internal import Glibc
package import NIOCore
internal import Synchronization
internal import UVLoop

extension LibuvStreamChannel {
    /// How long a closed channel tries to get rid of what was flushed before.
    static let lingerLimit: Duration = .seconds(5)

    package func close0(error: any Error, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        guard state != .closed else {
            promise?.fail(ChannelError.alreadyClosed)
            return
        }
        switch mode {
        case .all:
            // What the pipeline passes for somebody's close(); a broken connection has nothing to wait for.
            if error as? ChannelError == .ioOnClosedChannel, pending.hasFlushed, !isLingering {
                linger(promise)
            } else {
                closeAll(error, promise)
            }
        case .input: closeInput(error, promise)
        case .output: closeOutput(error, promise)
        }
    }

    /// Ends the connection without regard to what still waits. On the loop.
    func closeNow() {
        guard state != .closed else { return }
        closeAll(ChannelError.ioOnClosedChannel, nil)
    }

    /// NIO's own channels drop what the socket has not taken yet. Then the end of an answer is lost whenever its client
    /// reads slowly, for the codecs above flush and close in one breath. So the flushed writes go out first, for a
    /// limited time; nothing more is read or accepted; a second close does not wait.
    private func linger(_ promise: EventLoopPromise<Void>?) {
        isLingering = true
        isClosingOutput = true
        lingerPromise = promise
        stopReading()
        readIsPending = false
        lingerTimer = loop.schedule(at: .now.advanced(by: Self.lingerLimit)) { self.closeNow() }
    }

    private func closeInput(_ error: any Error, _ promise: EventLoopPromise<Void>?) {
        guard !inputIsClosed else {
            promise?.fail(ChannelError.inputClosed)
            return
        }
        guard !outputIsClosed else {
            closeAll(error, promise)
            return
        }
        stopReading()
        // After an end of file there is nothing left to shut down.
        if error as? ChannelError != .eof {
            let result = handle.shutdown(Int(SHUT_RD))
            guard result == 0 else {
                promise?.fail(IOError(errnoCode: -result, reason: "shutdown"))
                return
            }
        }
        inputIsClosed = true
        readIsPending = false
        promise?.succeed()
        pipeline.syncOperations.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
    }

    private func closeOutput(_ error: any Error, _ promise: EventLoopPromise<Void>?) {
        guard !outputIsClosed, !isClosingOutput else {
            promise?.fail(ChannelError.outputClosed)
            return
        }
        isClosingOutput = true
        outputClosePromise = promise
        finishOutputIfDrained()
    }

    /// The second half of `close(mode: .output)`. With the input closed too, nothing is left to do on this connection.
    func finishOutputIfDrained() {
        guard isClosingOutput, !outputIsClosed, state != .closed else { return }
        if isLingering {
            if !pending.hasFlushed { closeNow() }
            return
        }
        guard pending.isEmpty else { return }
        let promise = outputClosePromise
        outputClosePromise = nil
        guard !inputIsClosed else {
            outputIsClosed = true
            closeAll(ChannelError.outputClosed, promise)
            return
        }
        let result = handle.shutdown(Int(SHUT_WR))
        guard result == 0 else {
            let error = IOError(errnoCode: -result, reason: "shutdown")
            promise?.fail(error)
            closeAll(error, nil)
            return
        }
        outputIsClosed = true
        promise?.succeed()
        pipeline.syncOperations.fireUserInboundEventTriggered(ChannelEvent.outputClosed)
    }

    private func closeAll(_ error: any Error, _ promise: EventLoopPromise<Void>?) {
        // First all of our own state, then the callouts, which may call back.
        let previous = state
        state = .closed
        active.store(false, ordering: .relaxed)
        readIsPending = false
        isReading = false
        sweep.remove(self)
        handle.close()
        let writes = pending.removeAll()
        let outputPromise = outputClosePromise
        outputClosePromise = nil
        let lingerPromise = self.lingerPromise
        self.lingerPromise = nil
        if let lingerTimer { loop.cancel(lingerTimer) }
        lingerTimer = nil

        for write in writes { write.fail(error) }
        outputPromise?.fail(error)
        lingerPromise?.succeed()
        promise?.succeed()
        if previous == .active { pipeline.syncOperations.fireChannelInactive() }
        if previous != .fresh { pipeline.syncOperations.fireChannelUnregistered() }
        // A tick later: whoever closed us may still be walking the pipeline.
        loop.execute {
            self.removeHandlers(pipeline: self.pipeline)
            self.closePromise.succeed()
        }
    }
}
