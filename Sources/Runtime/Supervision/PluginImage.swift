package import JobCore

/// One version of a plugin in the content store. Nobody writes to the file any more.
package struct PluginImage: Sendable, Hashable {
    /// Of the bytes, in hexadecimal, or any other text that is unique to them: the version's name.
    package var sha256: String
    package var path: String
    /// Size of the file, compared before it is mapped: a truncated map is a SIGBUS.
    package var bytes: UInt64
    /// Text that the plugin gets through the extension `pawl.config/1`; nil: none.
    package var configuration: String?
    /// What to call it in messages before its own name is known.
    package var nameHint: String
    /// Of the file when its bytes were compared with their name; nil: nobody has. A process is not started from a file that has
    /// changed since.
    package var seal: FileSeal?
    /// The trusted key that has signed it, in base64; nil: none.
    package var signedBy: String?
    /// The signature itself, 64 bytes.
    package var signature: [UInt8]?
    /// JSON text that the file says of itself without being loaded; nil: nothing.
    package var note: String?

    package init(
        sha256: String, path: String, bytes: UInt64, configuration: String? = nil, nameHint: String,
        seal: FileSeal? = nil
    ) {
        self.sha256 = sha256
        self.path = path
        self.bytes = bytes
        self.configuration = configuration
        self.nameHint = nameHint
        self.seal = seal
    }

    /// Whether the file is as it was when its bytes were compared with their name.
    package var isIntact: Bool { self.seal == nil || FileSeal(of: self.path) == self.seal }
}

/// What a plugin says of itself, as its zygote read it.
package struct PluginManifest: Sendable, Hashable {
    package enum ForkMode: String, Sendable {
        /// A raw clone3 straight into the cgroup.
        case clone3
        /// Through the C library, for pthread_atfork.
        case glibc
        /// Every child loads the plugin afresh.
        case spawn
    }

    /// PAWL_PF_REUSABLE: a child may run several attempts, one after the other.
    package static let reusable: UInt64 = 1

    package var name: String
    /// For people; the version's name is its hash.
    package var version: String
    /// Of the header it was built with.
    package var abiMajor: Int
    package var abiMinor: Int
    /// PAWL_PF_*.
    package var flags: UInt64
    /// In the plugin's order: the position is the handler's index.
    package var handlers: [HandlerManifest]
    package var forkMode: ForkMode
    /// Threads in the zygote after loading; more than one rules out forking.
    package var threads: Int
    /// Resident size of the zygote after loading.
    package var rssBytes: UInt64
    /// dlopen, entry, init and prefork together.
    package var loadTime: Duration
    /// What the zygote or the plugin had to say while loading.
    package var notes: [String]

    package init(
        name: String, version: String, abiMajor: Int, abiMinor: Int, flags: UInt64, handlers: [HandlerManifest],
        forkMode: ForkMode = .clone3, threads: Int = 1, rssBytes: UInt64 = 0, loadTime: Duration = .zero,
        notes: [String] = []
    ) {
        self.name = name
        self.version = version
        self.abiMajor = abiMajor
        self.abiMinor = abiMinor
        self.flags = flags
        self.handlers = handlers
        self.forkMode = forkMode
        self.threads = threads
        self.rssBytes = rssBytes
        self.loadTime = loadTime
        self.notes = notes
    }
}

package struct HandlerManifest: Sendable, Hashable {
    /// Dotted, e.g. `csv.to_jsonl`.
    package var name: String
    package var description: String?
    /// JSON Schema 2020-12 as text; nil: anything.
    package var argsSchema: String?
    package var resultSchema: String?
    /// What the plugin proposes; settings of the host override them.
    package var limits: Limits

    package init(
        name: String, description: String? = nil, argsSchema: String? = nil, resultSchema: String? = nil,
        limits: Limits = Limits()
    ) {
        self.name = name
        self.description = description
        self.argsSchema = argsSchema
        self.resultSchema = resultSchema
        self.limits = limits
    }
}

/// Why a version cannot be served. The zygote found out, or died of it; the host itself is never at risk.
package struct PluginRefusal: Error, Sendable, Hashable, CustomStringConvertible {
    package enum Reason: Sendable, Hashable {
        /// The image cannot be opened, or has changed its size.
        case open
        /// No ELF shared object, truncated, or for another machine.
        case elf
        /// The loader's words are the message.
        case dlopen
        /// No `pawl_plugin_entry`, or it returned NULL.
        case entry
        /// Another major version of the ABI.
        case abi
        /// A member of the descriptor is out of its range.
        case descriptor
        /// `init` or `prefork` failed.
        case initialization
        /// Host and zygote are not of one build, or the zygote broke the protocol.
        case protocolFault
        /// Loading it killed the zygote.
        case crashed(signal: Int32)
        /// Loading it did not end in time.
        case timedOut
        /// Loading it made the zygote exit.
        case exited(code: Int32)
        /// The zygote could not be started, or was told to go.
        case unavailable

        /// Stable word for programs.
        package var code: String {
            switch self {
            case .open: "open"
            case .elf: "elf"
            case .dlopen: "dlopen"
            case .entry: "entry"
            case .abi: "abi"
            case .descriptor: "descriptor"
            case .initialization: "init"
            case .protocolFault: "protocol"
            case .crashed: "crashed"
            case .timedOut: "timed_out"
            case .exited: "exited"
            case .unavailable: "unavailable"
            }
        }
    }

    package var reason: Reason
    /// One sentence for people.
    package var message: String

    package init(reason: Reason, message: String) {
        self.reason = reason
        self.message = message
    }

    package var description: String { message }
}
