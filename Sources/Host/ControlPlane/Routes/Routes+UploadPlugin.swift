import HTTPTypes
import JobCore
import JobStore
import UVLoop

/// New versions over HTTP.
extension Backend {
    var pluginUploadRoutes: [Route] {
        [
            Route(
                .post, "/api/v1/plugins/{plugin}/versions",
                query: ["file", "activate", "canary_percent", "canary_runs", "force", "reason"], body: .stream
            ) { [self] in try await uploadPlugin($0) }
        ]
    }

    private func uploadPlugin(_ call: Call) async throws -> Answer {
        try refuseWhileDraining()
        try mayUpload(call)
        var upload = try Self.upload(call)
        // In the file until the host has taken it into its store; gone with this call, however it ends.
        let file = try UploadFile(in: configuration.uploadDirectory, suffix: Self.suffix(of: upload.fileName))
        try await file.fill(from: call.pieces)
        guard file.bytes > 0 else {
            throw Problem(.badRequest, "empty_body", "The body is empty; it must be the plugin's file.")
        }
        upload.path = file.path
        upload.bytes = file.bytes
        let proposal: PluginProposal
        do throws(PluginFault) {
            proposal = try await host.propose(upload)
        } catch {
            throw Problem(error)
        }
        withExtendedLifetime(file) {}
        var object = JSONObject()
        object.string("plugin", upload.plugin)
        object.string("version", proposal.version)
        object.string("label", proposal.label)
        object.string("state", proposal.state)
        object.bool("changed", proposal.hasChanged)
        object.array("problems", PluginJSON.problems(proposal.problems))
        object.string("detail", proposal.detail)
        let status: HTTPResponse.Status =
            !proposal.hasChanged ? .ok : proposal.state == "held" ? .accepted : .created
        return Answer.json(object, status).with(
            .location, "/api/v1/plugins/\(upload.plugin)")
    }

    private func mayUpload(_ call: Call) throws(Problem) {
        let isAllowed =
            switch configuration.uploads {
            case .off: false
            case .token: call.principal.way != .session
            case .page: true
            }
        guard !isAllowed else { return }
        throw Problem(
            .forbidden, "uploads_off",
            configuration.uploads == .off
                ? "This host takes no plugins over HTTP (serve --uploads)."
                : "This host takes plugins from whoever has the token, not from a browser (serve --uploads page).")
    }

    private static func upload(_ call: Call) throws(Problem) -> PluginUpload {
        let name = call.parameter("plugin")
        let type = (call.headers[.contentType] ?? "").prefix { $0 != ";" }.lowercased()
        if type.hasPrefix("multipart/") || type == "application/x-www-form-urlencoded" {
            throw Problem(
                .unsupportedMediaType, "unsupported_media_type", "Send the file itself as the body, not a form.",
                fields: [.init(.header("Content-Type"), "unsupported_media_type", "must be application/octet-stream")])
        }
        var upload = PluginUpload(
            plugin: name, path: "", bytes: 0, fileName: type == "application/json" ? "\(name).pawl.json" : "\(name).so",
            actor: call.principal.name)
        if let file = try call.query.one("file") {
            guard !file.isEmpty, file.utf8.count <= 200, !file.utf8.contains(UInt8(ascii: "/")), !file.hasPrefix("."),
                file.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7f })
            else {
                throw .invalidParameter("file", "malformed", "must be the name of a file, without a directory")
            }
            upload.fileName = file
        }
        guard ["so", "json"].contains(upload.fileName.split(separator: ".").last) else {
            throw .invalidParameter("file", "unknown_kind", "must end in .so or .pawl.json")
        }
        upload.signature = try signature(call.headers)
        upload.activates = try call.query.flag("activate") ?? true
        upload.force = try call.query.flag("force") ?? false
        let percent = try call.query.int("canary_percent", in: 1...100)
        let runs = try call.query.int("canary_runs", in: 1...1_000_000)
        if percent != nil, runs != nil {
            throw .invalidParameter("canary_runs", "exclusive", "cannot stand beside canary_percent")
        }
        if percent != nil || runs != nil {
            guard upload.activates else {
                throw .invalidParameter("activate", "exclusive", "cannot be false beside a canary")
            }
            upload.canary = CanaryWish(percent: percent.map { Int($0) }, runs: runs.map { Int($0) })
        }
        if let reason = try call.query.one("reason") {
            guard reason.unicodeScalars.count <= 1000 else {
                throw .invalidParameter("reason", "out_of_range", "must have at most 1000 characters")
            }
            upload.reason = reason
        }
        return upload
    }

    /// 64 bytes in base64, either alphabet.
    private static func signature(_ headers: HTTPFields) throws(Problem) -> String? {
        guard let header = headers[.xPawlSignature] else { return nil }
        let plain = header.replacing("+", with: "-").replacing("/", with: "_").filter { $0 != "=" }
        guard Base64URL.decode(plain)?.count == 64 else {
            throw .invalidHeader(
                "X-Pawl-Signature", "malformed", "must be the base64 of an Ed25519 signature (64 bytes)")
        }
        // The ordinary alphabet, padded: what openssl writes.
        return plain.replacing("-", with: "+").replacing("_", with: "/") + "=="
    }

    /// What a file's name tells of its kind.
    private static func suffix(of fileName: String) -> String {
        fileName.hasSuffix(".ffi.json") ? ".ffi.json" : fileName.hasSuffix(".json") ? ".pawl.json" : ".so"
    }
}

extension HTTPField.Name {
    static let xPawlSignature: HTTPField.Name = {
        guard let name = HTTPField.Name("X-Pawl-Signature") else { preconditionFailure("it is a name") }
        return name
    }()
}
