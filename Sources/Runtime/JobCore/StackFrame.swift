/// One place in code, as far as it could be named.
package struct StackFrame: Hashable, Sendable {
    package var address: UInt64
    /// File that the code came from; nil: not from a file.
    package var module: String?
    /// GNU build id of the module, hexadecimal.
    package var buildID: String?
    /// Of the address in the module, as its symbols count.
    package var offset: UInt64?
    /// Demangled.
    package var function: String?
    package var file: String?
    package var line: Int?
    /// The compiler put this function into the next frame's code.
    package var isInlined: Bool

    package init(
        address: UInt64, module: String? = nil, buildID: String? = nil, offset: UInt64? = nil, function: String? = nil,
        file: String? = nil, line: Int? = nil, isInlined: Bool = false
    ) {
        self.address = address
        self.module = module
        self.buildID = buildID
        self.offset = offset
        self.function = function
        self.file = file
        self.line = line
        self.isInlined = isInlined
    }
}

/// A file mapped into a process: which addresses come from where.
package struct MappedModule: Hashable, Sendable {
    package var start: UInt64
    /// One past the last.
    package var end: UInt64
    /// Of `start` in the file.
    package var fileOffset: UInt64
    package var path: String
    /// GNU build id of the file that was mapped, hexadecimal; the file at the path may be another one by now.
    package var buildID: String?

    package init(start: UInt64, end: UInt64, fileOffset: UInt64, path: String, buildID: String? = nil) {
        self.start = start
        self.end = end
        self.fileOffset = fileOffset
        self.path = path
        self.buildID = buildID
    }
}

/// A register of the crashing thread.
package struct RegisterValue: Hashable, Sendable {
    package var name: String
    package var value: UInt64

    package init(name: String, value: UInt64) {
        self.name = name
        self.value = value
    }
}
