import ArgumentParser
import Glibc
import JobCore

/// `pawl plugins upload`.
struct UploadPluginCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "upload",
        abstract: "Upload a version: it is checked, loaded on trial, and serves if nothing speaks against it.",
        discussion: """
            A signature beside the file (FILE.sig, 64 bytes or their base64) is sent with it; --sign makes one. The host \
            decides whether uploads are allowed (serve --uploads) and whether they must be signed (--require-signed).

            Exit codes: 0 it serves (or is staged, with --stage); 65 it was refused, and the message says why; 73 it is held: \
            waiting runs or schedules do not fit it.

            EXAMPLES
              pawl plugins upload csv build/csv.so
              pawl plugins upload csv build/csv.so --sign ~/.config/pawl/key.pem
              pawl plugins upload csv build/csv.so --canary-percent 5
              pawl plugins upload csv build/csv.so --stage
            """)

    @OptionGroup var connection: ConnectionOptions

    @Argument(help: "The plugin's name, as it calls itself.") var plugin: String

    @Argument(help: "The shared library, or a manifest of C functions (.pawl.json).") var file: String

    @Option(help: ArgumentHelp("Sign it with this private key (PEM).", valueName: "key")) var sign: String?

    @Flag(help: "Only keep it ready: `pawl plugins activate` has it serve.") var stage = false

    @Option(name: .customLong("canary-percent"), help: "Give it this share of the runs first, 1 to 100.")
    var canaryPercent: Int?

    @Flag(help: "Even if waiting runs or schedules do not fit it.") var force = false

    @Option(help: "Why; kept with the plugin.") var reason: String?

    func validate() throws {
        if self.stage, self.canaryPercent != nil || self.force {
            throw ValidationError("--stage goes with neither --canary-percent nor --force.")
        }
    }

    func execute(_ session: ClientSession) throws {
        let bytes: [UInt8]
        switch ClientFiles.read(self.file) {
        case .success(let read): bytes = read
        case .failure(let fault):
            throw ClientFailure(exit: .inputMissing, message: "\(self.file): \(fault.words).")
        }
        let name = String(self.file.split(separator: "/").last ?? "")
        let query = ClientSession.query([
            ("file", name), ("activate", self.stage ? "false" : nil),
            ("canary_percent", self.canaryPercent.map(String.init)), ("force", self.force ? "true" : nil),
            ("reason", self.reason),
        ])
        var request = HTTPClient.Request(
            method: "POST", path: "/api/v1/plugins/\(ClientSession.escape(self.plugin))/versions\(query)", body: bytes)
        request.headers = [("Content-Type", "application/octet-stream"), ("Accept", "application/json")]
        if let signature = try self.signature(bytes) { request.headers.append(("X-Pawl-Signature", signature)) }
        let response = try session.client.send(request)
        guard response.isSuccess, let answer = try? JSONValue(parsing: response.body) else {
            // Whatever is no JSON is reported by its status.
            throw ProblemDetails.failure(
                status: response.status, body: response.body, request: "POST /api/v1/plugins/\(self.plugin)/versions")
        }
        let state = answer["state"]?.text ?? ""
        if session.wantsJSON {
            session.printJSON(answer)
        } else {
            session.terminal.out.writeLine(
                [self.plugin, PluginWords.short(answer["version"]), state].joined(separator: "\t"))
            if let words = answer["detail"]?.text { session.talk(Table.printable(words)) }
            ShowPluginCommand.print(answer, to: session.terminal.talk)
        }
        if state == "held" { throw ClientExit.conflict.code }
    }

    /// In base64.
    private func signature(_ bytes: [UInt8]) throws(ClientFailure) -> String? {
        do throws(SigningKeyFault) {
            if let sign {
                let key = try SigningKeys.privateKey(file: sign)
                return SigningKeys.base64(try SigningKeys.signature(of: bytes, by: key))
            }
        } catch {
            throw ClientFailure(exit: .inputMissing, message: "\(self.sign ?? ""): \(error).")
        }
        guard case .success(let found) = ClientFiles.read(self.file + ".sig") else { return nil }
        if found.count == 64 { return SigningKeys.base64(found) }
        let text = String(decoding: found, as: UTF8.self).filter { !$0.isWhitespace }
        guard SigningKeys.signature(base64: text) != nil else {
            throw ClientFailure(
                exit: .invalidInput, message: "\(self.file).sig is no signature: neither 64 bytes nor their base64.")
        }
        return text
    }
}

