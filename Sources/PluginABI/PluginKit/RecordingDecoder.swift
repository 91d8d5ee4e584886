/// A decoder that has nothing to decode: it answers with made-up values and notes in a sink what was asked.
struct RecordingDecoder: Decoder {
    let sink: RecordingSink
    let outer: [any Any.Type]
    var codingPath: [any CodingKey] { [] }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedDecodingContainer<Key> {
        self.sink.isObject()
        return KeyedDecodingContainer(RecordingMembers(sink: self.sink, outer: self.outer))
    }

    func unkeyedContainer() -> any UnkeyedDecodingContainer {
        RecordingElements(sink: self.sink, outer: self.outer)
    }

    func singleValueContainer() -> any SingleValueDecodingContainer {
        self.sink.isValue(.anything)
        return RecordingValue(sink: self.sink, outer: self.outer)
    }
}

/// What was asked of one value.
final class RecordingSink {
    /// A type that asks for nothing is an object without members.
    private(set) var shape = RecordedType.object([])
    private var members: [RecordedType.Member] = []
    /// Members that were asked for null first: `decodeIfPresent` of the plain types.
    private var nullable: Set<String> = []

    func isObject() {
        self.shape = .object(self.members)
    }

    func mayBeNull(_ name: String) {
        self.nullable.insert(name)
    }

    func hasMember(_ name: String, _ type: RecordedType, isRequired: Bool = true) {
        let isRequired = isRequired && !self.nullable.contains(name)
        let type = isRequired ? type : .nullable(type)
        if !self.members.contains(where: { $0.name == name }) {
            self.members.append(.init(name: name, type: type, isRequired: isRequired))
        }
        self.shape = .object(self.members)
    }

    func isValue(_ type: RecordedType) {
        self.shape = type
    }
}

private struct RecordingMembers<Key: CodingKey>: KeyedDecodingContainerProtocol {
    let sink: RecordingSink
    let outer: [any Any.Type]
    var codingPath: [any CodingKey] { [] }
    /// A type that looks which keys there are (an enumeration with values) cannot be recorded, and notices.
    var allKeys: [Key] { [] }

    func contains(_ key: Key) -> Bool { true }

    func decodeNil(forKey key: Key) -> Bool {
        self.sink.mayBeNull(key.stringValue)
        return false
    }

    func decode<T: Decodable>(_ type: T.Type, forKey key: Key) throws -> T {
        let (value, shape) = try TypeRecorder.record(type, within: self.outer)
        self.sink.hasMember(key.stringValue, shape)
        return value
    }

    func decodeIfPresent<T: Decodable>(_ type: T.Type, forKey key: Key) throws -> T? {
        let shape = try TypeRecorder.recordShape(type, within: self.outer)
        self.sink.hasMember(key.stringValue, shape, isRequired: false)
        return nil
    }

    // Flattened and inherited shapes are the work of an initialiser of the author's own.
    func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type, forKey key: Key
    ) throws -> KeyedDecodingContainer<Nested> { throw TypeRecorder.Refusal.notRecordable }
    func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
        throw TypeRecorder.Refusal.notRecordable
    }
    func superDecoder() throws -> any Decoder { throw TypeRecorder.Refusal.notRecordable }
    func superDecoder(forKey key: Key) throws -> any Decoder { throw TypeRecorder.Refusal.notRecordable }
}

private struct RecordingElements: UnkeyedDecodingContainer {
    let sink: RecordingSink
    let outer: [any Any.Type]
    var codingPath: [any CodingKey] { [] }
    var count: Int? { nil }
    /// One element shows the shape.
    var isAtEnd: Bool { self.currentIndex > 0 }
    private(set) var currentIndex = 0

    init(sink: RecordingSink, outer: [any Any.Type]) {
        self.sink = sink
        self.outer = outer
        sink.isValue(.array(.anything))
    }

    func decodeNil() -> Bool { false }

    mutating func decode<T: Decodable>(_ type: T.Type) throws -> T {
        let (value, shape) = try TypeRecorder.record(type, within: self.outer)
        // Elements of several types (a tuple) are anything.
        self.sink.isValue(.array(self.currentIndex == 0 ? shape : .anything))
        self.currentIndex += 1
        return value
    }

    func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type) throws -> KeyedDecodingContainer<Nested> {
        throw TypeRecorder.Refusal.notRecordable
    }
    func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer { throw TypeRecorder.Refusal.notRecordable }
    func superDecoder() throws -> any Decoder { throw TypeRecorder.Refusal.notRecordable }
}

private struct RecordingValue: SingleValueDecodingContainer {
    let sink: RecordingSink
    let outer: [any Any.Type]
    var codingPath: [any CodingKey] { [] }

    func decodeNil() -> Bool { false }

    func decode<T: Decodable>(_ type: T.Type) throws -> T {
        let (value, shape) = try TypeRecorder.record(type, within: self.outer)
        self.sink.isValue(shape)
        return value
    }
}
