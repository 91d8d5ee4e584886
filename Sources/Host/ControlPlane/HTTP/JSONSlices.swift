/// Cuts a JSON list into its elements without touching their text.
enum JSONSlices {
    /// - Parameter json: checked JSON.
    /// - Returns: nil if it is no list.
    static func elements(of json: String) -> [String]? {
        guard json.utf8.first == UInt8(ascii: "[") else { return nil }
        let bytes = Array(json.utf8)
        var elements: [String] = []
        var depth = 0
        var isInString = false
        var start: Int?
        var index = 0
        func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 }
        func cut(at end: Int) {
            guard let first = start else { return }
            var last = end
            while last > first, isSpace(bytes[last - 1]) { last -= 1 }
            elements.append(String(decoding: bytes[first..<last], as: UTF8.self))
            start = nil
        }
        while index < bytes.count {
            let byte = bytes[index]
            if isInString {
                if byte == UInt8(ascii: "\\") { index += 1 } else if byte == UInt8(ascii: "\"") { isInString = false }
            } else {
                switch byte {
                case UInt8(ascii: "\""): isInString = true
                case UInt8(ascii: "["), UInt8(ascii: "{"): depth += 1
                case UInt8(ascii: "]"), UInt8(ascii: "}"):
                    depth -= 1
                    if depth == 0 { cut(at: index) }
                case UInt8(ascii: ",") where depth == 1: cut(at: index)
                default: break
                }
                let isFrame = depth == 1 && (byte == UInt8(ascii: ",") || index == 0)
                if start == nil, depth >= 1, !isFrame, !isSpace(byte) { start = index }
            }
            index += 1
        }
        return elements
    }
}
