import ArgumentParser
import Plugins

/// Takes a plugin's file into the content store. A helper process of the host: hashing and copying would hold its loop, and a
/// file on a dead network mount would hang it.
struct IngestPlugin: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "internal-ingest", shouldDisplay: false)

    @Argument var arguments: [String]

    func run() throws {
        let code = PluginIngest.run(self.arguments)
        if code != 0 { throw ExitCode(code) }
    }
}
