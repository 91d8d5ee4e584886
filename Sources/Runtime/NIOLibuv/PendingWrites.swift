internal import CLibuv
internal import NIOCore

/// What has been written to a channel and not yet to its socket, in order, and whether the writer should go on.
///
/// Knows no socket: the channel asks what is next, tells how much of it the socket took, and completes the promises
/// that come back. All counts are bytes.
struct PendingWrites {
    private struct Entry {
        var buffer: ByteBuffer
        let promise: EventLoopPromise<Void>?
    }

    private var entries = CircularBuffer<Entry>(initialCapacity: 8)
    /// How many of the entries, from the first, may be sent.
    private var flushed = 0
    /// Everything that waits, flushed or not.
    private(set) var byteCount = 0
    /// False from the moment that more than the high mark waits until less than the low mark does.
    private(set) var isWritable = true
    private(set) var waterMark = ChannelOptions.Types.WriteBufferWaterMark(low: 32 << 10, high: 64 << 10)

    var isEmpty: Bool { entries.isEmpty }
    var hasFlushed: Bool { flushed > 0 }

    /// True when `isWritable` has changed.
    mutating func append(_ buffer: ByteBuffer, _ promise: EventLoopPromise<Void>?) -> Bool {
        entries.append(Entry(buffer: buffer, promise: promise))
        byteCount += buffer.readableBytes
        return updateWritability()
    }

    mutating func flush() { flushed = entries.count }

    /// True when `isWritable` has changed.
    mutating func setWaterMark(_ mark: ChannelOptions.Types.WriteBufferWaterMark) -> Bool {
        waterMark = mark
        return updateWritability()
    }

    /// Points `vectors` at the next flushed bytes. They stay valid until the queue changes or, when `retain` is given
    /// the owner of each, for as long as it is retained: nobody writes into a storage that is shared.
    func fill(
        _ vectors: UnsafeMutableBufferPointer<uv_buf_t>, retain: (Unmanaged<AnyObject>) -> Void = { _ in }
    ) -> (vectors: Int, bytes: Int) {
        var count = 0
        var bytes = 0
        for entry in entries.prefix(flushed) where entry.buffer.readableBytes > 0 {
            guard count < vectors.count else { break }
            entry.buffer.withUnsafeReadableBytesWithStorageManagement { pointer, storage in
                retain(storage)
                // libuv only reads through this pointer.
                let base = UnsafeMutablePointer(mutating: pointer.bindMemory(to: CChar.self).baseAddress)
                vectors[count] = uv_buf_t(base: base, len: pointer.count)
            }
            count += 1
            bytes += entry.buffer.readableBytes
        }
        return (count, bytes)
    }

    /// The socket took `count` of the flushed bytes: returns the promises of what is complete now (also empty writes at
    /// the front), and whether `isWritable` has changed.
    mutating func took(_ count: Int) -> (promises: [EventLoopPromise<Void>], writabilityChanged: Bool) {
        var left = count
        var promises: [EventLoopPromise<Void>] = []
        byteCount -= count
        while flushed > 0, let first = entries.first {
            let size = first.buffer.readableBytes
            guard size <= left else {
                entries.modify(entries.startIndex) { $0.buffer.moveReaderIndex(forwardBy: left) }
                left = 0
                break
            }
            left -= size
            flushed -= 1
            entries.removeFirst()
            if let promise = first.promise { promises.append(promise) }
        }
        precondition(left == 0, "the socket took more than it was given")
        return (promises, updateWritability())
    }

    /// The channel is closed: forgets everything and returns the promises to fail.
    mutating func removeAll() -> [EventLoopPromise<Void>] {
        let promises = entries.compactMap(\.promise)
        entries.removeAll()
        flushed = 0
        byteCount = 0
        return promises
    }

    private mutating func updateWritability() -> Bool {
        let was = isWritable
        if byteCount > waterMark.high {
            isWritable = false
        } else if byteCount < waterMark.low || byteCount == 0 {
            isWritable = true
        }
        return was != isWritable
    }
}
