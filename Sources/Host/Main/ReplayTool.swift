import Glibc
import JobCore

/// A program that watches the handler's process.
enum ReplayTool: String {
    case gdb, valgrind, strace

    /// Runs the handler under the tool, on this terminal, and waits.
    /// - Returns: the tool's exit code; 128 and the signal's number if one ended it.
    func run(
        _ subject: ReplaySubject, image: ReplayImage, zygote: String, in scratch: ScratchPlace
    ) throws(ClientFailure) -> Int32 {
        let args = try scratch.write("args.json", Array(subject.args.utf8))
        var handler = [zygote, "--foreground", image.path, subject.handler, args]
        if let configuration = image.configuration {
            handler.append(try scratch.write("configuration.json", Array(configuration.utf8)))
        }
        var environment = [
            "PAWL_RUN_ID": subject.id.description, "PAWL_ATTEMPT": "\(subject.attempt)", "PAWL_JOB": subject.job,
            "PGAPPNAME": "pawl:\(subject.id)", "TMPDIR": scratch.path, "HOME": scratch.path,
            "SWIFT_BACKTRACE": "enable=no", "LANG": "C.UTF-8",
        ]
        environment["TRACEPARENT"] = subject.traceparent
        // Of ours, what tool and terminal need; nothing else, as in a child.
        for name in ["PATH", "TERM", "DEBUGINFOD_URLS"] {
            if let value = getenv(name) { environment[name] = String(cString: value) }
        }
        return try Self.spawn(self.words + handler, environment, in: scratch.path)
    }

    private var words: [String] {
        switch self {
        case .gdb:
            // With nobody there to type, it tells where it stopped, and ends.
            isatty(STDIN_FILENO) == 1
                ? ["gdb", "-q", "-ex", "run", "--args"]
                : ["gdb", "-q", "-batch", "-ex", "run", "-ex", "bt", "-ex", "info locals", "--args"]
        case .valgrind: ["valgrind", "--leak-check=full", "--track-origins=yes", "--num-callers=30"]
        case .strace: ["strace", "-f", "-tt", "-y"]
        }
    }

    private static func spawn(
        _ words: [String], _ environment: [String: String], in directory: String
    ) throws(ClientFailure) -> Int32 {
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        var variables: [UnsafeMutablePointer<CChar>?] = environment.map { strdup("\($0)=\($1)") } + [nil]
        defer { for text in arguments + variables { free(text) } }
        // For all of this process: it does nothing else any more.
        guard chdir(directory) == 0 else {
            throw ClientFailure(
                exit: .configuration, message: "cannot enter \(directory): \(String(cString: strerror(errno)))")
        }
        // Ctrl-C is the tool's while it runs.
        let before = (signal(SIGINT, SIG_IGN), signal(SIGQUIT, SIG_IGN))
        defer {
            signal(SIGINT, before.0)
            signal(SIGQUIT, before.1)
        }
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var defaults = sigset_t()
        sigemptyset(&defaults)
        sigaddset(&defaults, SIGINT)
        sigaddset(&defaults, SIGQUIT)
        sigaddset(&defaults, SIGPIPE)
        posix_spawnattr_setsigdefault(&attributes, &defaults)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF))
        var pid: pid_t = 0
        let fault = posix_spawnp(&pid, words[0], nil, &attributes, &arguments, &variables)
        guard fault == 0 else {
            throw ClientFailure(
                exit: .configuration, message: "\(words[0]) cannot be started: \(String(cString: strerror(fault))).",
                details: fault == ENOENT ? ["on Debian: apt-get install \(words[0])"] : [])
        }
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0 {
            guard errno == EINTR else { preconditionFailure("our own child cannot be waited for: \(errno)") }
        }
        let signal = status & 0x7f
        return signal == 0 ? (status >> 8) & 0xff : 128 + signal
    }
}
