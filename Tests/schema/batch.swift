import JobCore

/// A line `{"schema": …, "values": […]}` in, a line `[true, false, …]` out; `null` where the check was given up, and
/// `{"pointer": …, "words": …}` where it is no schema.
@main struct Batch {
    static func main() throws {
        while let line = readLine() {
            let document = try JSONValue(parsing: line)
            guard let text = document["schema"]?.json, let values = document["values"]?.elements else {
                preconditionFailure("no schema or no values")
            }
            do throws(JSONSchemaFault) {
                let schema = try JSONSchema(parsing: text)
                let verdicts = values.map { value in
                    let problems = schema.validate(value)
                    return problems.isEmpty ? "true" : problems.contains { $0.keyword == "limit" } ? "null" : "false"
                }
                print("[" + verdicts.joined(separator: ",") + "]")
            } catch {
                print("{\"pointer\":\(JSONText.quoted(error.pointer)),\"words\":\(JSONText.quoted(error.words))}")
            }
        }
    }
}
