package import JobStore
package import Logging
package import NIOLibuv
package import UVLoop

/// The HTTP side of a host: everything that programs, shells and the page see.
///
/// From the socket inward: `Connections` (HTTP/1.1 on the loop) → `Responder` (route, gate, body, problems) → `Backend` (what
/// the routes do, on the store and the host). Routes know no transport.
@LoopActor
package final class ControlPlane {
    private let backend: Backend
    var gate: Gate { backend.gate }
    let responder: Responder
    private let connections: Connections
    private let configuration: ControlPlaneConfiguration
    private let logger: Logger
    private var tls: TLSKeeper?

    /// - Parameters:
    ///   - store: started; may have no database yet.
    ///   - host: not kept alive by us; must outlive us.
    package init(
        _ configuration: ControlPlaneConfiguration, store: JobStore, host: any HostControl, logger: Logger
    ) {
        self.configuration = configuration
        self.logger = logger
        let keys = Keys(adminToken: configuration.adminToken)
        let gate = Gate(
            keys: keys, tokens: TokenBook(store: store),
            jwt: configuration.jwt.map {
                JWTBook(rules: $0, logger: logger, fetcher: configuration.keyFetcher)
            }, allowedHosts: configuration.allowedHosts,
            hasTLS: configuration.tls != nil)
        let backend = Backend(
            configuration: configuration, store: store, host: host, keys: keys, gate: gate, logger: logger)
        let responder = Responder(
            routes: Self.routes(of: backend), gate: gate,
            limits: .init(
                body: configuration.bodyLimitBytes, batch: configuration.batchBodyLimitBytes,
                upload: configuration.uploadLimitBytes),
            logger: logger, resource: { [unowned backend] in try await backend.resource(of: $0, $1) },
            audit: { [unowned backend] in await backend.record($0, $1, of: $2, result: $3) })
        let connections = Connections(responder: responder, configuration: configuration, logger: logger)
        self.backend = backend
        self.responder = responder
        self.connections = connections
        backend.ownMetrics = { [unowned self] in ownMetrics }
    }

    /// Listens everywhere, or nowhere.
    /// - Returns: the addresses with the ports that the system chose.
    package func start() throws(ControlPlaneError) -> [ListenAddress] {
        precondition(!configuration.listen.isEmpty, "nowhere to listen")
        UploadFile.sweep(configuration.uploadDirectory)
        do throws(TLSFault) {
            if let files = configuration.tls { tls = try TLSKeeper(files, logger: logger) }
        } catch {
            throw ControlPlaneError(description: "\(error)")
        }
        for address in configuration.listen {
            do throws(LoopError) {
                try connections.listen(on: address, tls: tls)
            } catch {
                throw ControlPlaneError(description: "cannot listen on \(address): \(error)")
            }
        }
        gate.jwt?.begin()
        return connections.addresses
    }

    /// Reads the certificate and its key anew, now. Open connections keep the old one.
    package func reloadCertificate() { tls?.reload() }

    private var ownMetrics: [MetricFamily] {
        var families = responder.meter.families
        families.append(
            MetricFamily("pawl_http_connections", "Open connections.", .gauge, Double(connections.count)))
        return families + (tls?.families ?? []) + (gate.jwt?.families ?? [])
    }

    /// A ticket that signs a browser in once, within a quarter of an hour: `http://ADDRESS/login?ticket=…`.
    package func loginTicket() -> String { backend.gate.sessions.makeTicket(for: .admin) }

    /// Accepts no more, ends streams, lets requests finish, and cuts off what is left after `grace`.
    package func shutdown(grace: Duration) async { await connections.shutdown(grace: grace) }

    private static func routes(of backend: Backend) -> [Route] {
        var routes =
            backend.creatingRoutes + backend.readingRoutes + backend.logRoutes + backend.actingRoutes
            + backend.retryingRoutes + backend.clearingRoutes + backend.bulkRoutes
            + backend.catalogRoutes + backend.ruleRoutes + backend.hostRoutes + backend.scheduleRoutes
            + backend.safetyRoutes + backend.systemRoutes + backend.statsRoutes
            + backend.overviewRoutes + backend.pageRoutes + backend.liveRoutes + backend.settingRoutes
            + backend.definitionRoutes + backend.errorGroupRoutes + backend.quarantineRoutes + backend.pluginByteRoutes
            + backend.explainRoutes
            + backend.pluginRoutes + backend.pluginOrderRoutes + backend.pluginUploadRoutes
            + backend.tokenRoutes + backend.auditRoutes + backend.calendarRoutes + backend.stateRoutes
            + backend.scheduleFileRoutes
        if backend.configuration.compatSeeds { routes += backend.seedRoutes }
        return routes
    }
}

/// Why the control plane could not start.
package struct ControlPlaneError: Error, CustomStringConvertible {
    package let description: String
}
