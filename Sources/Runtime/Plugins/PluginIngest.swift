/// The ingest helper's own program: hashing and copying would hold the loop.
package enum PluginIngest {
    /// Copies a file into the store while hashing it, checks that it is a shared library for this machine, and prints
    /// one JSON line. Arguments: `SOURCE STORE`. Returns the exit code. Blocks.
    package static func run(_ arguments: [String]) -> Int32 { 2 }
}
