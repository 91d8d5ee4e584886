import JobCore

/// Turns an HTTP answer that is no success into words. Problems come as `application/problem+json` (RFC 9457); anything
/// else (a proxy's page, an empty body) is reported by its status.
enum ProblemDetails {
    static func failure(status: Int, body: [UInt8], request: String) -> ClientFailure {
        var failure = ClientFailure(exit: ClientExit(status: status), message: "", status: status)
        guard let problem = try? JSONValue(parsing: body), problem.object != nil else {
            // No JSON is no fault of ours to report: the status is what we know.
            failure.message = "\(request) was answered with HTTP \(status)\(Self.name(of: status))."
            return failure
        }
        let detail = problem["detail"]?.text ?? ""
        let title = problem["title"]?.text ?? ""
        failure.message = Self.sentence(
            detail.isEmpty ? (title.isEmpty ? "HTTP \(status)" : title) : Self.withField(detail))
        failure.code = problem["code"]?.text

        for error in problem["errors"]?.elements ?? [] {
            let pointer = error["pointer"]?.text ?? error["parameter"]?.text ?? error["header"]?.text ?? ""
            let text = error["detail"]?.text ?? error["code"]?.text ?? ""
            failure.places.append((pointer, error["code"]?.text ?? "", text))
            // Of a single fault the sentence above says it all.
            if detail.contains(text) && (pointer.isEmpty || detail.hasPrefix(pointer)) { continue }
            failure.details.append(pointer.isEmpty ? text : "\(Self.field(pointer)): \(text)")
        }
        for broken in problem["problems"]?.elements ?? [] {
            let place = [broken["handler"]?.text, broken["where"]?.text].compactMap { $0 }.joined(separator: ", ")
            failure.details.append("\(place): \(broken["words"]?.text ?? "")")
        }
        if let state = problem["current_state"]?.text { failure.details.append("current state: \(state)") }
        for name in ["near_matches", "suggestions", "did_you_mean"] {
            let near = (problem[name]?.elements ?? []).compactMap(\.text)
            if !near.isEmpty, !near.contains(where: { detail.contains($0) }) {
                failure.details.append("did you mean \(near.joined(separator: ", "))?")
            }
        }
        if status == 401 {
            failure.details.append(
                "the token comes from --token, PAWL_TOKEN, or the file admin-token in the host's data directory")
        }
        if status >= 500, let request = problem["request_id"]?.text {
            failure.details.append("request id: \(request)")
        }
        return failure
    }

    /// "/args/path" as "args.path": what a person typed, not a pointer into a body they never saw.
    private static func field(_ pointer: String) -> String {
        guard pointer.hasPrefix("/") else { return pointer }
        return pointer.dropFirst().split(separator: "/").joined(separator: ".")
    }

    /// A sentence that begins with a pointer begins with the field instead.
    private static func withField(_ detail: String) -> String {
        guard detail.hasPrefix("/"), let colon = detail.firstIndex(of: ":") else { return detail }
        return Self.field(String(detail[..<colon])) + detail[colon...]
    }

    private static func sentence(_ text: String) -> String {
        guard let last = text.last, !".!?".contains(last) else { return text }
        return text + "."
    }

    private static func name(of status: Int) -> String {
        switch status {
        case 401: " (not signed in)"
        case 403: " (not allowed)"
        case 404: " (not found)"
        case 413: " (the body is too large)"
        case 429: " (too many requests)"
        case 500: " (the server hit a bug)"
        case 502, 503, 504: " (not available now)"
        default: ""
        }
    }
}
