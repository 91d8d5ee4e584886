internal import CWire
internal import JobCore

/// Puts a result together from its fragments.
struct ResultAssembler {
    private var head: pawl_f_result?
    private var mediaType = ""
    private var bytes: [UInt8] = []

    /// Takes the next fragment; returns the result when it was the last one.
    mutating func take(_ payload: UnsafeRawBufferPointer, hasMore: Bool) throws(WireFault) -> RunResult? {
        let head: pawl_f_result
        if let known = self.head {
            head = known
            try self.append(payload, of: head)
        } else {
            var reader = WireReader(payload)
            head = try reader.take(pawl_f_result.self)
            guard head.total_length <= UInt64(PAWL_RESULT_MAX) else {
                throw WireFault("a result of \(head.total_length) bytes, where \(PAWL_RESULT_MAX) are the most")
            }
            self.mediaType = try reader.text(head.media_type_length)
            self.head = head
            // What it promises is not trusted with memory before it comes.
            self.bytes.reserveCapacity(min(Int(head.total_length), Int(PAWL_FRAME_MAX)))
            try self.append(reader.rest, of: head)
        }
        if hasMore { return nil }
        guard UInt64(self.bytes.count) == head.total_length else {
            throw WireFault("a result of \(self.bytes.count) bytes that announced \(head.total_length)")
        }
        return try self.finish(head)
    }

    private mutating func append(_ piece: UnsafeRawBufferPointer, of head: pawl_f_result) throws(WireFault) {
        guard UInt64(self.bytes.count + piece.count) <= head.total_length else {
            throw WireFault("a result longer than the \(head.total_length) bytes it announced")
        }
        self.bytes.append(contentsOf: piece)
    }

    private mutating func finish(_ head: pawl_f_result) throws(WireFault) -> RunResult {
        defer { self.bytes = [] }
        if head.has_result == 0 { return .none }
        if head.is_json == 0 {
            return .bytes(self.bytes, mediaType: self.mediaType.isEmpty ? "application/octet-stream" : self.mediaType)
        }
        // The child has checked it, but its memory is the handler's to break.
        guard let text = String(validating: self.bytes, as: UTF8.self) else {
            throw WireFault("a result that is no UTF-8")
        }
        do { _ = try JSONText.check(text) } catch { throw WireFault("a result that is no JSON: \(error)") }
        return .json(text)
    }
}
