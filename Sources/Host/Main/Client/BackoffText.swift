import ArgumentParser
import JobCore

/// A retry policy as a person writes it: `fixed:30s`, `exponential:5s,cap=1h,jitter=0.1`, `list:1s,10s,1m`,
/// `linear:10s,no_retry_on=out_of_memory+error:bad_input`, or the API's JSON. Pure.
struct BackoffText: ExpressibleByArgument {
    /// As the API takes it.
    let json: JSONValue

    static let help = ArgumentHelp(
        "How long to wait between attempts: fixed:30s, linear:10s, exponential:5s,cap=1h, list:1s,10s,1m; "
            + "with retry_on= or no_retry_on= which outcomes are tried again.",
        valueName: "policy")

    init?(argument: String) {
        do throws(ClientFailure) { self = try Self(argument) } catch { return nil }
    }

    init(_ text: String) throws(ClientFailure) {
        if text.hasPrefix("{") {
            do {
                self.json = try JSONValue(parsing: text)
                return
            } catch {
                throw Self.refused(text, "it is no JSON: \(error)")
            }
        }
        let colon = text.firstIndex(of: ":")
        let comma = text.firstIndex(of: ",")
        let end = [colon, comma].compactMap { $0 }.min() ?? text.endIndex
        guard let kind = BackoffPolicy.Kind(rawValue: String(text[..<end])) else {
            throw Self.refused(
                text, "it begins with one of " + BackoffPolicy.Kind.allCases.map(\.rawValue).joined(separator: ", "))
        }
        var members = [JSONMember("type", .string(kind.rawValue))]
        var delays: [JSONValue] = []
        let rest = end < text.endIndex ? text[text.index(after: end)...] : ""
        for (index, part) in rest.split(separator: ",", omittingEmptySubsequences: false).enumerated() {
            if part.isEmpty && rest.isEmpty { break }
            if let equals = part.firstIndex(of: "=") {
                members.append(
                    try Self.member(String(part[..<equals]), String(part[part.index(after: equals)...]), text))
            } else if let delay = Format.parseDuration(String(part)), kind == .list || (index == 0 && end == colon) {
                if kind == .list {
                    delays.append(.int(delay))
                } else {
                    members.append(JSONMember("delay_ms", .int(delay)))
                }
            } else {
                throw Self.refused(text, "\"\(part)\" is no duration and no name=value")
            }
        }
        if kind == .list {
            if delays.isEmpty { throw Self.refused(text, "a list needs its delays: list:1s,10s,1m") }
            members.append(JSONMember("delays_ms", .array(delays)))
        }
        self.json = .object(members)
    }

    private static func member(_ name: String, _ value: String, _ text: String) throws(ClientFailure) -> JSONMember {
        switch name {
        case "cap":
            guard let cap = Format.parseDuration(value) else { throw Self.refused(text, "cap is a duration") }
            return JSONMember("cap_ms", .int(cap))
        case "factor", "jitter":
            guard let number = Double(value), number.isFinite else { throw Self.refused(text, "\(name) is a number") }
            return JSONMember(name, .number(value.hasPrefix(".") ? "0" + value : value))
        case "retry_on", "no_retry_on":
            return JSONMember(name, .array(value.split(separator: "+").map { .string(String($0)) }))
        default:
            throw Self.refused(text, "it has cap, factor, jitter, retry_on and no_retry_on, not \(name)")
        }
    }

    private static func refused(_ text: String, _ why: String) -> ClientFailure {
        ClientFailure(
            exit: .usage, message: "\"\(text)\" is no retry policy: \(why).",
            details: ["write fixed:30s, exponential:5s,cap=1h, linear:10s or list:1s,10s,1m"])
    }

    /// A policy of the API as a person reads it.
    static func words(_ json: JSONValue) -> String {
        func span(_ name: String) -> String { Format.span(milliseconds: json[name]?.integer ?? 0) }
        let kind = json["type"]?.text ?? ""
        var text = kind
        if kind == "list" {
            let delays = (json["delays_ms"]?.elements ?? []).map { Format.span(milliseconds: $0.integer ?? 0) }
            text += " " + delays.joined(separator: ", ")
        } else {
            text += " " + span("delay_ms")
            if kind == "exponential", let factor = json["factor"]?.double { text += " ×\(Self.short(factor))" }
            if kind != "fixed" { text += " up to \(span("cap_ms"))" }
        }
        if let jitter = json["jitter"]?.double, jitter > 0 { text += " ±\(Self.short(jitter * 100)) %" }
        for (name, word) in [("retry_on", "only on"), ("no_retry_on", "not on")] {
            let words = (json[name]?.elements ?? []).compactMap(\.text)
            if !words.isEmpty { text += ", \(word) \(words.joined(separator: ", "))" }
        }
        return text
    }

    private static func short(_ number: Double) -> String {
        let rounded = (number * 100).rounded() / 100
        return rounded == rounded.rounded() ? String(Int64(rounded)) : String(rounded)
    }
}
