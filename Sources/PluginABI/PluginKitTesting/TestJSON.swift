import FoundationEssentials
import PluginKit

enum TestJSON {
    /// Dates are ISO 8601, as a handler's args have them.
    static func text(of value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.dateEncodingStrategy = .iso8601
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }

    /// A member of an object; nil where there is none of that type.
    static func member<Value: Decodable>(_ name: String, of json: String, as type: Value.Type) -> Value? {
        let scan = JSONScan(bytes: Array(json.utf8))
        guard let member = scan.members(at: 0)?.first(where: { $0.name == name }) else { return nil }
        do {
            return try JSONDecoder().decode(Value.self, from: Data(scan.bytes[member.value]))
        } catch {
            // Of another type: there is no such value.
            return nil
        }
    }
}
