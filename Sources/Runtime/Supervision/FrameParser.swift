internal import CWire

/// Cuts the byte stream of a child into frames, however it was torn. Pure: bytes in, frames out.
struct FrameParser {
    struct Header: Equatable {
        var kind: UInt16
        var flags: UInt16
        var length: Int
        var runID: UInt64

        var hasMore: Bool { flags & UInt16(PAWL_FLAG_MORE) != 0 }
        var isOptional: Bool { flags & UInt16(PAWL_FLAG_OPTIONAL) != 0 }
    }

    private var nextSequence: UInt32 = 0
    /// An unfinished frame; empty most of the time, as frames usually come whole.
    private var pending: [UInt8] = []

    private static let headerSize = MemoryLayout<pawl_frame>.size

    /// Gives each whole frame to `body`; the payload is borrowed. After a fault the stream cannot be read any further.
    mutating func consume(
        _ bytes: UnsafeRawBufferPointer, _ body: (Header, UnsafeRawBufferPointer) throws(WireFault) -> Void
    ) throws(WireFault) {
        if self.pending.isEmpty {
            let used = try self.frames(in: bytes, body)
            if used < bytes.count { self.pending.append(contentsOf: bytes[used...]) }
            return
        }
        self.pending.append(contentsOf: bytes)
        // Moved out, so that `frames` may change the parser while it reads.
        var buffer: [UInt8] = []
        swap(&buffer, &self.pending)
        let result: Result<Int, WireFault> = buffer.withUnsafeBytes { whole in
            do throws(WireFault) { return .success(try self.frames(in: whole, body)) } catch { return .failure(error) }
        }
        let used = try result.get()
        if used < buffer.count {
            buffer.removeFirst(used)
            self.pending = buffer
        }
    }

    /// Returns how many bytes were used up.
    private mutating func frames(
        in bytes: UnsafeRawBufferPointer, _ body: (Header, UnsafeRawBufferPointer) throws(WireFault) -> Void
    ) throws(WireFault) -> Int {
        var position = 0
        while bytes.count - position >= Self.headerSize {
            let frame = bytes.loadUnaligned(fromByteOffset: position, as: pawl_frame.self)
            guard frame.length <= PAWL_FRAME_MAX else {
                throw WireFault("a frame of \(frame.length) bytes, where \(PAWL_FRAME_MAX) are the most")
            }
            let end = position + Self.headerSize + Int(frame.length)
            guard end <= bytes.count else { break }
            guard frame.sequence == self.nextSequence else {
                throw WireFault("frame \(frame.sequence) where \(self.nextSequence) was next")
            }
            self.nextSequence &+= 1
            try body(
                Header(kind: frame.kind, flags: frame.flags, length: Int(frame.length), runID: frame.run_id),
                UnsafeRawBufferPointer(rebasing: bytes[position + Self.headerSize..<end]))
            position = end
        }
        return position
    }
}
