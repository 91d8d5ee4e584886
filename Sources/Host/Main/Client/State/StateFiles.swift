import JobCore

/// Definitions in files: calendars, queues, jobs and schedules, as the API takes them (`POST /apply`).
///
/// A file has one or more documents with these four members; each is a list of objects with names, or an object of them by name.
/// Every value remembers its place, so that what the host finds wrong can be shown where it stands.
struct StateFiles {
    static let sections = ["calendars", "queues", "jobs", "schedules"]

    struct Spot {
        var file: String
        var place: PlacedValue.Place
        /// `schedules.nightly.expression`
        var path: String
    }

    private struct Item {
        var value: PlacedValue
        var name: String
        var file: String
    }

    private var items: [String: [Item]] = [:]

    /// - Parameter paths: files, directories (everything below that ends in .yaml, .yml or .json, in order), or - for standard input.
    init(_ paths: [String]) throws(ClientFailure) {
        for path in paths {
            for file in try Self.files(path) {
                let bytes = try Self.read(file)
                do throws(YAMLReader.Fault) {
                    for document in try Self.documents(bytes) { try add(document, file) }
                } catch {
                    throw Self.failure(file, error.place, error.detail)
                }
            }
        }
    }

    /// `{calendars, queues, jobs, schedules}`, without empty ones.
    var json: JSONValue {
        .object(
            Self.sections.compactMap { section in
                guard let items = items[section], !items.isEmpty else { return nil }
                return JSONMember(section, .array(items.map(\.value.json)))
            })
    }

    var count: Int { items.values.reduce(0) { $0 + $1.count } }

    /// Where the value stands that a JSON pointer into `json` leads to, or the nearest one around it; nil if it leads nowhere.
    func spot(_ pointer: String) -> Spot? {
        var parts = pointer.split(separator: "/", omittingEmptySubsequences: false).dropFirst().map {
            String($0).replacing("~1", with: "/").replacing("~0", with: "~")
        }
        guard parts.count >= 2, let index = Int(parts[1]), let list = items[parts[0]], list.indices.contains(index)
        else { return nil }
        let item = list[index]
        var spot = Spot(file: item.file, place: item.value.place, path: "\(parts[0]).\(item.name)")
        parts.removeFirst(2)
        var value = item.value
        for part in parts {
            switch value {
            case .object(let members, _):
                guard let member = members.first(where: { $0.key == part }) else {
                    spot.path += ".\(part)"
                    return spot
                }
                (spot.place, value) = (member.keyPlace, member.value)
                spot.path += ".\(part)"
            case .list(let elements, _):
                guard let index = Int(part), elements.indices.contains(index) else { return spot }
                value = elements[index]
                spot.place = value.place
                spot.path += "[\(index)]"
            case .scalar: return spot
            }
        }
        return spot
    }

    // MARK: Reading

    /// JSON is YAML, but for what libyaml does not take: halves of a surrogate pair as escapes. Then places are lost.
    private static func documents(_ bytes: [UInt8]) throws(YAMLReader.Fault) -> [PlacedValue] {
        do throws(YAMLReader.Fault) {
            return try YAMLReader.documents(bytes)
        } catch {
            let text = String(decoding: bytes, as: UTF8.self)
            guard bytes.first == UInt8(ascii: "{"), let value = try? JSONValue(parsing: text) else { throw error }
            return [PlacedValue(value, at: error.place)]
        }
    }

    private mutating func add(_ document: PlacedValue, _ file: String) throws(YAMLReader.Fault) {
        guard case .object(let members, _) = document else {
            if case .scalar(.null, _) = document { return }
            throw YAMLReader.Fault(
                detail: "a document must have " + Self.sections.joined(separator: ", "), place: document.place)
        }
        for member in members where !member.key.hasPrefix("x_") {
            guard Self.sections.contains(member.key) else {
                let near = NearMatches.find(member.key, among: Self.sections)
                throw YAMLReader.Fault(
                    detail: "\(member.key) is none of \(Self.sections.joined(separator: ", "))"
                        + (near.first.map { "; did you mean \($0)?" } ?? ""),
                    place: member.keyPlace)
            }
            for item in try Self.items(member.value, in: member.key) { try add(item, to: member.key, file) }
        }
    }

    private static func items(_ value: PlacedValue, in section: String) throws(YAMLReader.Fault) -> [PlacedValue] {
        switch value {
        case .scalar(.null, _): return []
        case .list(let items, _): return items
        case .object(let members, _):
            var items: [PlacedValue] = []
            for member in members {
                let name = (
                    key: "name", keyPlace: member.keyPlace,
                    value: PlacedValue.scalar(.string(member.key), member.keyPlace)
                )
                switch member.value {
                case .scalar(.null, _): items.append(.object([name], member.keyPlace))
                case .object(let inner, _):
                    guard !inner.contains(where: { $0.key == "name" }) else {
                        throw YAMLReader.Fault(detail: "\(member.key) has its name already", place: member.value.place)
                    }
                    items.append(.object([name] + inner, member.keyPlace))
                default:
                    throw YAMLReader.Fault(detail: "\(member.key) must be an object", place: member.value.place)
                }
            }
            return items
        case .scalar(_, let place):
            throw YAMLReader.Fault(detail: "\(section) must be a list, or an object by name", place: place)
        }
    }

    private mutating func add(_ value: PlacedValue, to section: String, _ file: String) throws(YAMLReader.Fault) {
        guard case .object(let members, let place) = value,
            let name = members.first(where: { $0.key == "name" })?.value.json.text
        else {
            throw YAMLReader.Fault(detail: "each of \(section) needs a name, which is a text", place: value.place)
        }
        if let first = items[section]?.first(where: { $0.name == name }) {
            throw YAMLReader.Fault(
                detail: "\(name) stands in \(section) here and in \(first.file):\(first.value.place.line)", place: place
            )
        }
        items[section, default: []].append(Item(value: value, name: name, file: file))
    }

    /// Deeper folders are a link that leads to itself.
    private static let deepest = 20

    private static func files(_ path: String) throws(ClientFailure) -> [String] {
        guard path != "-", Folder.isDirectory(path) else { return [path] }
        var found: [String] = []
        var folders = [(path: path.hasSuffix("/") ? String(path.dropLast()) : path, depth: 0)]
        while let folder = folders.popLast() {
            guard folder.depth <= Self.deepest else {
                throw ClientFailure(exit: .inputMissing, message: "\(folder.path) is too deep below \(path).")
            }
            for entry in Folder.entries(folder.path) where !entry.name.hasPrefix(".") {
                let inner = folder.path + "/" + entry.name
                if entry.isDirectory {
                    folders.append((inner, folder.depth + 1))
                } else if [".yaml", ".yml", ".json"].contains(where: { entry.name.hasSuffix($0) }) {
                    found.append(inner)
                }
            }
        }
        if found.isEmpty {
            throw ClientFailure(exit: .inputMissing, message: "There is no .yaml, .yml or .json file below \(path).")
        }
        return found.sorted()
    }

    private static func read(_ path: String) throws(ClientFailure) -> [UInt8] {
        switch path == "-" ? ClientFiles.readStandardInput() : ClientFiles.read(path) {
        case .success(let bytes): return bytes
        case .failure(let error):
            throw ClientFailure(exit: .inputMissing, message: "\(path) cannot be read: \(error.words).")
        }
    }

    static func failure(_ file: String, _ place: PlacedValue.Place, _ detail: String) -> ClientFailure {
        ClientFailure(exit: .invalidInput, message: "\(file):\(place.line):\(place.column): \(detail)")
    }
}
