import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import UVLoop

/// One request and its answer on the way through Hummingbird's router.
@LoopActor
final class Exchange {
    let id: String
    let visitor: Gate.Visitor
    let hangUp: HangUp
    /// The pattern of the path, once the router has found it.
    var route: String?
    private var source: BodySource

    enum BodySource {
        case bytes([UInt8])
        /// Nil while it is being read.
        case stream(RequestBody.AsyncIterator?)
        case done
    }

    /// The client waits for `100 Continue` before it sends the body, and we did not say so: it has sent nothing.
    var isHoldingBack = false
    private var isBroken = false
    /// Ends the connection when the client is too slow.
    private let clock = LoopTimer()
    private var bodyLimit = Duration.zero
    private var abort: (@Sendable () -> Void)?
    /// A client that does not take an answer, or a piece of one, within this time is given up.
    private static let writeLimit = Duration.seconds(300)

    init(id: String, visitor: Gate.Visitor, hangUp: HangUp = HangUp(), body: [UInt8]) {
        self.id = id
        self.visitor = visitor
        self.hangUp = hangUp
        source = .bytes(body)
    }

    init(id: String, visitor: Gate.Visitor, hangUp: HangUp, body: RequestBody) {
        self.id = id
        self.visitor = visitor
        self.hangUp = hangUp
        source = .stream(body.makeAsyncIterator())
    }

    /// The whole body. Throws 413 as soon as there is more than `limit`.
    func collect(limit: Int, declared: Int?) async throws -> [UInt8] {
        if let declared, declared > limit { throw Self.tooLarge(limit) }
        switch source {
        case .bytes(let bytes):
            source = .done
            guard bytes.count <= limit else { throw Self.tooLarge(limit) }
            return bytes
        case .stream:
            startClock(bodyLimit)
            defer { clock.stop() }
            var bytes: [UInt8] = []
            while let piece = try await next() {
                guard bytes.count + piece.readableBytes <= limit else { throw Self.tooLarge(limit) }
                bytes.append(contentsOf: piece.readableBytesView)
            }
            return bytes
        case .done:
            return []
        }
    }

    /// The body piece by piece, at most `limit` bytes in all. The client may take as long as it likes, if each piece comes in
    /// its time.
    func pieces(limit: Int, declared: Int?) throws(Problem) -> Call.Pieces {
        if let declared, declared > limit { throw Self.tooLarge(limit) }
        var taken = 0
        return { [self] in
            if case .bytes(let bytes) = source {
                source = .done
                guard bytes.count <= limit else { throw Self.tooLarge(limit) }
                return bytes.isEmpty ? nil : bytes
            }
            startClock(bodyLimit)
            defer { clock.stop() }
            guard let piece = try await next() else { return nil }
            taken += piece.readableBytes
            guard taken <= limit else { throw Self.tooLarge(limit) }
            return Array(piece.readableBytesView)
        }
    }

    /// From now on the client has `limit` to send its body, and some minutes to take each piece of the answer; else `abort`.
    func limit(body limit: Duration, abort: @escaping @Sendable () -> Void) {
        bodyLimit = limit
        self.abort = abort
    }

    /// The same body, with a limit on the time that the client takes for it.
    func timed(_ body: ResponseBody) -> ResponseBody {
        guard body.contentLength == nil else {
            startClock(Self.writeLimit)
            return body
        }
        return body.map { [self] piece in
            // A piece is asked for when the one before is out.
            await startClock(Self.writeLimit)
            return piece
        }
    }

    func answered() {
        clock.stop()
        abort = nil
    }

    private func startClock(_ limit: Duration) {
        guard let abort else { return }
        clock.start(after: limit) { abort() }
    }

    /// Reads on what nobody wanted, so that the client, still sending, gets its answer instead of a reset connection.
    /// - Returns: false if it sends more than `bound` bytes.
    func drain(bound: Int) async throws -> Bool {
        if isHoldingBack || isBroken { return false }
        var left = bound
        while let piece = try await next() {
            left -= piece.readableBytes
            if left < 0 { return false }
        }
        return true
    }

    private func next() async throws -> ByteBuffer? {
        guard case .stream(let held) = source, var iterator = held else { return nil }
        source = .stream(nil)
        let piece: ByteBuffer?
        do {
            piece = try await iterator.next(isolation: LoopActor.shared)
        } catch {
            // No chunk, or no end: where the next request begins nobody knows.
            source = .done
            isBroken = true
            throw Problem(.badRequest, "malformed_body", "The body is not framed as HTTP wants it.")
        }
        source = piece == nil ? .done : .stream(iterator)
        return piece
    }

    private static func tooLarge(_ limit: Int) -> Problem {
        Problem(.contentTooLarge, "body_too_large", "The body has more than \(limit) bytes.")
    }
}

/// What Hummingbird hands to a route beside the request.
struct ExchangeContext: RequestContext {
    struct Source: RequestContextSource {
        let exchange: Exchange
        let logger: Logger
    }

    var coreContext: CoreRequestContextStorage
    let exchange: Exchange

    init(source: Source) {
        coreContext = CoreRequestContextStorage(source: source)
        exchange = source.exchange
    }
}
