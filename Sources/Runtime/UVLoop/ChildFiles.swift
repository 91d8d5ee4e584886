internal import CLinux
internal import Glibc

/// The descriptors of a child that is about to start. Our copies are above any number the child uses, so that no entry
/// of its table overwrites the source of another; `closeParentSide()` ends them.
@LoopActor
struct ChildFiles {
    private(set) var stdout: OutputPipe?
    private(set) var stderr: OutputPipe?
    /// What descriptor i of the child is made from; -1 for none. All ours to close.
    private var table: [Int32]
    private static let highest: Int32 = 63

    init(_ spec: ChildProcess.Spec) throws(LoopError) {
        let count = (spec.descriptors.map(\.child).max() ?? 2) + 1
        precondition(
            count <= Self.highest + 1 && spec.descriptors.allSatisfy { $0.child > 2 },
            "more descriptors of a child are numbered 3 to \(Self.highest)")
        table = Array(repeating: -1, count: Int(count))
        do {
            try add(spec.stdin)
            stdout = try add(spec.stdout, as: STDOUT_FILENO)
            stderr = try add(spec.stderr, as: STDERR_FILENO)
            for (child, parent) in spec.descriptors { try copy(parent, as: child) }
        } catch {
            closeParentSide()
            throw error
        }
    }

    mutating func closeParentSide() {
        for fd in table where fd >= 0 { close(fd) }
        table = []
    }

    func spawn(_ spec: ChildProcess.Spec) throws(LoopError) -> pid_t {
        let arguments = CStrings([spec.executable] + spec.arguments)
        let environment = CStrings(spec.environment.map { "\($0.key)=\($0.value)" })
        let result = spec.executable.withCString { path in
            withOptionalCString(spec.workingDirectory) { directory in
                table.withUnsafeBufferPointer { table in
                    var request = linux_spawn_request(
                        path: path, argv: arguments.pointers, envp: environment.pointers, directory: directory,
                        parent_fds: table.baseAddress, fd_count: table.count,
                        flags: spec.newSession ? UInt32(LINUX_SPAWN_SETSID) : 0)
                    return linux_spawn(&request)
                }
            }
        }
        return try checked(result, "start \(spec.executable)")
    }

    private mutating func add(_ input: ChildProcess.Input) throws(LoopError) {
        switch input {
        case .null: try openNull(O_RDONLY, as: STDIN_FILENO)
        case .descriptor(let fd): try copy(fd, as: STDIN_FILENO)
        case .bytes(let bytes):
            let file = try checked(linux_memfd("stdin"), "make a file in memory")
            defer { close(file) }
            var written = 0
            while written < bytes.count {
                let count = bytes.withUnsafeBytes {
                    write(file, $0.baseAddress?.advanced(by: written), $0.count - written)
                }
                guard count >= 0 || errno == EINTR else { throw .last("fill a file in memory") }
                written += max(count, 0)
            }
            lseek(file, 0, SEEK_SET)
            try copy(file, as: STDIN_FILENO)
        }
    }

    private mutating func add(_ target: ChildProcess.OutputTarget, as child: Int32) throws(LoopError) -> OutputPipe? {
        switch target {
        case .null: try openNull(O_WRONLY, as: child)
        case .inherit: try copy(child, as: child)
        case .descriptor(let fd): try copy(fd, as: child)
        case .capture(let limit): return try openPipe(limit: limit, handler: nil, as: child)
        case .stream(let handler): return try openPipe(limit: 0, handler: handler, as: child)
        }
        return nil
    }

    private mutating func openPipe(
        limit: Int, handler: (@LoopActor @Sendable ([UInt8]) -> Void)?, as child: Int32
    ) throws(LoopError) -> OutputPipe {
        let (pipe, writeEnd) = try OutputPipe.open(limit: limit, handler: handler)
        defer { close(writeEnd) }
        try copy(writeEnd, as: child)
        return pipe
    }

    private mutating func openNull(_ mode: Int32, as child: Int32) throws(LoopError) {
        let null = open("/dev/null", mode | O_CLOEXEC)
        guard null >= 0 else { throw .last("open /dev/null") }
        defer { close(null) }
        try copy(null, as: child)
    }

    private mutating func copy(_ fd: Int32, as child: Int32) throws(LoopError) {
        let copy = fcntl(fd, F_DUPFD_CLOEXEC, Self.highest + 1)
        guard copy >= 0 else { throw .last("duplicate descriptor \(fd)") }
        let old = table[Int(child)]
        if old >= 0 { close(old) }
        table[Int(child)] = copy
    }
}

/// A NULL-terminated array of C strings that lives as long as this object.
private final class CStrings {
    let pointers: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
    private let count: Int

    init(_ strings: [String]) {
        count = strings.count
        pointers = .allocate(capacity: count + 1)
        for (index, string) in strings.enumerated() { (pointers + index).initialize(to: strdup(string)) }
        (pointers + count).initialize(to: nil)
    }

    deinit {
        for index in 0..<count { free(pointers[index]) }
        pointers.deallocate()
    }
}

private func withOptionalCString<R>(_ string: String?, _ body: (UnsafePointer<CChar>?) -> R) -> R {
    guard let string else { return body(nil) }
    return string.withCString(body)
}
