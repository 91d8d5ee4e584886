import ArgumentParser
import Glibc
import JobCore
import Logging
import UVLoop

struct Serve: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run a host: take runs from the database and execute them.",
        discussion: """
            Prints `ready http://…` once it serves, and a one-time link that opens its page. Keeps its token in the data \
            directory (admin-token, readable by its owner only).

            Signals: SIGTERM or SIGINT drains (no new runs; running ones have --drain-timeout) and exits 0; a second one \
            ends what runs at once, which uses up no attempt. SIGHUP looks at the plugin directory and \
            the certificate anew.

            Exit codes: 0 drained; 64 wrong options; 78 the configuration, the data directory or the database cannot be \
            used, and the message says why.

            Examples:
              pawl serve
              pawl serve --data-dir /srv/pawl --listen 127.0.0.1:7070 --plugins /srv/pawl/plugins
              pawl serve --database-url postgresql://pawl@db/pawl
            """)

    @OptionGroup var options: ServeOptions

    func run() throws {
        let environment = ProcessEnvironment.current
        let configuration = try ServeConfiguration(self.options, environment: environment)
        let format = configuration.logFormat
        let level = configuration.logLevel
        LoggingSystem.bootstrap { HostLogHandler(label: $0, format: format, logLevel: level) }
        let directory: HostDirectory
        do {
            directory = try HostDirectory(path: configuration.dataDirectory)
        } catch {
            throw Self.unusable("\(error)")
        }
        do {
            try LoopActor.runMain { try await ServeHost(configuration, directory: directory).run() }
        } catch let error as ServeHost.Unusable {
            throw Self.unusable(error.description)
        }
    }

    /// EX_CONFIG: repeating does not help, a person has to change something.
    private static func unusable(_ why: String) -> ExitCode {
        var line = "pawl: \(why)\n"
        line.withUTF8 { _ = write(STDERR_FILENO, $0.baseAddress, $0.count) }
        return ExitCode(78)
    }
}

/// The environment that this process was started with.
enum ProcessEnvironment {
    static var current: [String: String] {
        var found: [String: String] = [:]
        var entry: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?> = environ
        while let text = entry.pointee {
            let pair = String(cString: text)
            if let equals = pair.firstIndex(of: "=") {
                found[String(pair[..<equals])] = String(pair[pair.index(after: equals)...])
            }
            entry += 1
        }
        return found
    }
}
