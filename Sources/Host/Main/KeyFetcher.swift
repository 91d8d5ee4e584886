import ArgumentParser
import ControlPlane
import Glibc
import UVLoop

/// Gets keys of JSON Web Tokens from their address, by a helper process: neither the name's look-up nor TLS holds the loop, and
/// what comes from elsewhere is read by somebody who has nothing to lose.
struct KeyFetcher: JWTKeyFetching {
    /// This program.
    var executable: String
    /// A file with the certificates that the address's own must come from; nil: the system's.
    var authorities: String?

    nonisolated static let timeout = Duration.seconds(10)
    /// More is not read, in bytes.
    nonisolated static let limit = 1 << 20

    func fetch(_ url: String) async throws(KeyFetchFault) -> [UInt8] {
        let spec = ChildProcess.Spec(
            executable: self.executable,
            arguments: ["internal-fetch", url] + (self.authorities.map { ["--ca-file", $0] } ?? []),
            stdout: .capture(limit: Self.limit))
        let output: ChildProcess.Output
        do throws(LoopError) {
            output = try await ChildProcess.run(spec, timeout: Self.timeout)
        } catch {
            throw KeyFetchFault("\(error)")
        }
        guard output.status.isSuccess else {
            let words = output.stderrText.prefix(500).split(whereSeparator: \.isNewline).joined(separator: " ")
            throw KeyFetchFault(words.isEmpty ? "the helper ended with \(output.status)" : words)
        }
        guard !output.isTruncated else { throw KeyFetchFault("more than \(Self.limit) bytes came") }
        return output.stdout
    }
}

/// The helper's own program: asks once, follows nothing, and writes what came to standard output.
struct FetchKeys: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "internal-fetch", shouldDisplay: false)

    @Argument var url: String
    @Option(name: .customLong("ca-file")) var authorities: String?

    func run() throws {
        // Should the host be gone that would have ended it.
        alarm(UInt32(KeyFetcher.timeout.components.seconds) + 5)
        do throws(ClientFailure) {
            try self.fetch()
        } catch {
            Terminal(environment: Terminal.environment()).report(error)
            throw error.exit.code
        }
    }

    private func fetch() throws(ClientFailure) {
        var server = try ServerAddress(address: self.url, token: nil, origin: nil)
        // As it was given: a slash at its end means something there.
        server.url = self.url
        server.authorities = self.authorities
        var body: [UInt8] = []
        let answer = try HTTPClient(server: server).stream(
            HTTPClient.Request(path: "", headers: [("Accept", "application/jwk-set+json, application/json")])
        ) { piece in
            body += piece
            return body.count <= KeyFetcher.limit
        }
        guard answer.status == 200 else {
            throw ClientFailure(exit: .failed, message: "\(self.url) answered \(answer.status).")
        }
        guard body.count <= KeyFetcher.limit else {
            throw ClientFailure(exit: .failed, message: "More than \(KeyFetcher.limit) bytes came.")
        }
        body.withUnsafeBytes { bytes in
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = write(STDOUT_FILENO, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
                guard count > 0 else { return }
                rest = rest.dropFirst(count)
            }
        }
    }
}
