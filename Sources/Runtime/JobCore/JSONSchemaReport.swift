/// Why a text is no schema that this validator can use, and where.
package struct JSONSchemaFault: Error, Equatable, Sendable, CustomStringConvertible {
    /// JSON pointer (RFC 6901) into the schema; empty for its top.
    package let pointer: String
    /// For people.
    package let words: String

    package var description: String { pointer.isEmpty ? words : "\(pointer): \(words)" }
}

/// What is wrong with a value, seen from its schema.
package struct SchemaProblem: Hashable, Sendable, CustomStringConvertible {
    /// JSON pointer (RFC 6901) into the value; empty for the value itself. What is missing is named as if it stood there.
    package let pointer: String
    /// The schema's keyword that is not met; `limit` when the check was given up (see `JSONSchema.validate`).
    package let keyword: String
    /// What is there and what is allowed, for people.
    package let words: String

    package init(pointer: String, keyword: String, words: String) {
        self.pointer = pointer
        self.keyword = keyword
        self.words = words
    }

    package var description: String { pointer.isEmpty ? words : "\(pointer): \(words)" }
}

/// One difference between two schemas of the same thing.
package struct SchemaChange: Hashable, Sendable, CustomStringConvertible {
    /// Where, as a JSON pointer into the described values; `*` stands for any member or element.
    package let pointer: String
    /// What is different, for people.
    package let words: String
    /// Whether somebody who keeps to the old schema may break with the new one: see `SchemaRole`.
    package let isBreaking: Bool

    package init(pointer: String, words: String, isBreaking: Bool) {
        self.pointer = pointer
        self.words = words
        self.isBreaking = isBreaking
    }

    package var description: String { (pointer.isEmpty ? "" : "\(pointer): ") + words }
}

/// What a schema describes decides who breaks when it changes.
package enum SchemaRole: Sendable {
    /// What callers send: taking less than before breaks them.
    case arguments
    /// What readers get: promising less than before breaks them.
    case result
}
