import JobCore

/// What a look at an attempt's processes found, as far as an explanation names it. The whole is JSON of the inspector.
struct Diagnosis: Sendable, Hashable {
    /// The innermost place of the handler's own code, of the first thread that has one: `wait_for (etl.c:40)`.
    var place: String?

    /// Nil if it is no JSON.
    init?(parsing text: String) {
        guard let value = try? JSONValue(parsing: text) else { return nil }  // What is no JSON names no place.
        for process in value["processes"]?.elements ?? [] {
            for thread in process["threads"]?.elements ?? [] {
                let frames = (thread["stack"] ?? thread["frames"])?.elements ?? []
                if let frame = frames.map(Self.frame).culprit, !frame.isOfRuntime, frame.function != nil {
                    place = frame.words
                    return
                }
            }
        }
    }

    private static func frame(_ value: JSONValue) -> StackFrame {
        StackFrame(
            address: 0, module: value["module"]?.text, function: value["function"]?.text, file: value["file"]?.text,
            line: value["line"]?.integer.map { Int(clamping: $0) })
    }
}
