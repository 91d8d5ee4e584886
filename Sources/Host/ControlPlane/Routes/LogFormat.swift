import HTTPTypes
import JobStore

/// How log lines are written.
enum LogFormat: Sendable, Equatable {
    case json, plain, ndjson
    /// Server-sent events; streams only.
    case events

    /// - Throws: 406 when the client takes nothing that we have.
    init(accept: String?, follows: Bool) throws(Problem) {
        let types = (accept ?? "*/*").split(separator: ",").map {
            $0.prefix { $0 != ";" }.filter { $0 != " " }.lowercased()
        }
        for type in types {
            switch type {
            case "text/plain", "text/*":
                self = .plain
                return
            case "application/x-ndjson", "application/ndjson":
                self = .ndjson
                return
            case "text/event-stream" where follows:
                self = .events
                return
            case "application/json", "application/*", "*/*":
                // A stream has no end at which a JSON list could be closed.
                self = follows ? .ndjson : .json
                return
            default: continue
            }
        }
        throw Problem(
            .notAcceptable, "not_acceptable",
            "Logs come as application/json, application/x-ndjson or text/plain, and with follow also as text/event-stream.",
            fields: [.init(.header("Accept"), "not_acceptable", "names none of these")])
    }

    var contentType: String {
        switch self {
        case .json: "application/json"
        case .plain: "text/plain; charset=utf-8"
        case .ndjson: "application/x-ndjson"
        case .events: "text/event-stream"
        }
    }

    func line(_ row: LogRow) -> String {
        switch self {
        case .plain: LogJSON.plain(row)
        case .events: "id: \(row.seq)\nevent: line\ndata: \(LogJSON.object(row).text)\n\n"
        case .json, .ndjson: LogJSON.object(row).text + "\n"
        }
    }

    /// Proxies keep the connection, and we notice a client that is gone.
    var heartbeat: String { self == .events ? ":\n\n" : "\n" }

    /// What comes last when the run is over; without it a browser would connect again for ever.
    var end: String? { self == .events ? "event: end\ndata: {}\n\n" : nil }
}
