import Glibc
import HTTPTypes
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import NIOLibuv
import NIOSSL
import UVLoop

/// The sockets: accepts, speaks HTTP/1.1 (Hummingbird's channel over NIO's codecs), and hands each request to the responder.
@LoopActor
final class Connections {
    private let responder: Responder
    private let configuration: ControlPlaneConfiguration
    private let logger: Logger
    private var servers: [ConnectionServer<HTTP1Channel.Value>] = []
    /// One for each open connection.
    private var hangUps: [ObjectIdentifier: HangUp] = [:]
    /// Of connections over a Unix socket: whose they are.
    private var peers: [ObjectIdentifier: Principal] = [:]
    private var isClosing = false

    init(responder: Responder, configuration: ControlPlaneConfiguration, logger: Logger) {
        self.responder = responder
        self.configuration = configuration
        self.logger = logger
    }

    var count: Int { hangUps.count }
    var addresses: [ListenAddress] { servers.map(\.localAddress) }

    /// - Parameter tls: for TCP; nil: none.
    func listen(on address: ListenAddress, tls: TLSKeeper?) throws(LoopError) {
        let isLoopback = Self.isLoopback(address)
        let tls = Self.isSocket(address) ? nil : tls
        let logger = self.logger
        var http = HTTP1Channel.Configuration(
            additionalChannelHandlers: [
                EndOfInput { [weak self] channel in self?.hangUps[ObjectIdentifier(channel)]?.happen() }
            ],
            idleTimeout: .nanoseconds(configuration.idleTimeout.clampedNanoseconds))
        http.httpDecoder = .init(maxHeaderFieldSize: 16 << 10, maxHeaderListSize: 64 << 10, maxHeaderFieldCount: 100)
        let channel = HTTP1Channel(
            responder: { [self] request, writer, channel in
                let (exchange, isWelcome) = await begin(request, channel, isLoopback: isLoopback)
                if isWelcome { try await writer.writeInformationalHead(HTTPResponse(status: .continue)) }
                var response = try await responder.respond(to: request.head, exchange: exchange)
                let closes = await isClosing
                if closes { response.headers[.connection] = "close" }
                let body = await exchange.timed(response.body)
                try await writer.write(response: response.head, body: body)
                await exchange.answered()
                // A client that still sends must be read, or it would be reset before it sees the answer.
                let isDrained = try await exchange.drain(bound: 4 << 20)
                if closes || !isDrained { throw ConnectionIsOver() }
            }, configuration: http)
        servers.append(
            try ConnectionServer(
                on: address, maxConnections: configuration.maxConnections,
                setup: { [self] connection in
                    let fault: (any Error)? = LoopActor.assumeIsolated {
                        opened(connection)
                        return Self.secure(connection, tls)
                    }
                    if let fault { return connection.eventLoop.makeFailedFuture(fault) }
                    return channel.setup(channel: connection, logger: logger)
                },
                handle: { await channel.handle(value: $0, logger: logger) }))
    }

    /// The first handler of a channel, so that all others see what was said and not what was sent.
    private static func secure(_ channel: any Channel, _ tls: TLSKeeper?) -> (any Error)? {
        guard let tls else { return nil }
        do {
            try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tls.current().context))
            return nil
        } catch {
            return error
        }
    }

    /// Takes nothing new, lets what is under way finish, and cuts off what is left after `grace`.
    func shutdown(grace: Duration) async {
        isClosing = true
        // Streams would go on for ever.
        for hangUp in hangUps.values { hangUp.happen() }
        for server in servers { await server.shutdown(within: grace) }
        servers = []
    }

    private func opened(_ channel: any Channel) {
        let id = ObjectIdentifier(channel)
        let hangUp = HangUp()
        hangUps[id] = hangUp
        peers[id] = (channel as? LibuvStreamChannel).flatMap(principal)
        channel.closeFuture.whenComplete { [weak self] _ in
            LoopActor.assumeIsolated {
                hangUp.happen()
                self?.hangUps[id] = nil
                self?.peers[id] = nil
            }
        }
    }

    /// Whom a rule names. Attempts in a sandbox have the host's user where that is not root, and are nobody all the same.
    private func principal(_ channel: LibuvStreamChannel) -> Principal? {
        guard let peer = channel.peer else { return nil }
        if peer.uid == geteuid(), peer.uid != 0,
            PeerSandbox.confines(peer.pid, isStillThere: { channel.isPeerAlive })
        {
            return nil
        }
        return Principal(peer, configuration.peers)
    }

    /// - Returns: also whether the client waits for a word to send its body, and should get it.
    private func begin(_ request: Request, _ channel: any Channel, isLoopback: Bool) async -> (Exchange, Bool) {
        let hangUp = hangUps[ObjectIdentifier(channel)] ?? HangUp()
        let address = channel.remoteAddress?.ipAddress ?? "unix"
        let exchange = Exchange(
            id: RequestID.make(),
            visitor: .init(
                address: address, isOnLoopback: isLoopback, peer: peers[ObjectIdentifier(channel)]), hangUp: hangUp,
            body: request.body)
        exchange.limit(body: configuration.bodyTimeout) { channel.close(promise: nil) }
        guard request.headers[.expect]?.lowercased() == "100-continue" else { return (exchange, false) }
        let isWelcome = await responder.welcomesBody(of: request.head, exchange)
        exchange.isHoldingBack = !isWelcome
        return (exchange, isWelcome)
    }

    private static func isSocket(_ address: ListenAddress) -> Bool {
        guard case .unix = address else { return false }
        return true
    }

    private static func isLoopback(_ address: ListenAddress) -> Bool {
        guard case .ip(let host, _) = address else { return false }
        return host.hasPrefix("127.") || host == "::1"
    }
}

/// Tells when the client has closed its side. It may still read what is on its way, as `nc` does, but a closed connection looks
/// the same: nobody is waited for any longer.
private final class EndOfInput: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = Any

    private let tell: @LoopActor @Sendable (any Channel) -> Void

    init(_ tell: @escaping @LoopActor @Sendable (any Channel) -> Void) { self.tell = tell }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event as? ChannelEvent == .inputClosed {
            let (channel, tell) = (context.channel, self.tell)
            LoopActor.assumeIsolated { tell(channel) }
        }
        context.fireUserInboundEventTriggered(event)
    }
}

/// Thrown to end a connection after its last answer was written.
private struct ConnectionIsOver: Error {}

/// Names a request in logs and answers.
enum RequestID {
    private static let alphabet = Array("0123456789abcdefghjkmnpqrstvwxyz".unicodeScalars)

    static func make() -> String {
        var text = "req_"
        var bits = UInt64.random(in: .min ... .max)
        for _ in 0..<12 {
            text.unicodeScalars.append(alphabet[Int(bits & 31)])
            bits >>= 5
        }
        return text
    }
}
