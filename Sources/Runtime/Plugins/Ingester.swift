internal import FoundationEssentials
internal import Glibc
internal import JobCore
internal import Supervision
internal import UVLoop

/// Takes files into the store, by the helper process.
@LoopActor
struct Ingester {
    let store: String
    let bridge: String?
    let helper: PluginCatalog.Helper
    let signatures: SignaturePolicy

    /// A writer that takes longer than this in one go is looked at again when it closes the file.
    private static let attempts = 25

    func makeStore() throws(SupervisionError) {
        var missing: [String] = []
        var path = self.store
        while mkdir(path, 0o755) != 0 && errno == ENOENT, let slash = path.lastIndex(of: "/"), slash != path.startIndex
        {
            missing.append(path)
            path = String(path[..<slash])
        }
        for path in missing.reversed() { mkdir(path, 0o755) }
        guard access(self.store, W_OK) == 0 else {
            throw SupervisionError("the plugin store \(self.store): \(String(cString: strerror(errno)))")
        }
    }

    /// - Parameters:
    ///   - hint: what to call it in messages.
    ///   - bridge: nil: this host's own.
    ///   - signature: nil: it may lie beside the file.
    func ingest(
        _ path: String, _ kind: PluginStatus.Kind, hint: String, bridge: String? = nil, signature: [UInt8]? = nil
    ) async throws(IngestFault) -> PluginImage {
        let library = bridge ?? self.bridge
        if kind == .ffi && library == nil {
            throw IngestFault("there is no bridge for manifests of C functions (pawl-ffi.so)")
        }
        var order = IngestOrder(.take(source: path, store: self.store, bridge: kind == .ffi ? library : nil))
        order.trustedKeys = self.signatures.trustedKeys
        order.isSignatureRequired = self.signatures.isRequired
        order.signature = signature
        let taken = try await self.run(order)
        var text: String?
        if let configuration = taken.configuration {
            guard let bytes = Self.read(configuration) else { throw .last("cannot read \(configuration)") }
            guard let valid = String(validating: bytes, as: UTF8.self) else {
                throw IngestFault("the manifest is no UTF-8 text")
            }
            text = valid
        }
        var image = PluginImage(
            sha256: taken.sha256, path: taken.path, bytes: taken.bytes, configuration: text, nameHint: hint,
            seal: FileSeal(of: taken.path))
        image.note = taken.note
        image.signedBy = taken.signedBy
        image.signature = taken.signature.flatMap { Data(base64Encoded: $0) }.map { Array($0) }
        return image
    }

    /// What the bytes of a file hash to.
    func hash(of path: String) async throws(IngestFault) -> String {
        let (output, value) = try await self.ask(IngestOrder(.hash(path)))
        guard let hash = value["sha256"]?.text else {
            guard let words = value["error"]?.text else {
                throw IngestFault("the ingest helper ended with \(output.status)", .passing)
            }
            throw IngestFault(words, Self.kind(output.status))
        }
        return hash
    }

    private func run(_ order: IngestOrder) async throws(IngestFault) -> Taken {
        for _ in 0..<Self.attempts {
            let (output, value) = try await self.ask(order)
            if output.status == .code(PluginIngest.changedCode) {
                do { try await LoopClock.sleep(for: .milliseconds(200)) } catch { break }
                continue
            }
            if let error = value["error"]?.text { throw IngestFault(error, Self.kind(output.status)) }
            guard output.status.isSuccess, let taken = Taken(json: value) else {
                throw IngestFault("the ingest helper ended with \(output.status)")
            }
            return taken
        }
        throw IngestFault("the file is written to without end")
    }

    private func ask(_ order: IngestOrder) async throws(IngestFault) -> (ChildProcess.Output, JSONValue) {
        let spec = ChildProcess.Spec(
            executable: self.helper.executable, arguments: self.helper.arguments + order.arguments)
        let output: ChildProcess.Output
        do { output = try await ChildProcess.run(spec, timeout: .seconds(60)) } catch {
            throw IngestFault("the ingest helper failed: \(error)", .passing)
        }
        do {
            return (output, try JSONValue(parsing: String(decoding: output.stdout, as: UTF8.self)))
        } catch {
            // It was killed, by whoever needs memory say: it says nothing about the file.
            let words = String(decoding: output.stderr.prefix(500), as: UTF8.self)
            throw IngestFault("the ingest helper ended with \(output.status) \(words)", .passing)
        }
    }

    private static func kind(_ status: ChildProcess.ExitStatus) -> IngestFault.Kind {
        switch status {
        case .code(PluginIngest.unsignedCode): .unsigned
        case .code(PluginIngest.passingCode): .passing
        default: .bad
        }
    }

    /// The store's copy of a manifest, at most 1 MiB.
    private static func read(_ path: String) -> [UInt8]? {
        let fd = open(path, O_RDONLY | O_CLOEXEC)
        guard fd >= 0 else { return nil }
        defer { close(fd) }
        return [UInt8](unsafeUninitializedCapacity: 1 << 20) { buffer, filled in
            while filled < buffer.count {
                let length = Glibc.read(fd, buffer.baseAddress?.advanced(by: filled), buffer.count - filled)
                if length <= 0 { break }
                filled += length
            }
        }
    }
}