/// `pawl plugins sign`.
struct SignPluginCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sign",
        abstract: "Sign a plugin's file; needs no host.",
        discussion: """
            Writes FILE.sig beside it: 64 bytes, the plain Ed25519 signature of the file, as `openssl pkeyutl -sign -rawin \
            -inkey KEY -in FILE -out FILE.sig` does. Put it into the plugin directory first, then the file.

            EXAMPLES
              pawl plugins sign build/csv.so --key key.pem
              pawl plugins sign build/csv.so --key key.pem --out /tmp/csv.sig
              pawl plugins sign build/csv.so --key key.pem --out - | base64
            """)

    @Argument(help: "The file.") var file: String

    @Option(help: ArgumentHelp("The private key: PEM as `pawl plugins keygen` writes it.", valueName: "file"))
    var key: String

    @Option(help: ArgumentHelp("Where to write the signature; - is standard output.", valueName: "file"))
    var out: String?

    func run() throws {
        try Self.reporting {
            guard case .success(let bytes) = ClientFiles.read(self.file) else {
                throw ClientFailure(exit: .inputMissing, message: "\(self.file) cannot be read.")
            }
            let signature: [UInt8]
            do throws(SigningKeyFault) {
                signature = try SigningKeys.signature(of: bytes, by: try SigningKeys.privateKey(file: self.key))
            } catch {
                throw ClientFailure(exit: .inputMissing, message: "\(self.key): \(error).")
            }
            let out = self.out ?? self.file + ".sig"
            if out == "-" {
                signature.withUnsafeBytes { _ = write(STDOUT_FILENO, $0.baseAddress, $0.count) }
            } else {
                try ClientFiles.write(signature, to: out, mode: 0o644, isReplacing: true)
            }
        }
    }

    /// Failures in words and with their exit code, as of commands that talk to a host.
    static func reporting(_ body: () throws -> Void) throws {
        do {
            try body()
        } catch let failure as ClientFailure {
            Terminal(environment: Terminal.environment()).report(failure)
            throw failure.exit.code
        }
    }
}

/// `pawl plugins keygen`.
struct MakeKeyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keygen",
        abstract: "Make a key for signing plugins; needs no host.",
        discussion: """
            Writes the private key (PEM, mode 0600) and FILE.pub, and prints the public key as `pawl serve --trusted-key` \
            takes it. OpenSSL reads both files.

            EXAMPLES
              pawl plugins keygen key.pem
              pawl serve --trusted-key "$(pawl plugins keygen key.pem)"
              pawl serve --trusted-key key.pem.pub --require-signed
            """)

    @Argument(help: "Where to write the private key; nothing is overwritten.") var file: String

    func run() throws {
        try SignPluginCommand.reporting {
            let key = SigningKeys.makePrivateKey()
            let publicKey: [UInt8]
            do throws(SigningKeyFault) {
                publicKey = try SigningKeys.publicKey(of: key)
            } catch {
                throw ClientFailure(exit: .bug, message: "A key of our own making is none: \(error).")
            }
            try ClientFiles.write(
                Array(SigningKeys.privatePEM(key).utf8), to: self.file, mode: 0o600, isReplacing: false)
            try ClientFiles.write(
                Array(SigningKeys.publicPEM(publicKey).utf8), to: self.file + ".pub", mode: 0o644, isReplacing: true)
            print(SigningKeys.base64(publicKey))
        }
    }
}
