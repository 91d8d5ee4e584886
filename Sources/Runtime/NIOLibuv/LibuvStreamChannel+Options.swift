package import NIOCore
internal import UVLoop

/// The options that mean something here. Others are refused: an option that is taken and ignored is a lie.
extension LibuvStreamChannel {
    package func setOption<Option: ChannelOption>(_ option: Option, value: Option.Value) -> EventLoopFuture<Void> {
        if loop.isOnLoop { return loop.makeCompletedFuture { try setOption0(option, value) } }
        return loop.submit { try self.setOption0(option, value) }
    }

    package func getOption<Option: ChannelOption>(_ option: Option) -> EventLoopFuture<Option.Value> {
        if loop.isOnLoop { return loop.makeCompletedFuture { try getOption0(option) } }
        return loop.submit { try self.getOption0(option) }
    }

    package var syncOptions: (any NIOSynchronousChannelOptions)? { SynchronousOptions(channel: self) }

    private struct SynchronousOptions: NIOSynchronousChannelOptions {
        let channel: LibuvStreamChannel

        func setOption<Option: ChannelOption>(_ option: Option, value: Option.Value) throws {
            channel.loop.preconditionInEventLoop()
            try channel.setOption0(option, value)
        }

        func getOption<Option: ChannelOption>(_ option: Option) throws -> Option.Value {
            channel.loop.preconditionInEventLoop()
            return try channel.getOption0(option)
        }
    }

    private func setOption0<Option: ChannelOption>(_ option: Option, _ value: Option.Value) throws {
        guard state != .closed else { throw ChannelError.ioOnClosedChannel }
        switch (option, value) {
        case (is ChannelOptions.Types.AutoReadOption, let value as Bool): setAutoRead(value)
        case (is ChannelOptions.Types.AllowRemoteHalfClosureOption, let value as Bool): allowsRemoteHalfClosure = value
        case (is ChannelOptions.Types.MaxMessagesPerReadOption, let value as UInt):
            // libuv reads at most 32 times in a row.
            maxMessagesPerRead = Int(min(max(value, 1), 16))
        case (
            is ChannelOptions.Types.WriteBufferWaterMarkOption, let value as ChannelOptions.Types.WriteBufferWaterMark
        ):
            setWaterMark(value)
        default: throw ChannelError.operationUnsupported
        }
    }

    private func getOption0<Option: ChannelOption>(_ option: Option) throws -> Option.Value {
        guard state != .closed else { throw ChannelError.ioOnClosedChannel }
        let value: Any
        switch option {
        case is ChannelOptions.Types.AutoReadOption: value = autoRead
        case is ChannelOptions.Types.AllowRemoteHalfClosureOption: value = allowsRemoteHalfClosure
        case is ChannelOptions.Types.MaxMessagesPerReadOption: value = UInt(maxMessagesPerRead)
        case is ChannelOptions.Types.WriteBufferWaterMarkOption: value = pending.waterMark
        case is ChannelOptions.Types.BufferedWritableBytesOption: value = pending.byteCount
        case is ChannelOptions.Types.AllocatorOption: value = allocator
        default: throw ChannelError.operationUnsupported
        }
        guard let value = value as? Option.Value else { throw ChannelError.operationUnsupported }
        return value
    }

    private func setAutoRead(_ value: Bool) {
        let was = autoRead
        autoRead = value
        if value && !was {
            readIfWanted()
        } else if !value && was {
            readIsPending = false
            stopReading()
        }
    }
}
