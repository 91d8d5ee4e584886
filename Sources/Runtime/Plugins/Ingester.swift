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

    func ingest(_ path: String, _ entry: PluginEntry) async throws(IngestFault) -> PluginImage {
        var arguments = self.helper.arguments + [path, self.store]
        if entry.kind == .ffi {
            guard let bridge = self.bridge else {
                throw IngestFault("there is no bridge for manifests of C functions (pawl-ffi.so)")
            }
            arguments.append(bridge)
        }
        let taken = try await self.run(arguments)
        var text: String?
        if let configuration = taken.configuration {
            guard let bytes = Self.read(configuration) else { throw .last("cannot read \(configuration)") }
            guard let valid = String(validating: bytes, as: UTF8.self) else {
                throw IngestFault("the manifest is no UTF-8 text")
            }
            text = valid
        }
        return PluginImage(
            sha256: taken.sha256, path: taken.path, bytes: taken.bytes, configuration: text, nameHint: entry.file)
    }

    private func run(_ arguments: [String]) async throws(IngestFault) -> Taken {
        let spec = ChildProcess.Spec(executable: self.helper.executable, arguments: arguments)
        for _ in 0..<Self.attempts {
            let output: ChildProcess.Output
            do { output = try await ChildProcess.run(spec, timeout: .seconds(60)) } catch {
                throw IngestFault("the ingest helper failed: \(error)")
            }
            if output.status == .code(PluginIngest.changedCode) {
                do { try await LoopClock.sleep(for: .milliseconds(200)) } catch { break }
                continue
            }
            return try Self.parse(output)
        }
        throw IngestFault("the file is written to without end")
    }

    private static func parse(_ output: ChildProcess.Output) throws(IngestFault) -> Taken {
        let words = String(decoding: output.stderr.prefix(500), as: UTF8.self)
        let value: JSONValue
        do { value = try JSONValue(parsing: String(decoding: output.stdout, as: UTF8.self)) } catch {
            throw IngestFault("the ingest helper ended with \(output.status) \(words)")
        }
        if let error = value["error"]?.text { throw IngestFault(error) }
        guard output.status.isSuccess, let taken = Taken(json: value) else {
            throw IngestFault("the ingest helper ended with \(output.status) \(words)")
        }
        return taken
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
