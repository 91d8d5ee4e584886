internal import CLinux
internal import Crypto
internal import Glibc
internal import JobCore

/// The ingest helper's own program: hashing and copying would hold the loop.
///
/// The file in the plugin directory is never mapped by anybody: whoever writes it could cut it under a running plugin
/// (SIGBUS) or change its code. What runs is a private copy, named by its hash and written once.
package enum PluginIngest {
    /// Exit code when the source changed while it was copied: worth another try.
    package static let changedCode: Int32 = 3

    /// Arguments: `SOURCE STORE` for a shared library, `SOURCE STORE BRIDGE` for a manifest of C functions that the
    /// shared library BRIDGE serves. Prints one JSON line and returns the exit code: 0 `{sha256, bytes, path,
    /// configuration?}`, 1 and 3 `{error}`, 2 for wrong arguments. Blocks.
    package static func run(_ arguments: [String]) -> Int32 {
        guard arguments.count == 2 || arguments.count == 3 else {
            print(IngestFault("usage: SOURCE STORE [BRIDGE]").json)
            return 2
        }
        do throws(IngestFault) {
            let taken =
                arguments.count == 2
                ? try library(arguments[0], into: arguments[1])
                : try manifest(arguments[0], into: arguments[1], bridge: arguments[2])
            print(taken.json)
            return 0
        } catch {
            print(error.json)
            return error.isChange ? changedCode : 1
        }
    }

    private static func library(_ source: String, into store: String) throws(IngestFault) -> Taken {
        var copy = try StoreFile(in: store)
        defer { copy.close() }
        let hash = try copy.fill(from: source, limit: 1 << 30)
        if let fault = ELFImage.fault(in: copy.fd, size: copy.size) { throw IngestFault(fault) }
        return Taken(sha256: hash, bytes: copy.size, path: try copy.publish(as: "\(hash).so"), configuration: nil)
    }

    /// Bytes of a manifest: it goes to the zygote in one datagram of 64 KiB, with a path.
    static let manifestLimit: UInt64 = 60_000

    /// A version of such a plugin is the manifest's text and the bridge's bytes together.
    private static func manifest(_ source: String, into store: String, bridge: String) throws(IngestFault) -> Taken {
        let served = try library(bridge, into: store)
        var copy = try StoreFile(in: store)
        defer { copy.close() }
        let hash = try copy.fill(from: source, limit: self.manifestLimit)
        let name = hex(SHA256.hash(data: Array("pawl-ffi \(served.sha256) \(hash)".utf8)))
        return Taken(
            sha256: name, bytes: served.bytes, path: served.path,
            configuration: try copy.publish(as: "\(hash).ffi.json"))
    }

    static func hex(_ digest: some Sequence<UInt8>) -> String {
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        for byte in digest { text += [digits[Int(byte >> 4)], digits[Int(byte & 15)]] }
        return String(decoding: text, as: UTF8.self)
    }
}

/// What went into the store.
struct Taken: Equatable {
    /// Names the version.
    var sha256: String
    /// Size of the shared library.
    var bytes: UInt64
    /// Of the shared library in the store.
    var path: String
    /// Of the manifest's text in the store; nil for an ordinary plugin.
    var configuration: String?

    var json: String {
        var members = [
            JSONMember("sha256", .string(self.sha256)), JSONMember("bytes", .number("\(self.bytes)")),
            JSONMember("path", .string(self.path)),
        ]
        if let configuration { members.append(JSONMember("configuration", .string(configuration))) }
        return JSONValue.object(members).json
    }

    init(sha256: String, bytes: UInt64, path: String, configuration: String?) {
        self.sha256 = sha256
        self.bytes = bytes
        self.path = path
        self.configuration = configuration
    }

    /// Reads what the helper printed; nil for anything else.
    init?(json: JSONValue) {
        guard let sha256 = json["sha256"]?.text, let bytes = json["bytes"]?.integer, let path = json["path"]?.text
        else { return nil }
        self.init(
            sha256: sha256, bytes: UInt64(clamping: bytes), path: path, configuration: json["configuration"]?.text)
    }
}

/// Why a file does not go into the store, in words for people.
struct IngestFault: Error, Equatable {
    var words: String
    /// It changed while it was looked at.
    var isChange = false

    init(_ words: String, isChange: Bool = false) {
        self.words = words
        self.isChange = isChange
    }

    /// With the calling thread's errno.
    static func last(_ what: String) -> IngestFault { IngestFault("\(what): \(String(cString: strerror(errno)))") }

    var json: String { JSONValue.object([JSONMember("error", .string(self.words))]).json }
}
