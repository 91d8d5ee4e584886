/// One shared library with its handlers: what an author marks with `@main`.
///
/// ```swift
/// import PluginKit
///
/// @main
/// struct HelloPlugin: Plugin {
///     static let name = "hello"
///     static let version = "1.0.0"
///     static var handlers: [any Handler] { Hello() }
/// }
/// ```
///
/// The hooks below run in the zygote, the process that loads the library once and forks a child per attempt. A fork takes
/// only one thread along, so nothing in the zygote may start one: no `Task`, no Dispatch queue, no connection.
public protocol Plugin: SendableMetatype {
    /// The plugin's name: `[a-z0-9_.-]+`, at most 64 bytes.
    static var name: String { get }

    /// The version for people, e.g. `"1.4.2"`, at most 64 bytes. Pawl itself tells versions apart by their bytes.
    static var version: String { get }

    /// The handlers, 1 to 1,000. Asked once, in the zygote. The values live until the process ends and are shared by
    /// attempts only as copies in their own child processes.
    @HandlerBuilder static var handlers: [any Handler] { get }

    /// What the host must know before it forks; nothing by default.
    static var options: PluginOptions { get }

    /// Once, in the zygote: read configuration, build tables that only get read. What it throws refuses the plugin and is
    /// shown to the operator. No threads, no connections.
    static func load() throws

    /// Once, in the zygote, after `load()`: touch what every attempt needs, so that children inherit it warm. The JSON
    /// coders of all handlers are already warm. No threads, no connections.
    static func warmUp()

    /// First thing in every child, on the worker thread: open connections, start threads, reseed generators of your own
    /// (children of one zygote share its memory; `SystemRandomNumberGenerator` asks the kernel and needs nothing). What it
    /// throws gives the attempt to another child and reports the plugin.
    static func childStart() throws
}

extension Plugin {
    public static var options: PluginOptions { [] }
    public static func load() throws {}
    public static func warmUp() {}
    public static func childStart() throws {}

    /// What `@main` calls; `pawl_plugin_entry` in turn calls that. Never called by an author.
    public static func main() {
        Loading.adopt(Self.self)
    }
}

/// What the host must know about a plugin before it forks a child (`PAWL_PF_*`).
public struct PluginOptions: OptionSet, Sendable {
    public let rawValue: UInt64

    public init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    /// A child may run several attempts, one after the other: the handlers leave nothing behind.
    public static let reusable = PluginOptions(rawValue: 1)
    /// The plugin relies on `pthread_atfork` handlers.
    public static let needsAtFork = PluginOptions(rawValue: 2)
    /// The plugin must not be forked once loaded, e.g. because a library it uses starts threads at load. Every attempt
    /// loads it afresh, which costs a few milliseconds.
    public static let noFork = PluginOptions(rawValue: 4)
    /// `@MainActor` and the main dispatch queue must run.
    public static let needsMainQueue = PluginOptions(rawValue: 8)
}

/// Makes `static var handlers` a list without brackets.
@resultBuilder
public enum HandlerBuilder {
    public static func buildExpression(_ handler: any Handler) -> [any Handler] { [handler] }
    public static func buildExpression(_ handlers: [any Handler]) -> [any Handler] { handlers }
    public static func buildBlock(_ parts: [any Handler]...) -> [any Handler] { parts.flatMap { $0 } }
    public static func buildOptional(_ part: [any Handler]?) -> [any Handler] { part ?? [] }
    public static func buildEither(first part: [any Handler]) -> [any Handler] { part }
    public static func buildEither(second part: [any Handler]) -> [any Handler] { part }
    public static func buildArray(_ parts: [[any Handler]]) -> [any Handler] { parts.flatMap { $0 } }
}
