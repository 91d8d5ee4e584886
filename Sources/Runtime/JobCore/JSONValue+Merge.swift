extension JSONValue {
    /// This value changed by a JSON Merge Patch (RFC 7396): members of `patch` replace, null removes, objects are merged.
    package func merging(_ patch: JSONValue) -> JSONValue {
        guard case .object(let changes) = patch else { return patch }
        var members: [JSONMember] = []
        if case .object(let present) = self { members = present }
        for change in changes {
            let index = members.lastIndex { $0.key == change.key }
            if change.value == .null {
                members.removeAll { $0.key == change.key }
            } else if let index {
                members[index].value = members[index].value.merging(change.value)
            } else {
                // What nothing is merged into loses its nulls all the same.
                members.append(JSONMember(change.key, JSONValue.null.merging(change.value)))
            }
        }
        return .object(members)
    }
}
