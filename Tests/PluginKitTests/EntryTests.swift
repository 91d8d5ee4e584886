import PluginABI
import Synchronization
import Testing

@testable import PluginKit

private struct Echo: Handler {
    static let name = "test.echo"
    static let summary = "Gives its args back."
    static let limits = Limits(attempts: 2, wall: .seconds(90), cpu: .microseconds(1), memoryBytes: 1 << 30)
    func run(_ args: Name, _ context: Context) async throws -> Name { args }
}

private struct Nothing: Handler {
    static let name = "test.nothing"
    func run(_ args: NoArgs, _ context: Context) async throws -> NoResult { NoResult() }
}

private struct GoodPlugin: Plugin {
    static let name = "good"
    static let version = "1.2.3"
    static let options: PluginOptions = [.reusable, .needsMainQueue]
    static var handlers: [any Handler] {
        Echo()
        if Self.version == "1.2.3" { Nothing() }
    }
    static let calls = Mutex<[String]>([])
    static func load() { self.calls.withLock { $0.append("load") } }
    static func warmUp() { self.calls.withLock { $0.append("warmUp") } }
    static func childStart() { self.calls.withLock { $0.append("childStart") } }
}

private struct BadPlugin: Plugin {
    static let name = "bad"
    static let version = "1"
    static var handlers: [any Handler] { Nothing() }
    static func load() throws { throw JobFailure("no_dictionary", "the dictionary is missing") }
}

private struct SlipPlugin: Plugin {
    static let name = "slip"
    static let version = "1"
    static var handlers: [any Handler] {
        Nothing()
        Slip()
    }
    private struct Slip: Handler {
        static let name = "test.slip"
        static let argsSchema = Schema.derived.describe("nmae", "Who")
        func run(_ args: Name, _ context: Context) async throws -> NoResult { NoResult() }
    }
}

/// The way of a plugin from the entry to its hooks. Serialised: there is one plugin per process.
@Suite(.serialized) struct EntryTests {
    private let size = UInt32(MemoryLayout<pawl_host>.size)

    private func enter(
        size: UInt32? = nil, _ main: @escaping @Sendable () -> Void
    ) -> UnsafePointer<pawl_plugin>? {
        PluginFile.loading.withLock { _ in
            ImmortalPointer(
                Loading.enter(FakeHost.table, major: PAWL_ABI_MAJOR, size: size ?? self.size, main: main))
        }.pointer
    }

    @Test func theDescriptorSaysWhatTheAuthorSaid() async throws {
        let plugin = try #require(self.enter(GoodPlugin.main)).pointee
        #expect(plugin.struct_size == MemoryLayout<pawl_plugin>.size)
        #expect(plugin.abi_major == PAWL_ABI_MAJOR)
        #expect(plugin.handler_size == MemoryLayout<pawl_handler>.size)
        #expect(plugin.flags == 1 | 8)
        #expect(String(cString: plugin.name) == "good")
        #expect(String(cString: plugin.version) == "1.2.3")
        #expect(plugin.handler_count == 2)

        let echo = plugin.handlers[0]
        #expect(String(cString: echo.name) == "test.echo")
        #expect(String(cString: echo.description) == "Gives its args back.")
        #expect(String(cString: echo.args_schema).contains(#""required":["name"]"#))
        #expect(echo.limits.pointee.struct_size == MemoryLayout<pawl_limits>.size)
        #expect(echo.limits.pointee.attempts == 2)
        #expect(echo.limits.pointee.wall_ms == 90_000)
        #expect(echo.limits.pointee.cpu_ms == 1)
        #expect(echo.limits.pointee.memory_bytes == 1 << 30)
        #expect(echo.limits.pointee.open_files == 0)
        #expect(plugin.handlers[1].limits == nil)
        #expect(plugin.handlers[1].description == nil)
        #expect(plugin.handlers[1].result_schema == nil)
    }

    @Test func theHooksAreCalled() throws {
        let plugin = try #require(self.enter(GoodPlugin.main)).pointee
        GoodPlugin.calls.withLock { $0 = [] }
        #expect(plugin.`init`(FakeHost.table) == PAWL_OK)
        #expect(plugin.prefork() == PAWL_OK)
        #expect(plugin.child_start() == PAWL_OK)
        #expect(GoodPlugin.calls.withLock { $0 } == ["load", "warmUp", "childStart"])
    }

    @Test func handlersRunThroughTheDescriptor() async throws {
        let plugin = try #require(self.enter(GoodPlugin.main))
        let fake = FakeAttempt()
        let box = ImmortalPointer(plugin)
        let status = await onThread { fake.run(box.pointer!, 0, args: #"{"name":"x"}"#) }
        #expect(status == PAWL_OK)
        #expect(fake.record.json == #"{"name":"x"}"#)
    }

    @Test func whatLoadThrowsRefusesThePluginInItsWords() throws {
        let plugin = try #require(self.enter(BadPlugin.main))
        let initialise = try #require(plugin.pointee.`init`)
        let (status, words) = PluginFile.loading.withLock { _ in
            FakeHost.complaints.withLock { $0 = [] }
            return (initialise(FakeHost.table), FakeHost.complaints.withLock { $0 })
        }
        #expect(status == PAWL_E_FAILED)
        #expect(words == ["the dictionary is missing"])
    }

    @Test func aNoteAboutNothingRefusesThePluginInWords() {
        let size = self.size
        let words = PluginFile.loading.withLock { _ in
            FakeHost.complaints.withLock { $0 = [] }
            let plugin = Loading.enter(FakeHost.table, major: PAWL_ABI_MAJOR, size: size, main: SlipPlugin.main)
            return plugin == nil ? FakeHost.complaints.withLock { $0 } : ["loaded"]
        }
        #expect(words == [#"slip: there is a note about "nmae" of Name, which has name, times"#])
    }

    @Test func hostsOfAnotherMajorOrTooSmallAreRefused() {
        #expect(Loading.enter(FakeHost.table, major: PAWL_ABI_MAJOR + 1, size: self.size, main: GoodPlugin.main) == nil)
        #expect(self.enter(size: self.size - 8, GoodPlugin.main) == nil)
        #expect(Loading.enter(nil, major: PAWL_ABI_MAJOR, size: self.size, main: GoodPlugin.main) == nil)
        #expect(self.enter {} == nil)
    }

    @Test func theLastPositionIsToldToTheHost() async throws {
        let plugin = try #require(self.enter(GoodPlugin.main)).pointee
        #expect(plugin.get_extension("pawl.nothing/9") == nil)
        let table = try #require(plugin.get_extension("pawl.position/1"))
        #expect(table.load(as: UInt32.self) == 16)
        typealias Position = @convention(c) (UnsafeMutablePointer<UInt32>?) -> UnsafePointer<CChar>?
        let position = table.load(fromByteOffset: 8, as: Position.self)
        _ = await attempt(FakeAttempt()) { (_: NoArgs, context) in
            context.stage("here", file: "Some/File.swift", line: 42)
            return NoResult()
        }
        // Other suites run meanwhile and move it on; it names some call all the same.
        var line: UInt32 = 0
        let file = try #require(position(&line))
        #expect(String(cString: file).hasSuffix(".swift"))
        #expect(line > 0)
    }
}

/// Carries a pointer between threads: what it points to is immortal and only read.
private struct ImmortalPointer: @unchecked Sendable {
    let pointer: UnsafePointer<pawl_plugin>?
    init(_ pointer: UnsafePointer<pawl_plugin>?) { self.pointer = pointer }
}
