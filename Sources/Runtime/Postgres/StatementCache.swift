/// Which statements one session has prepared, and under which names.
///
/// The server fixes the types of a statement's arguments when it is prepared. The types that we declare follow from the
/// first use, so a later use with other types gets a variant of its own: reading an `int8` as a `float8` would not be an
/// error, but a wrong number. A null fits every type, and a type that was left to the server fits whatever is left to it again.
struct StatementCache {
    private struct Variant {
        let serverName: String
        let types: [PGType]

        func fits(_ used: [PGType]) -> Bool {
            types.count == used.count
                && zip(types, used).allSatisfy { $0.declared == $1.declared || $1 == .null }
        }
    }

    private struct Entry {
        let sql: String
        var variants: [Variant]
        /// Counts the names given out, so that none is used twice in a session.
        var generation: Int
    }

    private var entries: [String: Entry] = [:]

    /// The name under which the server knows, or is about to know, this use of a statement.
    /// - Parameter types: declared types of the arguments; `PGType.null` for a null.
    /// - Returns: `isNew` if the caller has to prepare it first; from then on it counts as prepared.
    mutating func use(_ statement: PGStatement, types: [PGType]) -> (serverName: String, isNew: Bool) {
        guard var entry = entries[statement.name] else {
            let variant = Variant(serverName: statement.name, types: types)
            entries[statement.name] = Entry(sql: statement.sql, variants: [variant], generation: 0)
            return (variant.serverName, true)
        }
        precondition(entry.sql == statement.sql, "statement \(statement.name) has two texts")
        if let known = entry.variants.first(where: { $0.fits(types) }) {
            return (known.serverName, false)
        }
        entry.generation += 1
        let variant = Variant(serverName: "\(statement.name)#\(entry.generation)", types: types)
        entry.variants.append(variant)
        entries[statement.name] = entry
        return (variant.serverName, true)
    }

    /// The server does not know this name, or cannot use it any more: the next use prepares again under another one.
    mutating func forget(_ statement: PGStatement, serverName: String) {
        guard var entry = entries[statement.name] else { return }
        entry.variants.removeAll { $0.serverName == serverName }
        entries[statement.name] = entry
    }
}
