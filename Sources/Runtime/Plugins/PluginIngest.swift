internal import CLinux
internal import Crypto
internal import FoundationEssentials
internal import Glibc
internal import JobCore

/// The ingest helper's own program: hashing and copying would hold the loop.
///
/// The file in the plugin directory is never mapped by anybody: whoever writes it could cut it under a running plugin
/// (SIGBUS) or change its code. What runs is a private copy, named by its hash and written once.
package enum PluginIngest {
    /// Exit code when the source changed while it was copied: worth another try.
    package static let changedCode: Int32 = 3
    /// Exit code when it is not signed as it should be.
    package static let unsignedCode: Int32 = 4
    /// Exit code when this host cannot take it now: its disk is full, say.
    package static let passingCode: Int32 = 5

    /// Arguments: `SOURCE STORE` for a shared library, `SOURCE STORE BRIDGE` for a manifest of C functions that the shared library
    /// BRIDGE serves, or one JSON object as `IngestOrder` writes it. Prints one JSON line and returns the exit code: 0 `{sha256,
    /// bytes, path, configuration?, signed_by?, signature?}`, 1, 3, 4 and 5 `{error}`, 2 for wrong arguments. Blocks.
    package static func run(_ arguments: [String]) -> Int32 {
        guard let order = IngestOrder(arguments: arguments) else {
            print(IngestFault("usage: SOURCE STORE [BRIDGE]").json)
            return 2
        }
        do throws(IngestFault) {
            switch order.what {
            case .hash(let path):
                print(JSONValue.object([JSONMember("sha256", .string(try StoreFile.hash(of: path)))]).json)
            case .take(let source, let store, let bridge):
                let taken =
                    if let bridge {
                        try manifest(source, into: store, bridge: bridge, order)
                    } else {
                        try library(source, into: store, order)
                    }
                print(taken.json)
            }
            return 0
        } catch {
            print(error.json)
            switch error.kind {
            case .bad: return 1
            case .change: return changedCode
            case .unsigned: return unsignedCode
            case .passing: return passingCode
            }
        }
    }

    private static func library(
        _ source: String, into store: String, _ order: IngestOrder?
    ) throws(IngestFault) -> Taken {
        var copy = try StoreFile(in: store)
        defer { copy.close() }
        let hash = try copy.fill(from: source, limit: 1 << 30)
        if let words = BuildFailure.words(in: copy.fd) { throw IngestFault(words) }
        if let fault = ELFImage.fault(in: copy.fd, size: copy.size) { throw IngestFault(fault) }
        let seal = try order.flatMap { order throws(IngestFault) in try signature(of: copy, source, order) }
        var taken = Taken(
            sha256: hash, bytes: copy.size, path: try copy.publish(as: "\(hash).so"), configuration: nil,
            signedBy: seal?.key, signature: seal?.signature)
        taken.note = ELFFile(fd: copy.fd)?.noteText
        return taken
    }

    /// Bytes of a manifest: it goes to the zygote in one datagram of 64 KiB, with a path.
    static let manifestLimit: UInt64 = 60_000

    /// A version of such a plugin is the manifest's text and the bridge's bytes together.
    private static func manifest(
        _ source: String, into store: String, bridge: String, _ order: IngestOrder
    ) throws(IngestFault) -> Taken {
        let served = try library(bridge, into: store, nil)
        var copy = try StoreFile(in: store)
        defer { copy.close() }
        let hash = try copy.fill(from: source, limit: self.manifestLimit)
        let seal = try signature(of: copy, source, order)
        let name = hex(SHA256.hash(data: Array("pawl-ffi \(served.sha256) \(hash)".utf8)))
        return Taken(
            sha256: name, bytes: served.bytes, path: served.path,
            configuration: try copy.publish(as: "\(hash).pawl.json"), signedBy: seal?.key, signature: seal?.signature)
    }

    // MARK: Signatures

    /// Which trusted key has signed the copy (Ed25519, RFC 8032, over all of its bytes); nil where none has and none has to.
    private static func signature(
        of copy: StoreFile, _ source: String, _ order: IngestOrder
    ) throws(IngestFault) -> (key: String, signature: String)? {
        let given: [UInt8]?
        if let signature = order.signature { given = signature } else { given = try detached(source + ".sig") }
        guard let given else {
            guard order.isSignatureRequired else { return nil }
            throw IngestFault("it is not signed, and this host serves only what a trusted key has signed", .unsigned)
        }
        // Without keys nobody could say anything about it.
        if order.trustedKeys.isEmpty && !order.isSignatureRequired { return nil }
        let bytes = try copy.bytes()
        for key in order.trustedKeys {
            do {
                let key = try Curve25519.Signing.PublicKey(rawRepresentation: key)
                guard key.isValidSignature(given, for: bytes) else { continue }
                return (key.rawRepresentation.base64EncodedString(), Data(given).base64EncodedString())
            } catch { throw IngestFault("a trusted key is no Ed25519 public key") }
        }
        throw IngestFault(
            "its signature does not fit its bytes, or is of a key that this host does not trust", .unsigned)
    }

    /// 64 raw bytes, or their base64; nil: there is no such file.
    private static func detached(_ path: String) throws(IngestFault) -> [UInt8]? {
        let fd = open(path, StoreFile.reading)
        guard fd >= 0 else {
            if errno == ENOENT { return nil }
            throw .last("cannot open the signature")
        }
        defer { close(fd) }
        var status = stat()
        guard fstat(fd, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw IngestFault("the signature beside it is no regular file", .unsigned)
        }
        let bytes = [UInt8](unsafeUninitializedCapacity: 4096) { buffer, filled in
            filled = max(0, read(fd, buffer.baseAddress, buffer.count))
        }
        guard let signature = decoded(bytes) else {
            throw IngestFault("the signature beside it is neither 64 bytes nor their base64", .unsigned)
        }
        return signature
    }

    /// 64 bytes from their raw form or their base64; nil for anything else.
    package static func decoded(_ bytes: [UInt8]) -> [UInt8]? {
        if bytes.count == 64 { return bytes }
        let text = String(decoding: bytes, as: UTF8.self).filter { !$0.isWhitespace }
        guard let data = Data(base64Encoded: text), data.count == 64 else { return nil }
        return Array(data)
    }

    static func hex(_ digest: some Sequence<UInt8>) -> String {
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        for byte in digest { text += [digits[Int(byte >> 4)], digits[Int(byte & 15)]] }
        return String(decoding: text, as: UTF8.self)
    }
}
