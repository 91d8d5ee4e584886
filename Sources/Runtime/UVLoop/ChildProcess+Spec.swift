extension ChildProcess {
    /// How a process ended. Never 128+n.
    package enum ExitStatus: Hashable, Sendable, CustomStringConvertible {
        case code(Int32)
        case signal(Int32)

        package var isSuccess: Bool { self == .code(0) }

        package var description: String {
            switch self {
            case .code(let code): "exit code \(code)"
            case .signal(let signal): "signal \(signal)"
            }
        }
    }

    /// The child's standard input.
    package enum Input: Sendable {
        case null
        /// Read by the child from a file in memory: nothing to pump, no deadlock, no SIGPIPE.
        case bytes([UInt8])
        /// A descriptor of ours, borrowed for `spawn`.
        case descriptor(Int32)
    }

    /// Where the child's output goes.
    package enum OutputTarget: Sendable {
        case null
        /// The same place as our own.
        case inherit
        /// Kept in memory, the first `limit` bytes; the rest is read and dropped, so that the child never blocks.
        case capture(limit: Int)
        /// Handed over piece by piece, as it comes; the loop reads no further while the handler runs.
        case stream(@LoopActor @Sendable ([UInt8]) -> Void)
        /// A descriptor of ours, borrowed for `spawn`.
        case descriptor(Int32)
    }

    /// What to start. Whatever is not named here does not reach the child: no other descriptors, no environment, no
    /// blocked signals, no signal dispositions.
    package struct Spec: Sendable {
        /// Path of the program; no search along PATH.
        package var executable: String
        /// Without argv[0], which is `executable`.
        package var arguments: [String]
        package var environment: [String: String]
        /// nil: ours.
        package var workingDirectory: String?
        package var stdin: Input
        package var stdout: OutputTarget
        package var stderr: OutputTarget
        /// A session and process group of its own: a terminal's Ctrl-C does not reach it, and `signalGroup` does.
        package var newSession: Bool
        /// More descriptors: number in the child (3...63) and ours, borrowed for `spawn`.
        package var descriptors: [(child: Int32, parent: Int32)]

        package init(
            executable: String, arguments: [String] = [], environment: [String: String] = [:],
            workingDirectory: String? = nil, stdin: Input = .null, stdout: OutputTarget = .capture(limit: 1 << 20),
            stderr: OutputTarget = .capture(limit: 64 << 10), newSession: Bool = true,
            descriptors: [(child: Int32, parent: Int32)] = []
        ) {
            self.executable = executable
            self.arguments = arguments
            self.environment = environment
            self.workingDirectory = workingDirectory
            self.stdin = stdin
            self.stdout = stdout
            self.stderr = stderr
            self.newSession = newSession
            self.descriptors = descriptors
        }
    }

    /// What a finished process left.
    package struct Output: Sendable {
        package let status: ExitStatus
        /// Empty unless captured.
        package let stdout: [UInt8]
        package let stderr: [UInt8]
        /// More came than the limit allowed to keep.
        package let isTruncated: Bool

        package var stdoutText: String { String(decoding: stdout, as: UTF8.self) }
        package var stderrText: String { String(decoding: stderr, as: UTF8.self) }
    }
}
