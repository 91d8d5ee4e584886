import CLibpq
import Glibc
import Logging
import UVLoop

/// Makes one connection: looks names up, tries each place in turn, and drives libpq's own connecting machine on the loop.
@LoopActor
struct Connector {
    private let configuration: PostgresConfiguration
    private let logger: Logger

    init(_ configuration: PostgresConfiguration, logger: Logger) {
        self.configuration = configuration
        self.logger = logger
    }

    func connect() async throws(PostgresError) -> ConnectionCore {
        let options = try ConnectionOptions(parsing: configuration.connectionString)
        var lastError: PostgresError?
        // "Prefer" is a second round over all hosts, as in libpq.
        let rounds = options["target_session_attrs"] == "prefer-standby" ? ["standby", "any"] : [nil]
        for attributes in rounds {
            // No endpoint: a service that only libpq can resolve.
            let places: [ConnectionOptions.Endpoint?] = try options.endpoints()
            for place in places.isEmpty ? [nil] : places {
                do {
                    return try await connect(place, options, attributes)
                } catch {
                    if error.kind == .cancelled { throw error }
                    if places.count > 1 { logger.debug("no connection to \(place?.description ?? "") \(error)") }
                    lastError = error
                }
            }
        }
        throw lastError ?? PostgresError(kind: .connection, message: "the connection string names no host")
    }

    private func connect(
        _ place: ConnectionOptions.Endpoint?, _ options: ConnectionOptions, _ attributes: String?
    ) async throws(PostgresError) -> ConnectionCore {
        var addresses = [place]
        if let place, place.needsLookup { addresses = try await lookUp(place) }
        var lastError: PostgresError?
        for address in addresses {
            do {
                return try await attempt(options.parameters(for: address, configuration, attributes: attributes))
            } catch {
                if error.kind == .cancelled { throw error }
                lastError = error
            }
        }
        throw lastError
            ?? PostgresError(kind: .connection, message: "no address for \(place?.description ?? "the host")")
    }

    // MARK: Names

    /// Asks the system's resolver through `getent`: it honours nsswitch.conf like libpq would, and blocks in its own process.
    private func lookUp(
        _ place: ConnectionOptions.Endpoint
    ) async throws(PostgresError) -> [ConnectionOptions.Endpoint?] {
        guard let name = place.host else { return [place] }
        if isNumericAddress(name) {
            var numeric = place
            numeric.address = name
            return [numeric]
        }
        let output: ChildProcess.Output
        do {
            output = try await ChildProcess.run(
                ChildProcess.Spec(executable: "/usr/bin/getent", arguments: ["ahosts", name]),
                timeout: configuration.connectTimeout)
        } catch {
            switch error.code {
            case ECANCELED: throw .cancelledByCaller
            case ETIMEDOUT:
                throw PostgresError(kind: .timedOut, message: "looking up the host \(name) took too long")
            default:
                // No getent here: libpq looks the name up, and the loop waits for it.
                logger.notice("cannot look up host names beside the loop", metadata: ["error": "\(error)"])
                return [place]
            }
        }
        let addresses = hostAddresses(inGetentOutput: output.stdoutText)
        guard output.status.isSuccess, !addresses.isEmpty else {
            throw PostgresError(kind: .connection, message: "the host name \(name) is unknown")
        }
        return addresses.map { address in
            var found = place
            found.address = address
            return found
        }
    }

    // MARK: One attempt

    private func attempt(_ parameters: [String: String]) async throws(PostgresError) -> ConnectionCore {
        guard let raw = startConnecting(parameters) else {
            throw PostgresError(kind: .connection, message: "out of memory")
        }
        PQsetErrorVerbosity(raw, PQERRORS_VERBOSE)  // For the SQLSTATE; see `init(connectMessage:)`.
        // libpq would print notices of this phase (a collation's version has changed) to our standard error.
        let notices = NoticeLog(logger)
        PQsetNoticeReceiver(raw, logNotice, Unmanaged.passUnretained(notices).toOpaque())
        var isTaken = false
        defer { if !isTaken { PQfinish(raw) } }
        let deadline = LoopInstant.now.advanced(by: configuration.connectTimeout)
        // libpq's manual: begin as if PQconnectPoll had answered "writing".
        var state = PQstatus(raw) == CONNECTION_BAD ? PGRES_POLLING_FAILED : PGRES_POLLING_WRITING
        while state != PGRES_POLLING_OK {
            guard state != PGRES_POLLING_FAILED else { throw connectError(raw) }
            // The watcher is gone before PQconnectPoll, which may close the socket and open another of the same number.
            let readiness = try await descriptorIsReady(
                PQsocket(raw), state == PGRES_POLLING_READING ? .readable : .writable, by: deadline)
            switch readiness {
            case .ready: state = PQconnectPoll(raw)
            case .cancelled: throw .cancelledByCaller
            case .timedOut:
                throw PostgresError(
                    kind: .timedOut,
                    message: "no connection to \(place(raw)) within \(configuration.connectTimeout)")
            }
        }
        isTaken = true
        defer { withExtendedLifetime(notices) {} }  // Until the connection has got another receiver.
        return try ConnectionCore(taking: raw, logger: logger)
    }

    private func startConnecting(_ parameters: [String: String]) -> OpaquePointer? {
        let parameters = parameters.sorted { $0.key < $1.key }
        let keywords = parameters.map { strdup($0.key) }
        let values = parameters.map { strdup($0.value) }
        defer { for text in keywords + values { free(text) } }
        return PQconnectStartParams(
            keywords.map { UnsafePointer($0) } + [nil], values.map { UnsafePointer($0) } + [nil], 0)
    }

    private func place(_ raw: OpaquePointer) -> String {
        let host = PQhost(raw).map { String(cString: $0) } ?? ""
        let port = PQport(raw).map { String(cString: $0) } ?? ""
        return "\(host) port \(port)"
    }

    private func connectError(_ raw: OpaquePointer) -> PostgresError {
        let message = String(cString: PQerrorMessage(raw))
        return PostgresError(connectMessage: message.isEmpty ? "no connection to \(place(raw))" : message)
    }
}

/// Logs what the server remarks while a connection is made.
private final class NoticeLog: Sendable {
    let logger: Logger

    init(_ logger: Logger) { self.logger = logger }
}

private func logNotice(_ context: UnsafeMutableRawPointer?, _ notice: OpaquePointer?) {
    guard let context, let notice else { return }
    let error = PostgresError(result: notice)
    Unmanaged<NoticeLog>.fromOpaque(context).takeUnretainedValue().logger.notice(
        "postgres notice", metadata: ["message": "\(error.message)", "sqlstate": "\(error.sqlState?.code ?? "")"])
}

/// The distinct addresses in the output of `getent ahosts`, in its order (RFC 6724's). Each line begins with one.
func hostAddresses(inGetentOutput text: String) -> [String] {
    var addresses: [String] = []
    for line in text.split(separator: "\n") {
        guard let address = line.split(separator: " ").first.map(String.init), isNumericAddress(address) else {
            continue
        }
        if !addresses.contains(address) { addresses.append(address) }
    }
    return addresses
}

/// True for an IPv4 address, and an IPv6 address with or without a zone.
func isNumericAddress(_ text: String) -> Bool {
    var buffer = in6_addr()
    let withoutZone = String(text.prefix { $0 != "%" })
    return inet_pton(AF_INET, text, &buffer) == 1 || inet_pton(AF_INET6, withoutZone, &buffer) == 1
}
