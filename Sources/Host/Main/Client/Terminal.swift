import FoundationEssentials
import Glibc

/// Standard output and error as this process finds them: data goes to the one, talk to the other, and a terminal gets
/// colour, symbols and a redrawn line where a file gets plain text.
struct Terminal: Sendable {
    /// One of the two streams.
    struct Stream: Sendable {
        let descriptor: Int32
        let isTerminal: Bool
        let hasColour: Bool

        func write(_ text: String) { self.write(Array(text.utf8)) }

        func write(_ all: [UInt8]) {
            var bytes = all[...]
            while !bytes.isEmpty {
                let count = bytes.withUnsafeBytes { Glibc.write(self.descriptor, $0.baseAddress, $0.count) }
                if count < 0 {
                    if errno == EINTR { continue }
                    return  // A reader that left (`| head`) is no fault; SIGPIPE ends us before this in most cases.
                }
                bytes = bytes.dropFirst(count)
            }
        }

        func writeLine(_ text: String = "") { self.write(text + "\n") }

        func paint(_ text: String, _ ink: Ink?) -> String {
            guard self.hasColour, let ink else { return text }
            return "\u{1B}[\(ink.code)m\(text)\u{1B}[0m"
        }
    }

    /// The few colours that are used; each goes with a sign and a word, never alone.
    enum Ink: Sendable {
        case red, green, yellow, blue, dim, bold
        fileprivate var code: String {
            switch self {
            case .red: "31"
            case .green: "32"
            case .yellow: "33"
            case .blue: "34"
            case .dim: "2"
            case .bold: "1"
            }
        }
    }

    let out: Stream
    let talk: Stream
    /// Signs outside ASCII are understood: the locale says UTF-8.
    let isUnicode: Bool

    /// Columns of the terminal, read anew each time because windows change size. 80 when nobody knows.
    func width(of stream: Stream) -> Int {
        var size = winsize()
        if ioctl(stream.descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 { return Int(size.ws_col) }
        return 80
    }

    /// Reads the streams and `NO_COLOR`, `FORCE_COLOR`, `TERM`, `LC_ALL`, `LC_CTYPE`, `LANG`.
    init(environment: [String: String]) {
        let no = !(environment["NO_COLOR"] ?? "").isEmpty
        let force = !(environment["FORCE_COLOR"] ?? "").isEmpty && environment["FORCE_COLOR"] != "0"
        let dumb = environment["TERM"] == "dumb"
        func stream(_ descriptor: Int32) -> Stream {
            let terminal = isatty(descriptor) == 1
            return Stream(
                descriptor: descriptor, isTerminal: terminal && !dumb,
                hasColour: no ? false : force ? true : terminal && !dumb)
        }
        self.out = stream(STDOUT_FILENO)
        self.talk = stream(STDERR_FILENO)
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].lazy.compactMap { environment[$0] }.first { !$0.isEmpty } ?? ""
        let name = locale.lowercased()
        self.isUnicode = name.hasSuffix("utf-8") || name.hasSuffix("utf8")
    }

    /// This process's environment.
    static func environment() -> [String: String] { ProcessInfo.processInfo.environment }
}

extension Terminal {
    static var standardInputIsTerminal: Bool { isatty(STDIN_FILENO) == 1 }
}
