internal import FoundationEssentials
internal import Glibc
internal import JobCore

/// What the ingest helper is to do.
struct IngestOrder: Equatable {
    enum What: Equatable {
        /// Take a file into the store.
        case take(source: String, store: String, bridge: String?)
        /// Say what a file's bytes hash to.
        case hash(String)
    }

    var what: What
    /// Raw Ed25519 public keys.
    var trustedKeys: [[UInt8]] = []
    var isSignatureRequired = false
    /// Of the source; nil: it may lie beside it.
    var signature: [UInt8]?

    init(_ what: What) { self.what = what }

    /// As the helper gets it: `SOURCE STORE [BRIDGE]`, or one JSON object.
    init?(arguments: [String]) {
        switch arguments.count {
        case 1:
            do { self.init(json: try JSONValue(parsing: arguments[0])) } catch { return nil }
        case 2: self.init(.take(source: arguments[0], store: arguments[1], bridge: nil))
        case 3: self.init(.take(source: arguments[0], store: arguments[1], bridge: arguments[2]))
        default: return nil
        }
    }

    private init?(json: JSONValue) {
        if let path = json["hash"]?.text {
            self.what = .hash(path)
        } else if let source = json["source"]?.text, let store = json["store"]?.text {
            self.what = .take(source: source, store: store, bridge: json["bridge"]?.text)
        } else {
            return nil
        }
        for key in json["trusted_keys"]?.elements ?? [] {
            guard let bytes = key.text.flatMap({ Data(base64Encoded: $0) }) else { return nil }
            self.trustedKeys.append(Array(bytes))
        }
        self.isSignatureRequired = json["require_signed"] == .boolean(true)
        if let text = json["signature"]?.text {
            guard let bytes = Data(base64Encoded: text) else { return nil }
            self.signature = Array(bytes)
        }
    }

    var arguments: [String] {
        var members: [JSONMember] = []
        switch self.what {
        case .hash(let path): members.append(JSONMember("hash", .string(path)))
        case .take(let source, let store, let bridge):
            members += [JSONMember("source", .string(source)), JSONMember("store", .string(store))]
            if let bridge { members.append(JSONMember("bridge", .string(bridge))) }
        }
        if !self.trustedKeys.isEmpty {
            let keys = self.trustedKeys.map { JSONValue.string(Data($0).base64EncodedString()) }
            members.append(JSONMember("trusted_keys", .array(keys)))
        }
        if self.isSignatureRequired { members.append(JSONMember("require_signed", .boolean(true))) }
        if let signature { members.append(JSONMember("signature", .string(Data(signature).base64EncodedString()))) }
        return [JSONValue.object(members).json]
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
    /// Base64 of the key.
    var signedBy: String?
    /// Base64.
    var signature: String?
    /// What the library says of itself without being loaded: JSON text.
    var note: String?

    var json: String {
        var members = [
            JSONMember("sha256", .string(self.sha256)), JSONMember("bytes", .number("\(self.bytes)")),
            JSONMember("path", .string(self.path)),
        ]
        if let configuration { members.append(JSONMember("configuration", .string(configuration))) }
        if let signedBy { members.append(JSONMember("signed_by", .string(signedBy))) }
        if let signature { members.append(JSONMember("signature", .string(signature))) }
        if let note { members.append(JSONMember("note", .string(note))) }
        return JSONValue.object(members).json
    }

    init(
        sha256: String, bytes: UInt64, path: String, configuration: String?, signedBy: String? = nil,
        signature: String? = nil
    ) {
        self.sha256 = sha256
        self.bytes = bytes
        self.path = path
        self.configuration = configuration
        self.signedBy = signedBy
        self.signature = signature
    }

    /// Reads what the helper printed; nil for anything else.
    init?(json: JSONValue) {
        guard let sha256 = json["sha256"]?.text, let bytes = json["bytes"]?.integer, let path = json["path"]?.text
        else { return nil }
        self.init(
            sha256: sha256, bytes: UInt64(clamping: bytes), path: path, configuration: json["configuration"]?.text,
            signedBy: json["signed_by"]?.text, signature: json["signature"]?.text)
        self.note = json["note"]?.text
    }
}

/// Why a file does not go into the store, in words for people.
struct IngestFault: Error, Equatable {
    enum Kind {
        case bad, change, unsigned
        /// It lies with the host, not with the file, and may be otherwise in a moment.
        case passing
    }

    var words: String
    var kind: Kind

    init(_ words: String, _ kind: Kind = .bad) {
        self.words = words
        self.kind = kind
    }

    /// With the calling thread's errno. What the system refuses now it may grant later: a file that is gone is another matter.
    static func last(_ what: String) -> IngestFault {
        let kind: Kind = errno == ENOENT || errno == ELOOP || errno == ENXIO ? .bad : .passing
        return IngestFault("\(what): \(String(cString: strerror(errno)))", kind)
    }

    var json: String { JSONValue.object([JSONMember("error", .string(self.words))]).json }
}
