import FoundationEssentials

/// Fills in what is absent from args: the defaults that notes and ``HasDefaults`` name. The decoder then finds a member that
/// need not be optional in Swift.
struct Defaults: Sendable {
    private let shape: RecordedType

    /// Nil where no member has a default: then args are decoded as they came.
    init?(_ shape: RecordedType?) {
        guard let shape, shape.hasDefaults else { return nil }
        self.shape = shape
    }

    /// `json` with its absent members; what is not the shape's stays as it is.
    func filled(_ json: Data) -> Data {
        let scan = JSONScan(bytes: Array(json))
        var out: [UInt8] = []
        out.reserveCapacity(scan.bytes.count + 64)
        Self.write(0..<scan.bytes.count, as: self.shape, of: scan, to: &out)
        return Data(out)
    }

    private static func write(_ range: Range<Int>, as shape: RecordedType, of scan: JSONScan, to out: inout [UInt8]) {
        switch shape {
        case .nullable(let type): self.write(range, as: type, of: scan, to: &out)
        case .object(let members) where shape.hasDefaults:
            guard let given = scan.members(at: range.lowerBound) else { break }
            self.write(given, as: members, of: scan, to: &out)
            return
        case .array(let element) where element.hasDefaults:
            guard let elements = scan.elements(at: range.lowerBound) else { break }
            out.append(UInt8(ascii: "["))
            for (index, place) in elements.enumerated() {
                if index > 0 { out.append(UInt8(ascii: ",")) }
                self.write(place, as: element, of: scan, to: &out)
            }
            out.append(UInt8(ascii: "]"))
            return
        case .dictionary(let value, _) where value.hasDefaults:
            guard let given = scan.members(at: range.lowerBound) else { break }
            let members = given.map { RecordedType.Member(name: $0.name, type: value, isRequired: true) }
            self.write(given, as: members, of: scan, to: &out)
            return
        default: break
        }
        if case .nullable = shape { return }
        out.append(contentsOf: scan.bytes[range])
    }

    private static func write(
        _ given: [JSONScan.Member], as members: [RecordedType.Member], of scan: JSONScan, to out: inout [UInt8]
    ) {
        var isFirst = true
        func begin(_ name: String) {
            out.append(UInt8(ascii: isFirst ? "{" : ","))
            isFirst = false
            out.append(contentsOf: JSON.string(name).text.utf8)
            out.append(UInt8(ascii: ":"))
        }
        for member in given {
            begin(member.name)
            let shape = members.first { $0.name == member.name }?.type ?? .anything
            self.write(member.value, as: shape, of: scan, to: &out)
        }
        for member in members where !given.contains(where: { $0.name == member.name }) {
            guard let value = member.defaultValue else { continue }
            begin(member.name)
            out.append(contentsOf: value.text.utf8)
        }
        out.append(contentsOf: isFirst ? "{}".utf8 : "}".utf8)
    }
}

extension RecordedType {
    /// Whether something in it can be filled in.
    var hasDefaults: Bool {
        switch self {
        case .object(let members): members.contains { $0.defaultValue != nil || $0.type.hasDefaults }
        case .array(let type), .nullable(let type), .dictionary(let type, _): type.hasDefaults
        default: false
        }
    }
}
