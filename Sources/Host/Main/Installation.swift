import Glibc

/// Where the parts of this program are: beside it in a build, in `../libexec/pawl` once installed.
struct Installation {
    /// This program itself.
    let executable: String
    let zygote: String
    /// Nil where it was not installed: then typed calls are not served, and their manifests say why.
    let ffiBridge: String?
    /// Nil where it was not installed: then there are no diagnoses, and crash stacks stay numbers.
    let inspector: String?
    /// Commit that this program was built from, if somebody wrote it down.
    let revision: String?

    struct Incomplete: Error, CustomStringConvertible {
        let description: String
    }

    init() throws(Incomplete) {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let length = readlink("/proc/self/exe", &buffer, buffer.count)
        guard length > 0 else { throw Incomplete(description: "cannot tell where this program is: /proc is not there") }
        let executable = String(decoding: buffer[..<length].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let directory = executable[..<(executable.lastIndex(of: "/") ?? executable.startIndex)]
        let places = ["\(directory)", "\(directory)/../libexec/pawl"]
        func find(_ name: String) -> String? { places.map { "\($0)/\(name)" }.first { access($0, R_OK) == 0 } }
        guard let zygote = find("pawl-zygote") else {
            throw Incomplete(description: "pawl-zygote is missing; looked in \(places.joined(separator: " and "))")
        }
        self.executable = executable
        self.zygote = zygote
        self.ffiBridge = find("pawl-ffi.so")
        self.inspector = find("pawl-inspect")
        self.revision = find("pawl.revision").flatMap(Self.firstLine)
    }

    private static func firstLine(_ file: String) -> String? {
        guard let stream = fopen(file, "re") else { return nil }
        defer { fclose(stream) }
        var buffer = [CChar](repeating: 0, count: 128)
        guard fgets(&buffer, Int32(buffer.count), stream) != nil else { return nil }
        let text = String(decoding: buffer.prefix { $0 != 0 && $0 != 10 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return text.isEmpty ? nil : text
    }
}
