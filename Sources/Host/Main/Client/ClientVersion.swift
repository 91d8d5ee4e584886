/// The version of this program.
enum ClientVersion {
    static let current = "0.1.0"
}
